"""The journeys of schema/journeys.toml: who runs which worked operations, one after another."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from typing import Any

import orjson

from referralnet.console.operations import WorkedOperation, worked_operations
from referralnet.published import path


@dataclass(frozen=True, slots=True)
class Step:
    """One operation, and the login of whoever runs it in the example network."""

    by: str
    operation: WorkedOperation

    @property
    def answer(self) -> Any:
        """The `data` that the example network answered, each list cut to its first element."""
        return orjson.loads(path("schema", "answers", f"{self.operation.key}.json").read_bytes())


@dataclass(frozen=True, slots=True)
class Journey:
    """What somebody wants to get done, and the steps that do it."""

    title: str
    text: str
    steps: tuple[Step, ...]


@functools.cache
def journeys() -> tuple[Journey, ...]:
    """All of them, in the order of the file."""
    by_number = {operation.key.partition("_")[0]: operation for operation in worked_operations()}
    written = tomllib.loads(path("schema", "journeys.toml").read_text("utf-8"))
    return tuple(
        Journey(
            entry["title"],
            " ".join(entry["text"].split()),
            tuple(Step(part["by"], by_number[number]) for part in entry["parts"] for number in part["steps"]),
        )
        for entry in written["journey"]
    )

"""The worked operations of schema/operations: a document with its example variables, and what its answer is good for.

A document's first comment lines say what it is: a title, sentences, `Who:` may run it, and `Keeps:` what later
operations take from its answer. Variables name what is not known beforehand in braces; `fill_in` puts it there.
"""

from __future__ import annotations

import functools
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import orjson

from referralnet.published import path

_PLACEHOLDER = re.compile(r"\{([a-zA-Z]+)(?:\+(\d+))?\}")
_BY_DAY = ("America/Chicago", "America/Puerto_Rico", "Pacific/Honolulu", "Pacific/Guam", "Europe/London")
_DAY_HOURS = range(9, 20)
_AFTER_THE_JOURNEY = 20


@dataclass(frozen=True, slots=True)
class Kept:
    """Something of an answer that later operations take: `path` leads to it.

    A list's position is a number, or ``*``: the first one that gives the operation's first kept thing.
    """

    name: str
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WorkedOperation:
    """A published operation. `key` is its file's name; `who` are roles, or ``everybody``, or ``program``."""

    key: str
    title: str
    description: str
    who: frozenset[str]
    keeps: tuple[Kept, ...]
    document: str
    variables: dict[str, Any]

    @property
    def changes(self) -> bool:
        """Whether it changes anything."""
        return self.document.startswith("mutation")

    @property
    def subscribes(self) -> bool:
        """Whether it is told over a socket as things happen, and answered by no request."""
        return self.document.startswith("subscription")

    @property
    def is_of_journey(self) -> bool:
        """Whether it is a step of the journey, in the order of the keys."""
        return _number(self.key) < _AFTER_THE_JOURNEY

    @property
    def wants(self) -> frozenset[str]:
        """The names in braces of its variables."""
        return frozenset(name for name, _ in _PLACEHOLDER.findall(orjson.dumps(self.variables).decode()))


def read_operation(file: Path) -> WorkedOperation:
    """One operation from its .graphql file and the .json beside it."""
    lines = file.read_text("utf-8").splitlines()
    head = [line[1:].strip() for line in lines if line.startswith("#")]
    who = next(line for line in head if line.startswith("Who:"))
    keeps = [line.removeprefix("Keeps:").split("=") for line in head if line.startswith("Keeps:")]
    return WorkedOperation(
        key=file.stem,
        title=head[0],
        description=" ".join(line for line in head[1:] if not line.startswith(("Who:", "Keeps:"))),
        who=frozenset(role.strip() for role in who.removeprefix("Who:").split(",")),
        keeps=tuple(Kept(name.strip(), tuple(where.strip().split("."))) for name, where in keeps),
        document="\n".join(line for line in lines if not line.startswith("#")),
        variables=orjson.loads(file.with_suffix(".json").read_bytes()),
    )


@functools.cache
def worked_operations() -> tuple[WorkedOperation, ...]:
    """All of them, in the order of the journey."""
    return tuple(
        read_operation(file)
        for file in sorted(path("schema", "operations").glob("*.graphql"), key=lambda file: _number(file.stem))
    )


def fill_in(variables: Mapping[str, Any], known: Mapping[str, str], *, now: datetime, time_zone: str) -> Any:
    """`variables` with what is in braces replaced; what is not known stays, for a person to fill in.

    Args:
        variables: of a worked operation.
        known: what earlier answers gave, by name.
        now: ``{today+N}`` is counted from it in `time_zone`; ``{timeZoneByDay}`` is a zone in which it is day now.
        time_zone: an IANA name.
    """

    def word(found: re.Match[str]) -> str:
        name, days = found.groups()
        made: dict[str, Callable[[], str]] = {
            "newKey": lambda: str(uuid4()),
            "newName": _invented_name,
            "today": lambda: str(now.astimezone(ZoneInfo(time_zone)).date() + timedelta(days=int(days or 0))),
            "timeZoneByDay": lambda: _zone_by_day(now),
        }
        return made[name]() if name in made else known.get(name, found.group())

    def fill(value: Any) -> Any:
        if isinstance(value, str):
            return _PLACEHOLDER.sub(word, value)
        if isinstance(value, dict):
            return {name: fill(inner) for name, inner in value.items()}
        return [fill(inner) for inner in value] if isinstance(value, list) else value

    return fill(dict(variables))


def _invented_name() -> str:
    """So that a survivor who is recorded once more does not look, or sound, like any of those before."""
    return "".join(secrets.choice("bdfglmnprt") + secrets.choice("aeio") for _ in range(6)).title()


def kept_of(operation: WorkedOperation, data: Any) -> dict[str, str]:
    """What an answer's `data` gives to later operations."""
    if not operation.keeps:
        return {}
    position = _first_with(data, operation.keeps[0].path)
    values = {kept.name: _follow(data, kept.path, position) for kept in operation.keeps}
    return {name: value for name, value in values.items() if isinstance(value, str)}


def _first_with(data: Any, path: tuple[str, ...]) -> int:
    """Which element ``*`` stands for."""
    elements = _follow(data, path[: path.index("*")], 0) if "*" in path else None
    positions = range(len(elements) if isinstance(elements, list) else 0)
    return next((position for position in positions if _follow(data, path, position) is not None), 0)


def _follow(value: Any, path: tuple[str, ...], position: int) -> Any:
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list):
            index = position if step == "*" else int(step)
            value = value[index] if index < len(value) else None
        else:
            return None
    return value


def _number(key: str) -> int:
    return int(key.partition("_")[0])


def _zone_by_day(now: datetime) -> str:
    return next((zone for zone in _BY_DAY if now.astimezone(ZoneInfo(zone)).hour in _DAY_HOURS), _BY_DAY[0])

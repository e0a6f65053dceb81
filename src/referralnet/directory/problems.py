"""What was wrong with a package, row by row: nothing is lost in silence, and no report repeats a value (D1, D6)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum


class Severity(StrEnum):
    """What became of the row or the cell."""

    MENDED = "mended"
    KEPT_OUT = "kept out"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class RowProblem:
    """One thing wrong in one place of a package."""

    file: str
    line: int
    """Of the file, counted from 1 with quoted line breaks; 0 where it concerns the whole file."""
    column: str
    """Empty where it concerns the whole row."""
    value_shape: str
    """The value with letters as a and digits as 9, because the value itself may be an address nobody may read."""
    severity: Severity
    message: str
    hint: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        column = f" {self.column}" if self.column else ""
        shape = f" ({self.value_shape})" if self.value_shape else ""
        return f"{place}{column}: {self.severity}: {self.message}{shape}. {self.hint}".rstrip()


ROWS_KEPT_MAX = 10_000
Group = tuple[Severity, str, str, str, str]


@dataclass(slots=True)
class Problems:
    """The problems of one import: all of them counted, the first ones kept, each told to `spool` as it is met."""

    spool: Callable[[RowProblem], None] | None = None
    rows: list[RowProblem] = field(default_factory=list)
    """The first ROWS_KEPT_MAX, in the order they were met: a package may have a problem in each of a million rows."""
    counts: Counter[Group] = field(default_factory=Counter)

    def add(
        self, severity: Severity, file: str, line: int, column: str, value: str, message: str, hint: str = ""
    ) -> None:
        problem = RowProblem(file, line, column, shape_of(value), severity, message, hint)
        self.counts[severity, file, column, message, hint] += 1
        if len(self.rows) < ROWS_KEPT_MAX:
            self.rows.append(problem)
        if self.spool is not None:
            self.spool(problem)

    def __len__(self) -> int:
        return self.counts.total()

    def groups(self) -> Iterator[tuple[Group, int]]:
        """(severity, file, column, message, hint) with how often, the most frequent first within each severity."""
        order = list(Severity)
        yield from sorted(self.counts.items(), key=lambda item: (order.index(item[0][0]), -item[1], item[0]))

    def count(self, severity: Severity) -> int:
        return sum(times for group, times in self.counts.items() if group[0] is severity)


class PackageUnreadable(Exception):
    """The package cannot be read at all; nothing was imported."""

    def __init__(self, file: str, column: str, message: str) -> None:
        self.file, self.column = file, column
        super().__init__(f"{file}{f', column {column}' if column else ''}: {message}")


def shape_of(value: str) -> str:
    """The outline of a value, at most 40 characters: ``shape_of("312-555-0142") == "999-999-9999"``."""
    return re.sub(r"[^\W\d_]", "a", re.sub(r"\d", "9", value[:40])).replace("\n", " ")

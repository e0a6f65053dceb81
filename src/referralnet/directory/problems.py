"""What was wrong with a package, row by row: nothing is lost in silence, and no report repeats a value (D1, D6)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
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


Group = tuple[Severity, str, str, str, str]


@dataclass(slots=True)
class Problems:
    """The problems of one import, in the order they were met."""

    rows: list[RowProblem] = field(default_factory=list)

    def add(
        self, severity: Severity, file: str, line: int, column: str, value: str, message: str, hint: str = ""
    ) -> None:
        self.rows.append(RowProblem(file, line, column, shape_of(value), severity, message, hint))

    def groups(self) -> Iterator[tuple[Group, int]]:
        """(severity, file, column, message, hint) with how often, the most frequent first within each severity."""
        counts = Counter((row.severity, row.file, row.column, row.message, row.hint) for row in self.rows)
        order = list(Severity)
        yield from sorted(counts.items(), key=lambda item: (order.index(item[0][0]), -item[1], item[0]))

    def count(self, severity: Severity) -> int:
        return sum(row.severity is severity for row in self.rows)


class PackageUnreadable(Exception):
    """The package cannot be read at all; nothing was imported."""

    def __init__(self, file: str, column: str, message: str) -> None:
        self.file, self.column = file, column
        super().__init__(f"{file}{f', column {column}' if column else ''}: {message}")


def shape_of(value: str) -> str:
    """The outline of a value, at most 40 characters: ``shape_of("312-555-0142") == "999-999-9999"``."""
    return re.sub(r"[^\W\d_]", "a", re.sub(r"\d", "9", value[:40])).replace("\n", " ")

"""One file of a package being read: rows into records; whatever cannot be one is mended or kept out, and said (D6)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from referralnet.directory.columns import ANY_TABLE, Column, columns_of, ids_of
from referralnet.directory.dirt import clean
from referralnet.directory.formats import (
    BLANKS,
    COLUMNS,
    LETTERS_MAX,
    LINKS,
    NATURAL_KEYS,
    PLACES,
    REQUIRED,
    TABLE_NAMES,
    TOLD_ELSEWHERE,
)
from referralnet.directory.packages import Source
from referralnet.directory.problems import PackageUnreadable, Severity
from referralnet.directory.values import UnreadableValue

if TYPE_CHECKING:
    from referralnet.directory.reading import Reading

ID_LETTERS_MAX = 200
Record = tuple[object, ...]
"""(id, package, source_id, then the table's columns in their order)."""


Reader = Callable[[str], object]
"""Gives the value of a cell, or raises UnreadableValue."""
_NEEDED = "is blank and no row can do without it"
_FILL_IN = "Fill it in."
_HOURS = "opens_at|closes_at|description|notes|dtstart"


class RowKeptOut(Exception):
    """The row cannot be kept; the problem has been written down."""


@dataclass(frozen=True, slots=True)
class _Filled:
    """A column that the file has: at `index` of a record's values, at `at` of a row's cells."""

    index: int
    at: int
    column: Column
    read: Reader | None


class TableFile:
    """One file being read: its columns, and one row at a time.

    Nearly every row is whole, and is read in one pass over its cells by readers that were chosen once (`_values`).
    Where that meets something to tell, the row is read again cell by cell (`_values_told`).
    """

    def __init__(self, reading: Reading, table: str, source: Source, names: list[str]) -> None:
        self.reading, self.table, self.source, self.names = reading, table, source, names
        self.name = source.name
        self.met = reading.met[table]
        self.made_id = ids_of(reading.package, table)
        self.problems = reading.problems
        self.position = {column: index for index, column in enumerate(names)}
        self.columns = columns_of(table)
        self.filled = [
            _Filled(index, self.position[column.name], column, self._reader(column))
            for index, column in enumerate(self.columns)
            if column.name in self.position
        ]
        # What the file has no column for is the same in every row.
        self.blank: list[object] = [BLANKS.get((table, column.name)) for column in self.columns]
        self.readers = [(one.index, one.at, one.read) for one in self.filled if one.column.reference != ANY_TABLE]
        self.links = [one for one in self.filled if one.column.reference == ANY_TABLE]
        self.references = [one for one in self.filled if one.column.reference]
        self.required = [one.at for one in self.filled if one.column.required]
        self.whole = [self._indexes(either) for either in REQUIRED.get(table, ())]
        self.hours = self._indexes(_HOURS)
        self.number_and_extension = self._indexes("number|extension")
        self.id_position = self.position.get("id")

    def _reader(self, column: Column) -> Reader | None:
        """How a cell of the column becomes a value; None where it is one."""
        if column.reference and column.reference != ANY_TABLE:
            return self.reading.resolver(column.reference, within=self.table)
        limit = LETTERS_MAX.get(column.name)
        return column.read if limit is None else _within(limit, column.read)

    def _indexes(self, names: str) -> list[int]:
        wanted = names.split("|")
        return [index for index, column in enumerate(self.columns) if column.name in wanted]

    def check_header(self) -> None:
        """Tell of columns that are not kept, and of those that are missing.

        Raises:
            PackageUnreadable: one is missing without which no row means anything.
        """
        known = {one.column.name for one in self.filled} | {"id"}
        for name in self.names:
            if name and name not in known and (self.table, name) not in TOLD_ELSEWHERE:
                message, hint = "the column is not one of HSDS 3.1; not kept", "Give it its HSDS name, or leave it out."
                self.problems.add(Severity.NOTE, self.name, 1, name, "", message, hint)
        for column, blank in zip(self.columns, self.blank, strict=True):
            if column.required and column.name not in known:
                if blank is None:
                    message = "the column is missing and no row can do without it"
                    raise PackageUnreadable(self.name, column.name, message)
                message = f"no such column: taken as {blank}"
                self.problems.add(Severity.MENDED, self.name, 1, column.name, "", message, "Add the column.")

    def records(self, line: int, cells: list[str]) -> list[Record]:
        """No record, one, or several where one cell names several rows."""
        cells = clean(cells, partial(self._tell, line), spreadsheet=self.source.spreadsheet)
        if not any(cells):
            self.problems.add(Severity.NOTE, self.name, line, "", "", "the row is empty", "Take the row out.")
            return []
        if len(cells) != len(self.names):
            cells = self._fitted(line, cells)
        records = []
        for part, variant in enumerate(self._one_per_reference(line, cells)):
            try:
                records.append(self._record(line, variant, part))
            except RowKeptOut:
                continue
        return records

    def _tell(self, line: int, at: int, severity: Severity, message: str, hint: str) -> None:
        column = self.names[at] if at < len(self.names) else ""
        self.problems.add(severity, self.name, line, column, "", message, hint)

    def _fitted(self, line: int, cells: list[str]) -> list[str]:
        """As many cells as there are columns."""
        width = len(self.names)
        if any(cells[width:]):
            hint = "Quote cells that hold a comma."
            self.problems.add(Severity.KEPT_OUT, self.name, line, "", "", "cells beyond the last column", hint)
        elif len(cells) < width:
            hint = "Look whether a comma or a quotation mark is missing."
            message = "fewer cells than columns: the rest is blank"
            self.problems.add(Severity.NOTE, self.name, line, "", "", message, hint)
        return cells[:width] + [""] * (width - len(cells))

    def _one_per_reference(self, line: int, cells: list[str]) -> list[list[str]]:
        for one in self.references:
            value = cells[one.at]
            if "," not in value or self._names_one(one, value, cells):
                continue
            found = [part for part in map(str.strip, value.split(",")) if part and self._names_one(one, part, cells)]
            if found:
                message, hint = "the cell names several rows: one kept for each that exists", "Write a row for each."
                self.problems.add(Severity.MENDED, self.name, line, one.column.name, value, message, hint)
                return [[*cells[: one.at], part, *cells[one.at + 1 :]] for part in found]
        return [cells]

    def _names_one(self, one: _Filled, cell: str, cells: list[str]) -> bool:
        try:
            self._read(one, cell, cells)
        except UnreadableValue:
            return False
        return True

    def _record(self, line: int, cells: list[str], part: int) -> Record:
        source_id = self._source_id(cells, part)
        if len(source_id) > ID_LETTERS_MAX:
            raise self._kept_out(line, "id", "", f"is longer than {ID_LETTERS_MAX} letters", "Give a shorter id.")
        own = self.made_id(source_id)
        if own in self.met:
            message = "the same row again" if not self._own_id(cells) else "another row has this id"
            raise self._kept_out(line, "id", self._own_id(cells), message, "The first one is kept.")
        try:
            values = self._values(cells)
        except UnreadableValue:
            values = self._values_told(line, cells)
        if self.whole:
            self._check_whole(line, cells, values)
        if self.table == "phone":
            self._add_extension(values)
        if self.reading.folded:
            self._unfold(self._own_id(cells), values)
        self.met.add(own)
        return (own, self.reading.package, source_id, *values)

    def _own_id(self, cells: list[str]) -> str:
        return cells[self.id_position] if self.id_position is not None else ""

    def _source_id(self, cells: list[str], part: int) -> str:
        if own := self._own_id(cells):
            return f"{own}#{part + 1}" if part else own
        key = NATURAL_KEYS.get(self.table)
        if key:
            return "/".join(cells[self.position[name]] for name in key if name in self.position)
        told = "\x1f".join(f"{name}={cell}" for name, cell in zip(self.names, cells, strict=False) if cell)
        return f"row:{hashlib.sha256(told.encode()).hexdigest()[:20]}"

    def _values(self, cells: list[str]) -> list[object]:
        """Of a row of which there is nothing to tell, else UnreadableValue."""
        for at in self.required:
            if not cells[at]:
                raise UnreadableValue(_NEEDED)
        values = self.blank.copy()
        for index, at, read in self.readers:
            if cell := cells[at]:
                values[index] = cell if read is None else read(cell)
        for one in self.links:
            values[one.index] = self._read(one, cells[one.at], cells)
        return values

    def _values_told(self, line: int, cells: list[str]) -> list[object]:
        """Of any row: what cannot be read is left blank and told, or keeps the row out."""
        values = self.blank.copy()
        for one in self.filled:
            cell = cells[one.at]
            if not cell:
                self._tell_blank(line, one.column)
                continue
            try:
                values[one.index] = self._read(one, cell, cells)
            except UnreadableValue as error:
                values[one.index] = None
                self._unusable(line, one.column, cell, error)
        return values

    def _read(self, one: _Filled, cell: str, cells: list[str]) -> object:
        if one.column.reference != ANY_TABLE:
            return cell if one.read is None else one.read(cell)
        named_by = self.position.get(LINKS[self.table, one.column.name])
        entity = cells[named_by] if named_by is not None else ""
        return self.reading.resolver(TABLE_NAMES.get(entity.lower(), entity), within=self.table)(cell)

    def _tell_blank(self, line: int, column: Column) -> None:
        if not column.required:
            return
        blank = BLANKS.get((self.table, column.name))
        if blank is None:
            raise self._kept_out(line, column.name, "", _NEEDED, _FILL_IN)
        self.problems.add(Severity.MENDED, self.name, line, column.name, "", f"is blank: taken as {blank}", _FILL_IN)

    def _unusable(self, line: int, column: Column, cell: str, error: UnreadableValue) -> None:
        if column.required or column.reference in PLACES:
            raise self._kept_out(line, column.name, cell, str(error), error.hint)
        self.problems.add(Severity.KEPT_OUT, self.name, line, column.name, cell, f"{error}; left blank", error.hint)

    def _check_whole(self, line: int, cells: list[str], values: list[object]) -> None:
        if self.table == "schedule" and not _any_of(values, self.hours):
            hint = "Give opens_at and closes_at, or no row."
            if any(cells[one.at] for one in self.filled if one.index in self.hours):
                raise self._kept_out(line, "", "", "no hours that can be read", hint)
            self.problems.add(
                Severity.NOTE, self.name, line, "", "", "no hours: closed that day, nothing to keep", hint
            )
            raise RowKeptOut
        for either, indexes in zip(REQUIRED[self.table], self.whole, strict=True):
            if not _any_of(values, indexes):
                raise self._kept_out(line, either.replace("|", " or "), "", _NEEDED, _FILL_IN)

    def _kept_out(self, line: int, column: str, cell: str, message: str, hint: str = "") -> RowKeptOut:
        self.problems.add(Severity.KEPT_OUT, self.name, line, column, cell, message, hint)
        return RowKeptOut()

    def _add_extension(self, values: list[object]) -> None:
        """A number's own extension ("... ext. 3") fills the column beside it where that is blank."""
        number, extension = self.number_and_extension
        read = values[number]
        assert isinstance(read, tuple)
        values[number] = read[0]
        values[extension] = values[extension] or read[1]

    def _unfold(self, source_id: str, values: list[object]) -> None:
        for index, column in enumerate(self.columns):
            said = self.reading.folded.get(column.name, {}).get(source_id)
            if said and self.table == "service":
                values[index] = "; ".join([*([str(values[index])] if values[index] else []), *said])


def names_of(table: str, source: Source) -> list[str]:
    """The columns' 3.1 names; an old name beside the new one is not the new one's."""
    told = [name.lower() for name in source.header()]
    renamed = COLUMNS.get(table, {})
    return [renamed[name] if name in renamed and renamed[name] not in told else name for name in told]


def _within(limit: int, read: Reader | None) -> Reader:
    """A reader that takes so many letters at most."""

    def short(cell: str) -> object:
        if len(cell) > limit:
            hint = "Close the quotation mark before it, or shorten the text."
            raise UnreadableValue(f"is longer than {limit} letters", hint)
        return cell if read is None else read(cell)

    return short


def _any_of(values: list[object], indexes: list[int]) -> bool:
    return any(values[index] is not None for index in indexes)

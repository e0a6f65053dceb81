"""Rows of a package into records of our tables; whatever cannot be one is mended or kept out, and said (D6)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from uuid import UUID

from referralnet.directory.columns import ANY_TABLE, Column, columns_of, record_id, referenced_tables
from referralnet.directory.formats import BLANKS, COLUMNS, FOLDED, LINKS, NATURAL_KEYS, PLACES, REQUIRED, TABLE_NAMES
from referralnet.directory.packages import Package, SourceFile
from referralnet.directory.problems import PackageUnreadable, Problems, Severity
from referralnet.directory.values import UnreadableValue

Record = tuple[object, ...]
"""(id, package, source_id, then the table's columns in their order)."""


class RowKeptOut(Exception):
    """The row cannot be kept; the problem has been written down."""


@dataclass(slots=True)
class Reading:
    """One reading of one package: what is known so far, and what was wrong."""

    package: str
    problems: Problems
    shared_terms: dict[str, UUID]
    """Terms of the project's own taxonomy, by their id there and by code."""
    known: dict[str, dict[str, UUID]] = field(default_factory=dict)
    folded: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    """Column of 3.1 -> source id of the row -> what older files said about it."""

    def records(self, table: str, source: SourceFile) -> Iterator[Record]:
        """Every row of the file that can be kept, streamed.

        Raises:
            PackageUnreadable: a column without which no row means anything is missing, or the file is not CSV.
        """
        names = [COLUMNS.get(table, {}).get(name.lower(), name.lower()) for name in source.header()]
        if not names:
            return
        file = TableFile(self, table, source.name, names)
        file.check_header()
        if any(column.reference == table for column in columns_of(table)):
            self._learn_ids_ahead(table, source, names)
        seen: set[str] = set()
        for line, cells in islice(source.rows(), 1, None):
            yield from file.records(line, cells, seen)

    def _learn_ids_ahead(self, table: str, source: SourceFile, names: list[str]) -> None:
        """A row may name one that stands below it (parent_id): read the ids of such a file before its rows."""
        if "id" not in names:
            return
        position = names.index("id")
        known = self.known.setdefault(table, {})
        for _line, cells in source.rows():
            if position < len(cells) and (source_id := cells[position].strip()):
                known[source_id] = record_id(self.package, table, source_id)

    def fold(self, source: SourceFile, package: Package) -> None:
        """Remember the rows of a file of 1.x that became a column; their table is read afterwards."""
        table, reference, value, column = FOLDED[source.name]
        names = [name.lower() for name in source.header()]
        if reference not in names or value not in names:
            raise PackageUnreadable(
                source.name, reference if reference not in names else value, "the column is missing"
            )
        known = _ids_of(package, table)
        said = self.folded.setdefault(column, {})
        for line, cells in islice(source.rows(), 1, None):
            row = dict(zip(names, (cell.strip() for cell in cells), strict=False))
            self._fold_row(source.name, line, row.get(reference, ""), row.get(value, ""), known, said)

    def _fold_row(
        self, file: str, line: int, owner: str, said: str, known: set[str], kept: dict[str, list[str]]
    ) -> None:
        owners = [part for part in (owner.split(",") if owner not in known else [owner]) if part in known]
        if not said:
            self.problems.add(Severity.NOTE, file, line, "", "", "the row says nothing")
        elif not owners:
            hint = "Give the id of a row of the package."
            self.problems.add(Severity.KEPT_OUT, file, line, "service_id", owner, "names no row of the package", hint)
        elif owner not in known:
            message = "the cell names several rows: kept for each that exists"
            self.problems.add(Severity.MENDED, file, line, "service_id", owner, message, "Write a row for each.")
        for part in owners if said else []:
            values = kept.setdefault(part, [])
            if said not in values:
                values.append(said)


def _ids_of(package: Package, table: str) -> set[str]:
    ids: set[str] = set()
    for file in package.files.get(table, []):
        names = [name.lower() for name in file.header()]
        if "id" in names:
            position = names.index("id")
            ids |= {cells[position].strip() for _line, cells in file.rows() if position < len(cells)}
    return ids


class TableFile:
    """One file being read: its columns, and one row at a time."""

    def __init__(self, reading: Reading, table: str, name: str, names: list[str]) -> None:
        self.reading, self.table, self.name, self.names = reading, table, name, names
        self.problems = reading.problems
        position = {column: index for index, column in enumerate(names)}
        self.columns: list[tuple[Column, int | None]] = [
            (column, position.get(column.name)) for column in columns_of(table)
        ]
        # A column that neither the file has nor a row requires stays blank in every row, and is not looked at again.
        self.filled = [
            (index, column, at) for index, (column, at) in enumerate(self.columns) if at is not None or column.required
        ]
        self.id_position = position.get("id")
        self.references = [(column, at) for column, at in self.columns if column.reference and at is not None]
        self.remembered = reading.known.setdefault(table, {}) if table in referenced_tables() else None

    def check_header(self) -> None:
        present = {column.name for column, at in self.columns if at is not None} | {"id"}
        for name in self.names:
            if name and name not in present:
                self.problems.add(Severity.NOTE, self.name, 1, name, "", "the column is not one of HSDS 3.1; not kept")
        for column, at in self.columns:
            if at is None and column.required:
                if (self.table, column.name) not in BLANKS:
                    raise PackageUnreadable(
                        self.name, column.name, "the column is missing and no row can do without it"
                    )
                blank = BLANKS[self.table, column.name]
                self.problems.add(Severity.MENDED, self.name, 1, column.name, "", f"no such column: taken as {blank}")

    def records(self, line: int, cells: list[str], seen: set[str]) -> Iterator[Record]:
        """No record, one, or several where one cell names several rows."""
        if not any(cell.strip() for cell in cells):
            self.problems.add(Severity.NOTE, self.name, line, "", "", "the row is empty")
            return
        if len(cells) > len(self.names) and any(cell.strip() for cell in cells[len(self.names) :]):
            hint = "Quote cells that hold a comma."
            self.problems.add(Severity.KEPT_OUT, self.name, line, "", "", "cells beyond the last column", hint)
        cells = cells + [""] * (len(self.names) - len(cells))
        for part, variant in enumerate(self._one_per_reference(line, cells)):
            try:
                record = self._record(line, variant, part, seen)
            except RowKeptOut:
                continue
            yield record

    def _one_per_reference(self, line: int, cells: list[str]) -> list[list[str]]:
        for column, at in self.references:
            assert at is not None
            value = cells[at].strip()
            if "," not in value or self._resolve(column, value, cells) is not None:
                continue
            found = [part.strip() for part in value.split(",") if self._resolve(column, part.strip(), cells)]
            if found:
                message = "the cell names several rows: one kept for each that exists"
                self.problems.add(
                    Severity.MENDED, self.name, line, column.name, value, message, "Write a row for each."
                )
                return [[*cells[:at], part, *cells[at + 1 :]] for part in found]
        return [cells]

    def _record(self, line: int, cells: list[str], part: int, seen: set[str]) -> Record:
        source_id = self._source_id(cells, part)
        if source_id in seen:
            message = "the same row again" if not self._own_id(cells) else "another row has this id"
            raise self._kept_out(line, "id", self._own_id(cells), message, "The first one is kept.")
        values: list[object] = [None] * len(self.columns)
        for index, column, at in self.filled:
            cell = cells[at].strip() if at is not None else ""
            values[index] = self._value(line, column, cell, cells) if cell else self._blank(line, column, at)
        if self.table in REQUIRED:
            self._check_whole(line, values)
        if self.table == "phone":
            values = self._with_extension(values)
        if self.reading.folded:
            self._unfold(self._own_id(cells), values)
        seen.add(source_id)
        own = record_id(self.reading.package, self.table, source_id)
        if self.remembered is not None:
            self.remembered[source_id] = own
        return (own, self.reading.package, source_id, *values)

    def _own_id(self, cells: list[str]) -> str:
        return cells[self.id_position].strip() if self.id_position is not None else ""

    def _source_id(self, cells: list[str], part: int) -> str:
        if own := self._own_id(cells):
            return f"{own}#{part + 1}" if part else own
        key = NATURAL_KEYS.get(self.table)
        if key:
            return "/".join(cells[self.names.index(name)].strip() for name in key if name in self.names)
        told = "\x1f".join(
            f"{name}={cell.strip()}" for name, cell in zip(self.names, cells, strict=False) if cell.strip()
        )
        return f"row:{hashlib.sha256(told.encode()).hexdigest()[:20]}"

    def _value(self, line: int, column: Column, cell: str, cells: list[str]) -> object:
        if "\x00" in cell:
            cell = cell.replace("\x00", "")
            self.problems.add(Severity.MENDED, self.name, line, column.name, "", "held a null character")
        if column.reference:
            found = self._resolve(column, cell, cells)
            if found is None:
                self._unusable(line, column, cell, "names no row that is kept", "Give the id of a row of the package.")
            return found
        if column.read is None:
            return cell
        try:
            return column.read(cell)
        except UnreadableValue as error:
            self._unusable(line, column, cell, str(error), error.hint)
            return None

    def _blank(self, line: int, column: Column, at: int | None) -> object:
        if not column.required:
            return None
        blank = BLANKS.get((self.table, column.name))
        if blank is None:
            raise self._kept_out(line, column.name, "", "is blank and no row can do without it")
        if at is not None:
            self.problems.add(Severity.MENDED, self.name, line, column.name, "", f"is blank: taken as {blank}")
        return blank

    def _resolve(self, column: Column, cell: str, cells: list[str]) -> UUID | None:
        table = column.reference or ""
        if table == ANY_TABLE:
            named_by = LINKS[self.table, column.name]
            entity = cells[self.names.index(named_by)].strip() if named_by in self.names else ""
            table = TABLE_NAMES.get(entity.lower(), entity)
        found = self.reading.known.get(table, {}).get(cell)
        if found is None and table == "taxonomy_term":
            return self.reading.shared_terms.get(cell)
        return found

    def _unusable(self, line: int, column: Column, cell: str, message: str, hint: str) -> None:
        if column.required or column.reference in PLACES:
            raise self._kept_out(line, column.name, cell, message, hint)
        self.problems.add(Severity.KEPT_OUT, self.name, line, column.name, cell, f"{message}; left blank", hint)

    def _check_whole(self, line: int, values: list[object]) -> None:
        filled = {column.name for (column, _at), value in zip(self.columns, values, strict=True) if value is not None}
        if self.table == "schedule" and not filled & {"opens_at", "closes_at", "description", "notes", "dtstart"}:
            self.problems.add(Severity.NOTE, self.name, line, "", "", "no hours: closed that day, nothing to keep")
            raise RowKeptOut
        for either in REQUIRED.get(self.table, ()):
            if not filled & set(either.split("|")):
                raise self._kept_out(line, either.replace("|", " or "), "", "is blank and no row can do without it")

    def _kept_out(self, line: int, column: str, cell: str, message: str, hint: str = "") -> RowKeptOut:
        self.problems.add(Severity.KEPT_OUT, self.name, line, column, cell, message, hint)
        return RowKeptOut()

    def _with_extension(self, values: list[object]) -> list[object]:
        """A number's own extension ("... ext. 3") fills the column beside it where that is blank."""
        names = [column.name for column, _at in self.columns]
        read = values[names.index("number")]
        assert isinstance(read, tuple)
        values[names.index("number")] = read[0]
        values[names.index("extension")] = values[names.index("extension")] or read[1]
        return values

    def _unfold(self, source_id: str, values: list[object]) -> None:
        for index, (column, _at) in enumerate(self.columns):
            said = self.reading.folded.get(column.name, {}).get(source_id)
            if said and self.table == "service":
                values[index] = "; ".join([*([str(values[index])] if values[index] else []), *said])

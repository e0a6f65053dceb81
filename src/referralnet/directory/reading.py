"""Rows of a package into records of our tables; whatever cannot be one is mended or kept out, and said (D6)."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from uuid import UUID

from referralnet.directory.columns import ANY_TABLE, Column, columns_of, record_id
from referralnet.directory.dirt import CELL_LETTERS_MAX, clean
from referralnet.directory.fingerprints import IdSet
from referralnet.directory.formats import (
    BLANKS,
    COLUMNS,
    FOLDED,
    LETTERS_MAX,
    LINKS,
    NATURAL_KEYS,
    PLACES,
    REQUIRED,
    TABLE_NAMES,
    TOLD_ELSEWHERE,
)
from referralnet.directory.packages import Package, Source, SourceFile
from referralnet.directory.problems import PackageUnreadable, Problems, Severity
from referralnet.directory.values import UnreadableValue

ID_LETTERS_MAX = 200
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
    met: defaultdict[str, IdSet] = field(default_factory=lambda: defaultdict(IdSet))
    """Ids of the rows that are kept, by table."""
    ahead: defaultdict[str, IdSet] = field(default_factory=lambda: defaultdict(IdSet))
    """Ids of tables whose rows may name one that stands below them, whether it will be kept or not."""
    folded: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    """Column of 3.1 -> source id of the row -> what older files said about it."""

    def records(self, table: str, source: Source) -> Iterator[Record]:
        """Every row of the file that can be kept, streamed.

        Raises:
            PackageUnreadable: a column without which no row means anything is missing, or the file is not CSV.
        """
        names = _names_of(table, source)
        if not names:
            return
        file = TableFile(self, table, source, names)
        file.check_header()
        for line, cells in islice(source.rows(), 1, None):
            yield from file.records(line, cells)

    def learn_ids_ahead(self, package: Package) -> None:
        """A row may name one that stands below it (parent_id): read the ids of such tables before their rows."""
        for table, sources in package.files.items():
            if not any(column.reference == table for column in columns_of(table)):
                continue
            for source in sources:
                names = [name.lower() for name in source.header()]
                for _line, cells in source.rows() if "id" in names else ():
                    if source_id := _cell_at(cells, names.index("id")):
                        self.ahead[table].add(record_id(self.package, table, source_id))

    def resolve(self, table: str, source_id: str, *, within: str) -> UUID | None:
        """The row of `table` that a row of `within` names, or None where no such row is kept."""
        found = record_id(self.package, table, source_id)
        if found in (self.ahead if table == within else self.met)[table]:
            return found
        return self.shared_terms.get(source_id) if table == "taxonomy_term" else None

    def fold(self, source: SourceFile, package: Package) -> None:
        """Remember the rows of a file of 1.x that became a column; their table is read afterwards."""
        table, reference, value, column = FOLDED[source.name]
        names = [name.lower() for name in source.header()]
        if reference not in names or value not in names:
            raise PackageUnreadable(
                source.name, reference if reference not in names else value, "the column is missing"
            )
        known = self._ids_of(package, table)
        said = self.folded.setdefault(column, {})
        for line, cells in islice(source.rows(), 1, None):
            row = dict(zip(names, (cell.strip() for cell in cells), strict=False))
            self._fold_row(source.name, line, row.get(reference, ""), row.get(value, ""), known, said)

    def _ids_of(self, package: Package, table: str) -> Callable[[str], bool]:
        ids = IdSet()
        for source in package.files.get(table, []):
            names = [name.lower() for name in source.header()]
            for _line, cells in source.rows() if "id" in names else ():
                ids.add(record_id(self.package, table, _cell_at(cells, names.index("id"))))
        return lambda source_id: bool(source_id) and record_id(self.package, table, source_id) in ids

    def _fold_row(
        self, file: str, line: int, owner: str, said: str, known: Callable[[str], bool], kept: dict[str, list[str]]
    ) -> None:
        owners = [part for part in (owner.split(",") if not known(owner) else [owner]) if known(part)]
        if not said:
            self.problems.add(Severity.NOTE, file, line, "", "", "the row says nothing")
        elif not owners:
            hint = "Give the id of a row of the package."
            self.problems.add(Severity.KEPT_OUT, file, line, "service_id", owner, "names no row of the package", hint)
        elif not known(owner):
            message = "the cell names several rows: kept for each that exists"
            self.problems.add(Severity.MENDED, file, line, "service_id", owner, message, "Write a row for each.")
        for part in owners if said else []:
            values = kept.setdefault(part, [])
            if said not in values:
                values.append(said)


def _cell_at(cells: list[str], position: int) -> str:
    return cells[position].replace("\x00", "").strip() if position < len(cells) else ""


def _names_of(table: str, source: Source) -> list[str]:
    """The columns' 3.1 names; an old name beside the new one is not the new one's."""
    told = [name.lower() for name in source.header()]
    renamed = COLUMNS.get(table, {})
    return [renamed[name] if name in renamed and renamed[name] not in told else name for name in told]


class TableFile:
    """One file being read: its columns, and one row at a time."""

    def __init__(self, reading: Reading, table: str, source: Source, names: list[str]) -> None:
        self.reading, self.table, self.source, self.names = reading, table, source, names
        self.name = source.name
        self.met = reading.met[table]
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

    def check_header(self) -> None:
        present = {column.name for column, at in self.columns if at is not None} | {"id"}
        for name in self.names:
            if name and name not in present and (self.table, name) not in TOLD_ELSEWHERE:
                self.problems.add(Severity.NOTE, self.name, 1, name, "", "the column is not one of HSDS 3.1; not kept")
        for column, at in self.columns:
            if at is None and column.required:
                if (self.table, column.name) not in BLANKS:
                    raise PackageUnreadable(
                        self.name, column.name, "the column is missing and no row can do without it"
                    )
                blank = BLANKS[self.table, column.name]
                self.problems.add(Severity.MENDED, self.name, 1, column.name, "", f"no such column: taken as {blank}")

    def records(self, line: int, cells: list[str]) -> Iterator[Record]:
        """No record, one, or several where one cell names several rows."""
        cells = clean(cells, partial(self._tell, line), spreadsheet=self.source.spreadsheet)
        if not any(cells):
            self.problems.add(Severity.NOTE, self.name, line, "", "", "the row is empty")
            return
        width = len(self.names)
        if any(cells[width:]):
            hint = "Quote cells that hold a comma."
            self.problems.add(Severity.KEPT_OUT, self.name, line, "", "", "cells beyond the last column", hint)
        elif len(cells) < width:
            hint = "Look whether a comma or a quotation mark is missing."
            self.problems.add(
                Severity.NOTE, self.name, line, "", "", "fewer cells than columns: the rest is blank", hint
            )
        cells = cells[:width] + [""] * (width - len(cells))
        for part, variant in enumerate(self._one_per_reference(line, cells)):
            try:
                record = self._record(line, variant, part)
            except RowKeptOut:
                continue
            yield record

    def _tell(self, line: int, at: int, severity: Severity, message: str, hint: str) -> None:
        column = self.names[at] if at < len(self.names) else ""
        self.problems.add(severity, self.name, line, column, "", message, hint)

    def _one_per_reference(self, line: int, cells: list[str]) -> list[list[str]]:
        for column, at in self.references:
            assert at is not None
            value = cells[at]
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

    def _record(self, line: int, cells: list[str], part: int) -> Record:
        source_id = self._source_id(cells, part)
        if len(source_id) > ID_LETTERS_MAX:
            raise self._kept_out(line, "id", "", f"is longer than {ID_LETTERS_MAX} letters", "Give a shorter id.")
        own = record_id(self.reading.package, self.table, source_id)
        if own in self.met:
            message = "the same row again" if not self._own_id(cells) else "another row has this id"
            raise self._kept_out(line, "id", self._own_id(cells), message, "The first one is kept.")
        values: list[object] = [None] * len(self.columns)
        for index, column, at in self.filled:
            cell = cells[at] if at is not None else ""
            values[index] = self._value(line, column, cell, cells) if cell else self._blank(line, column, at)
        if self.table in REQUIRED:
            self._check_whole(line, values)
        if self.table == "phone":
            values = self._with_extension(values)
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
            return "/".join(cells[self.names.index(name)] for name in key if name in self.names)
        told = "\x1f".join(f"{name}={cell}" for name, cell in zip(self.names, cells, strict=False) if cell)
        return f"row:{hashlib.sha256(told.encode()).hexdigest()[:20]}"

    def _value(self, line: int, column: Column, cell: str, cells: list[str]) -> object:
        if column.reference:
            found = self._resolve(column, cell, cells)
            if found is None:
                self._unusable(line, column, cell, "names no row that is kept", "Give the id of a row of the package.")
            return found
        if len(cell) > LETTERS_MAX.get(column.name, CELL_LETTERS_MAX):
            message = f"is longer than {LETTERS_MAX[column.name]} letters"
            self._unusable(line, column, "", message, "Close the quotation mark before it, or shorten the text.")
            return None
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
            entity = cells[self.names.index(named_by)] if named_by in self.names else ""
            table = TABLE_NAMES.get(entity.lower(), entity)
        return self.reading.resolve(table, cell, within=self.table)

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

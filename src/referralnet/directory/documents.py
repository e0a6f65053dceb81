"""JSON documents of HSDS 3.1 (organization_full, service_full, pages of the API) taken apart into rows of its tables.

The rows wait in a private SQLite file that is gone with the import, so that a package larger than memory can be read.
The same record may stand in many documents, here with more of its fields and there with fewer: it becomes one row.
"""

from __future__ import annotations

import hashlib
import io
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePath

from referralnet.directory.columns import columns_of
from referralnet.directory.formats import FILES, LINKS, NESTED_LISTS, NESTED_ONE, TABLE_NAMES, TOLD_BY_KEYS
from referralnet.directory.json_stream import objects
from referralnet.directory.packages import Package, encoding_of
from referralnet.directory.problems import Problems, Severity

_TABLE_OF_FILE = {file: table for table, files in FILES.items() for file in files}
_DEPTH_MAX = 12
_LEAVE_OUT = "Give it its HSDS name, or leave it out."


@dataclass(slots=True)
class DocumentRows:
    """The rows of one table that a JSON file held, as an import reads them."""

    name: str
    table: str
    shelf: Shelf
    names: dict[str, None] = field(default_factory=lambda: {"id": None})
    spreadsheet: bool = False

    def header(self) -> list[str]:
        return list(self.names)

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        yield 1, self.header()
        for line, cells in self.shelf.rows(self.name, self.table):
            yield line, [cells.get(name, "") for name in self.names]


class Shelf:
    """Rows on disk, by file, table and id; what a second one of the same id says beside the first is added."""

    def __init__(self) -> None:
        self._rows = sqlite3.connect("")  # SQLite's name for a private file that is deleted when it is closed
        self._rows.execute("create table row (file, of_table, id, line, cells, primary key (file, of_table, id))")

    def put(self, file: str, table: str, line: int, cells: dict[str, str]) -> None:
        key = (file, table, cells["id"])
        found = self._rows.execute("select cells from row where (file, of_table, id) = (?, ?, ?)", key).fetchone()
        if found is None:
            self._rows.execute("insert into row values (?, ?, ?, ?, ?)", (*key, line, json.dumps(cells)))
        else:
            both = cells | {name: cell for name, cell in json.loads(found[0]).items() if cell}
            statement = "update row set cells = ? where (file, of_table, id) = (?, ?, ?)"
            self._rows.execute(statement, (json.dumps(both), *key))

    def rows(self, file: str, table: str) -> Iterator[tuple[int, dict[str, str]]]:
        statement = "select line, cells from row where (file, of_table) = (?, ?) order by rowid"
        for line, cells in self._rows.execute(statement, (file, table)):
            yield line, json.loads(cells)

    def close(self) -> None:
        self._rows.close()


def unpack_documents(package: Package, problems: Problems) -> Shelf:
    """Add the rows of the package's JSON files to its tables; the caller closes what this returns, when all is read.

    Raises:
        PackageUnreadable: a file is not JSON.
    """
    shelf = Shelf()
    try:
        for document in package.documents:
            unpacking = _Unpacking(document.name, shelf, problems)
            with document.opened() as raw:
                encoding = encoding_of(raw.read(64))
            with document.opened() as raw, io.TextIOWrapper(raw, encoding=encoding) as text:
                for line, key, value in objects(document.name, text):
                    unpacking.add(line, key, value)
            for table, rows in unpacking.tables.items():
                package.files.setdefault(table, []).append(rows)
    except BaseException:
        shelf.close()
        raise
    return shelf


class _Unpacking:
    """One JSON file being taken apart."""

    def __init__(self, name: str, shelf: Shelf, problems: Problems) -> None:
        self.name, self.shelf, self.problems = name, shelf, problems
        self.tables: dict[str, DocumentRows] = {}
        stem = PurePath(name).stem
        self.told_by_name = TABLE_NAMES.get(stem.removesuffix("_list").removesuffix("_full"))

    def add(self, line: int, key: str, value: object) -> None:
        """A document, or under the name of a table's file one of its rows."""
        if not isinstance(value, dict):
            hint = "Write an object of HSDS, e.g. a service."
            self.problems.add(Severity.KEPT_OUT, self.name, line, "", "", "is no object", hint)
        elif key:
            self._row(line, _TABLE_OF_FILE.get(key, key), value, {}, 0)
        else:
            self._row(line, self.told_by_name or _table_by_keys(value), value, {}, 0)

    def _row(self, line: int, table: str, value: dict[str, object], of_parent: dict[str, str], depth: int) -> str:
        """Put the object and all it holds on the shelf; its id."""
        cells = dict(of_parent)
        nested: list[tuple[str, object]] = []
        for key, said in value.items():
            if isinstance(said, (dict, list)):
                nested.append((key, said))
            elif (cell := _cell(said)) or key not in cells:
                cells[key] = cell
        if not cells.get("id"):
            told = json.dumps([table, cells, value], sort_keys=True, default=str)
            cells["id"] = f"json:{hashlib.sha256(told.encode(errors='replace')).hexdigest()[:20]}"
        for key, said in nested:
            self._one(line, table, key, said, cells, depth)
        rows = self.tables.setdefault(table, DocumentRows(self.name, table, self.shelf))
        rows.names.update(dict.fromkeys(cells))
        self.shelf.put(self.name, table, line, cells)
        for key, said in nested:
            self._list(line, table, key, said, cells, depth)
        return cells["id"]

    def _one(self, line: int, table: str, key: str, said: object, cells: dict[str, str], depth: int) -> None:
        """What the object names: its row comes first, and its id becomes a cell of the object's own."""
        known = {column.name for column in columns_of(table)}
        if isinstance(said, dict) and key in NESTED_ONE and NESTED_ONE[key][1] in known and depth < _DEPTH_MAX:
            child, column = NESTED_ONE[key]
            given = {"organization_id": cells.get("organization_id", "")} if child == "program" else {}
            if cells.get(column):
                given["id"] = cells[column]
            cells[column] = self._row(line, child, said, given, depth + 1)

    def _list(self, line: int, table: str, key: str, said: object, cells: dict[str, str], depth: int) -> None:
        """What names the object: a row each, with the object's id."""
        child = NESTED_LISTS.get(key)
        if child is None or not isinstance(said, list) or depth >= _DEPTH_MAX:
            if not (key in NESTED_ONE and isinstance(said, dict)):
                self.problems.add(
                    Severity.NOTE, self.name, line, key, "", "is no part of HSDS 3.1; not kept", _LEAVE_OUT
                )
            return
        given = _parent(table, child, cells["id"])
        for member in said:
            if isinstance(member, dict):
                self._row(line, child, member, given, depth + 1)
            else:
                hint = "Write an object of HSDS, e.g. a phone."
                self.problems.add(Severity.KEPT_OUT, self.name, line, key, "", "is no object", hint)


def _parent(table: str, child: str, identity: str) -> dict[str, str]:
    """How a row of `child` says that it belongs to a row of `table`."""
    for (linked, column), named_by in LINKS.items():
        if linked == child:
            return {column: identity, named_by: table}
    column = f"{table}_id"
    return {column: identity} if column in {known.name for known in columns_of(child)} else {}


def _table_by_keys(value: dict[str, object]) -> str:
    for table, keys in TOLD_BY_KEYS.items():
        if any(key in value for key in keys):
            return table
    return "organization"


def _cell(said: object) -> str:
    if said is None:
        return ""
    text = said if isinstance(said, str) else str(said).lower()
    # Half a surrogate pair, which JSON can write and no database can hold, becomes the mark of a lost letter.
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").strip()

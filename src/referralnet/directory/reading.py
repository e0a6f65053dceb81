"""What of a package has been read so far, and every row of its files that can be kept as a record (D6)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from uuid import UUID

from referralnet.directory.columns import columns_of, ids_of, record_id
from referralnet.directory.fingerprints import IdSet
from referralnet.directory.formats import FOLDED
from referralnet.directory.packages import Package, Source, SourceFile
from referralnet.directory.problems import PackageUnreadable, Problems, Severity
from referralnet.directory.table_file import Record, TableFile, names_of
from referralnet.directory.values import UnreadableValue


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
    resolvers: dict[tuple[str, str], Callable[[str], UUID]] = field(default_factory=dict)
    folded: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    """Column of 3.1 -> source id of the row -> what older files said about it."""

    def records(self, table: str, source: Source) -> Iterator[Record]:
        """Every row of the file that can be kept, streamed.

        Raises:
            PackageUnreadable: a column without which no row means anything is missing, or the file is not CSV.
        """
        names = names_of(table, source)
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

    def resolver(self, table: str, *, within: str) -> Callable[[str], UUID]:
        """Finds the row of `table` that a row of `within` names; where no such row is kept, UnreadableValue.

        What was found is remembered: when a row names one of another table, that table has been read.
        """
        if (table, within) not in self.resolvers:
            self.resolvers[table, within] = self._resolver(table, within)
        return self.resolvers[table, within]

    def _resolver(self, table: str, within: str) -> Callable[[str], UUID]:
        known, made = (self.ahead if table == within else self.met)[table], ids_of(self.package, table)

        @lru_cache(maxsize=2_048)
        def resolve(source_id: str) -> UUID:
            found = made(source_id)
            if found in known:
                return found
            if table == "taxonomy_term" and source_id in self.shared_terms:
                return self.shared_terms[source_id]
            raise UnreadableValue("names no row that is kept", "Give the id of a row of the package.")

        return resolve

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
            self.problems.add(Severity.NOTE, file, line, "", "", "the row says nothing", "Take the row out.")
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

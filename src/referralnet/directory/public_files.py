"""The public projection as files, table by table: the SQL of each HSDS table's rows, flat, under ids that last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Date, DateTime, Double, Integer, Numeric

from referralnet.directory.columns import ANY_TABLE, columns_of, table_of
from referralnet.directory.formats import FILES, LINKS
from referralnet.directory.formulas import GUARDED, PLAIN
from referralnet.directory.public_shapes import ONLY, PUBLIC_TABLES, value_sql

# Terms that a package uses without bringing them, with what stands above them, so that the export stands by itself.
_USED_TERMS = """(with recursive used as (
        select a.taxonomy_term_id as id from published.attribute a where a.package = {package}
        union
        select above.parent_id from used join published.taxonomy_term above on above.id = used.id
    ) select used.id from used)"""
_SCOPES = {
    "taxonomy_term": f"(t.package = {{package}} or t.id in {_USED_TERMS})",
    "taxonomy": "(t.package = {package} or t.id in (select term.taxonomy_id from published.taxonomy_term term "  # noqa: S608
    f"where term.id in {_USED_TERMS}))",
    # A unit may be one that another package counts in.
    "unit": "(t.package = {package} or t.id in (select c.unit_id from published.service_capacity c "
    "where c.package = {package}))",
}


@dataclass(frozen=True, slots=True)
class FileRows:
    """How the rows of one table are read. Of `package` alone, they keep the ids they came by; otherwise ours.

    `package` and `now` are quoted literals: COPY takes no parameters.
    """

    table: str
    package: str | None
    now: str

    @property
    def name(self) -> str:
        return FILES[self.table][0]

    @property
    def columns(self) -> tuple[str, ...]:
        return ("id", *(column.name for column in columns_of(self.table)))

    def csv(self) -> str:
        """The rows as columns of text, formulas guarded."""
        return self._select(", ".join(f"{self._value(name, json=False)} as {name}" for name in self.columns))

    def json(self) -> str:
        """The rows as one JSON object each."""
        pairs = ", ".join(f"'{name}', {self._value(name, json=True)}" for name in self.columns)
        return self._select(f"json_strip_nulls(json_build_object({pairs}))::text")

    def count(self) -> str:
        return f"select count(*) {self._rows()}"

    def left_out(self) -> str:
        """How many rows there are that are not among these."""
        scope = "" if self.package is None else f" where t.package = {self.package}"
        every = f"(select count(*) from {self.table} t{scope}{' and' if scope else ' where'} t.gone_at is null)"  # noqa: S608
        return f"select {every} - (select count(*) {self._rows(used=False)})"

    def _select(self, told: str) -> str:
        order = "t.id" if self.package is None else 't.source_id collate "C", t.id'
        return f"select {told} {self._rows()} order by {order}"

    def _rows(self, *, used: bool = True) -> str:
        """Those of the package, and where `used`, those of others that it uses."""
        where = ["true"]
        if self.package is not None:
            own = "t.package = {package}"
            where.append((_SCOPES.get(self.table, own) if used else own).format(package=self.package))
        if self.table in ONLY:
            where.append(ONLY[self.table].replace(":now", self.now))
        return f"from published.{self.table} t where {' and '.join(where)}"

    def _value(self, name: str, *, json: bool) -> str:
        if name == "id":
            return "t.id" if self.package is None else "t.source_id"
        reference = next(column.reference for column in columns_of(self.table) if column.name == name)
        if reference:
            return f"t.{name}" if self.package is None else self._own_id(name, reference)
        told = value_sql(self.table, name, "t", json=json)
        if json or _kind(self.table, name)["type"] != "string":
            return told
        return (
            f"case when {told} ~ {_quoted(GUARDED)} and {told} !~ {_quoted(PLAIN)} then '''' || {told} else {told} end"
        )

    def _own_id(self, name: str, reference: str) -> str:
        """The id that the named row came by."""
        if reference != ANY_TABLE:
            return _source_id(reference, name)
        entity = f"lower(t.{LINKS[self.table, name]})"
        cases = " ".join(
            f"when {entity} in ({', '.join(map(_quoted, _spellings(table)))}) then {_source_id(table, name)}"
            for table in PUBLIC_TABLES
        )
        return f"case {cases} end"


def described(table: str) -> dict[str, Any]:
    """The table as a resource of a Tabular Data Package."""
    own = columns_of(table)
    references = [column for column in own if column.reference and column.reference != ANY_TABLE]
    return {
        "name": table,
        "path": FILES[table][0],
        "profile": "tabular-data-resource",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "schema": {
            "fields": [{"name": "id", "type": "string", "constraints": {"required": True, "unique": True}}]
            + [{"name": column.name, **_kind(table, column.name)} for column in own],
            "primaryKey": "id",
            "foreignKeys": [
                {"fields": column.name, "reference": {"resource": column.reference, "fields": "id"}}
                for column in references
            ],
        },
    }


def _kind(table: str, name: str) -> dict[str, str]:
    kind = table_of(table).columns[name].type
    if isinstance(kind, DateTime):
        return {"type": "datetime", "format": "any"}
    if isinstance(kind, Date):
        return {"type": "date"}
    return {"type": "number" if isinstance(kind, (Numeric, Double, Integer)) else "string"}


def _source_id(table: str, column: str) -> str:
    return f"(select named.source_id from {table} named where named.id = t.{column})"  # noqa: S608 (our own names)


def _spellings(table: str) -> list[str]:
    return sorted({table, f"{table}s", FILES[table][0].removesuffix(".csv")})


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def literal(value: str) -> str:
    """A text as a literal of SQL, whatever the server's settings say of backslashes."""
    return "E" + _quoted(value.replace("\\", "\\\\"))

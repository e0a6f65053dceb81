"""What an import changed of rows that were there before, as HSDS metadata: the field, what it said and what it says.

Of what hangs on a hidden place the row says that a field changed, and neither what it said nor what it says (D1).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.directory.columns import OWN_COLUMNS, record_id
from referralnet.directory.custody import refresh_custody_of
from referralnet.directory.formats import FILES, LINKS

HISTORY_ROWS_MAX = 10_000
"""Of one import: a package whose every row changed would double the directory with each of its imports."""
VALUE_LETTERS_MAX = 2_000
HISTORY = "history:"
"""What the source ids of these rows begin with; no import marks them as gone."""

_FIELDS = """
    select c.table_name, c.row_id, field, c.before ->> field as previous, to_jsonb(t) ->> field as replacement
      from directory_change c join {table} t on t.id = c.row_id
     cross join lateral jsonb_object_keys(c.before) field
     where c.import_id = :import_id and c.table_name = :table and c.before is not null
       and field <> all (:own) and c.before -> field is distinct from to_jsonb(t) -> field
     limit :rows
"""
_COMINGS = """
    select c.table_name, c.row_id, 'id', case when t.gone_at is not null then t.source_id end,
           case when t.gone_at is null then t.source_id end
      from directory_change c join {table} t on t.id = c.row_id
     where c.import_id = :import_id and c.table_name = :table and c.before is not null
       and (c.before ->> 'gone_at' is null) <> (t.gone_at is null)
     limit :rows
"""
_WRITE = """
    insert into metadata (id, package, source_id, resource_id, resource_type, last_action_date, last_action_type,
                          field_name, previous_value, replacement_value, updated_by)
    values (:id, :package, :source_id, :resource_id, :resource_type, :date, :type, :field, :previous, :replacement, :by)
"""
_HIDE_VALUES = """
    update metadata set previous_value = null, replacement_value = null
     where source_id like :mine and confidential and field_name <> 'id'
"""


@dataclass(frozen=True, slots=True)
class Written:
    """How many rows of history an import wrote, and whether there were more than it may."""

    rows: int
    bounded: bool


async def write_history(session: AsyncSession, package: str, import_id: UUID, *, now: dt.datetime) -> Written:
    """Write what the import changed, from what it remembered; call it once custody is as the import leaves it."""
    rows: list[dict[str, object]] = []
    for table in (name for name in FILES if name not in {hanging for hanging, _ in LINKS}):
        for kind, statement in (("update", _FIELDS), ("", _COMINGS)):
            room = HISTORY_ROWS_MAX + 1 - len(rows)
            values = {"import_id": import_id, "table": table, "rows": room}
            if kind:
                values |= {"own": sorted(OWN_COLUMNS)}
            for found in await session.execute(text(statement.format(table=table)), values):
                rows.append(_row(package, import_id, len(rows), kind, tuple(found), now))
    written = rows[:HISTORY_ROWS_MAX]
    if written:
        await session.execute(text(_WRITE), written)
        await refresh_custody_of(session, package, "metadata")
        await session.execute(text(_HIDE_VALUES), {"mine": f"{HISTORY}{import_id}:%"})
    return Written(len(written), len(rows) > HISTORY_ROWS_MAX)


def _row(
    package: str, import_id: UUID, at: int, kind: str, found: tuple[object, ...], now: dt.datetime
) -> dict[str, object]:
    table, resource, field, previous, replacement = found
    source_id = f"{HISTORY}{import_id}:{at}"
    return {
        "id": record_id(package, "metadata", source_id),
        "package": package,
        "source_id": source_id,
        "resource_id": resource,
        "resource_type": table,
        "date": now.date(),
        "type": kind or ("create" if previous is None else "delete"),
        "field": field,
        "previous": _cut(previous),
        "replacement": _cut(replacement),
        "by": f"import of {package}",
    }


def _cut(value: object) -> str | None:
    return None if value is None else str(value)[:VALUE_LETTERS_MAX]


async def drop_history(session: AsyncSession, import_id: UUID) -> None:
    """Take away what was written for an import that is taken back."""
    await session.execute(text("delete from metadata where source_id like :mine"), {"mine": f"{HISTORY}{import_id}:%"})

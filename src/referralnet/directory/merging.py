"""Bring streamed records into a table with COPY and one statement, telling what was new, changed, the same and gone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.directory.columns import columns_of

ROWS_PER_COPY = 5_000
# Between imports these are counted by the agency itself: an older count in a package does not undo a newer one here.
COUNTED = {"available", "updated"}


@dataclass(frozen=True, slots=True)
class Counts:
    """What an import did to one table."""

    read: int = 0
    inserted: int = 0
    updated: int = 0
    gone: int = 0

    @property
    def unchanged(self) -> int:
        return self.read - self.inserted - self.updated

    @property
    def changed(self) -> bool:
        return bool(self.inserted or self.updated or self.gone)


async def merge(
    session: AsyncSession,
    table: str,
    package: str,
    records: Iterable[tuple[object, ...]],
    *,
    now: dt.datetime,
    progress: Callable[[str, int], None],
) -> Counts:
    """Make the package's rows of `table` those of `records`; rows it no longer has are marked gone, not deleted.

    A record is (id, package, source_id, then `columns_of(table)`). They are streamed: at most 5,000 are held at
    once, and `progress` is told of each such batch.
    """
    names = ["id", "package", "source_id", *(column.name for column in columns_of(table))]
    await session.execute(text(_STAGED.format(columns=", ".join(names), table=table)))
    driver = await _driver(session)
    read = 0
    stream = iter(records)
    while batch := list(islice(stream, ROWS_PER_COPY)):
        await driver.copy_records_to_table("staged", records=batch, columns=names, schema_name="pg_temp")
        read += len(batch)
        progress(table, len(batch))
    # Fresh rows are unknown to the planner, which would then compare each with each.
    await session.execute(text("analyze pg_temp.staged"))
    inserted, updated = 0, 0
    if read:
        inserted, updated = (await session.execute(text(_upsert(table, names)))).one()
    if inserted + updated > ROWS_PER_COPY:
        await session.execute(text(f"analyze {table}"))
    gone = await session.execute(text(_GONE.format(table=table)), {"package": package, "now": now})
    await session.execute(text("drop table pg_temp.staged"))
    return Counts(read, inserted, updated, len(gone.all()))


_STAGED = "create temp table staged on commit drop as select {columns} from {table} with no data"
_GONE = """
    update {table} set gone_at = :now
     where package = :package and gone_at is null
       and not exists (select from pg_temp.staged where staged.id = {table}.id)
    returning id
"""


async def _driver(session: AsyncSession) -> Any:
    raw = await (await session.connection()).get_raw_connection()
    return raw.driver_connection


def _upsert(table: str, names: list[str]) -> str:
    changing = names[3:]
    fresh = [
        f"case when excluded.updated > {table}.updated then excluded.{name} else {table}.{name} end"
        if table == "service_capacity" and name in COUNTED
        else f"excluded.{name}"
        for name in changing
    ]
    stored = ", ".join(f"{table}.{name}" for name in changing)
    assignments = ", ".join(f"{name} = {value}" for name, value in zip(changing, fresh, strict=True))
    return f"""
        with merged as (
            insert into {table} ({", ".join(names)}) select {", ".join(names)} from pg_temp.staged
            on conflict (id) do update set {assignments}, gone_at = null
             where ({stored}, {table}.gone_at) is distinct from ({", ".join(fresh)}, null::timestamptz)
            returning (xmax = 0) as fresh
        )
        select count(*) filter (where fresh), count(*) filter (where not fresh) from merged
    """  # noqa: S608 (names of our own tables and columns)

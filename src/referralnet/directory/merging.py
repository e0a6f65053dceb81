"""Bring streamed records into a table with COPY and one statement, telling what was new, changed, the same and gone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.directory.changes import GONE_BEFORE, NEW, UPDATED_BEFORE, digest_changes
from referralnet.directory.columns import columns_of
from referralnet.directory.kept import keep_own_words

ROWS_PER_COPY = 5_000
ROWS_TO_ANALYZE = 500
"""New rows of a table beyond which the planner must hear of them before they are joined."""
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


@dataclass(frozen=True, slots=True)
class Merging:
    """One import at work on one package. `remember`: keep what rows were before (not for a package's first import)."""

    session: AsyncSession
    import_id: UUID
    package: str
    now: dt.datetime
    remember: bool
    progress: Callable[[str, int], None]

    async def merge(self, table: str, records: Iterable[tuple[object, ...]]) -> Counts:
        """Make the package's rows of `table` those of `records`; rows it no longer has are marked gone, not deleted.

        A record is (id, package, source_id, then `columns_of(table)`). They are streamed: at most 5,000 are held at
        once, and `progress` is told of each such batch.
        """
        names = ["id", "package", "source_id", *(column.name for column in columns_of(table))]
        # A transaction of the caller's own may import two packages.
        await self.session.execute(text(_STAGED.format(columns=", ".join(names), table=table)))
        read = await self._stage(table, names, records)
        # Fresh rows are unknown to the planner, which would then compare each with each.
        await self.session.execute(text("create index on pg_temp.staged (id)"))
        await self.session.execute(text("analyze pg_temp.staged"))
        await keep_own_words(self.session, table, self.package, names, now=self.now)
        inserted, updated = await self._upsert(table, names) if read else (0, 0)
        if inserted + updated > ROWS_TO_ANALYZE:
            await self.session.execute(text(f"analyze {table}"))
        # Of a package's first import nothing can be gone.
        gone = await self._mark_gone(table) if self.remember else 0
        await self.session.execute(text("drop table pg_temp.staged"))
        if self.remember and (inserted or updated or gone):
            await digest_changes(self.session, self.import_id, table)
        return Counts(read, inserted, updated, gone)

    async def _stage(self, table: str, names: list[str], records: Iterable[tuple[object, ...]]) -> int:
        driver = await _driver(self.session)
        read, stream = 0, iter(records)
        while batch := list(islice(stream, ROWS_PER_COPY)):
            await driver.copy_records_to_table("staged", records=batch, columns=names, schema_name="pg_temp")
            read += len(batch)
            self.progress(table, len(batch))
        return read

    async def _upsert(self, table: str, names: list[str]) -> tuple[int, int]:
        """Rows inserted and updated."""
        await self._drop_lost_parents(table)
        changed = _Changed(table, names)
        values = {"import_id": self.import_id, "table": table}
        if self.remember:
            await self.session.execute(text(UPDATED_BEFORE.format(table=table, changed=changed.condition("s"))), values)
        statement = changed.upsert(noted=NEW if self.remember else "")
        found = await self.session.execute(text(statement), values if self.remember else {})
        inserted, updated = found.one()
        return inserted, updated

    async def _drop_lost_parents(self, table: str) -> None:
        """A row may name one of its own table that stood below it and was then kept out: it names none instead."""
        for column in columns_of(table):
            if column.reference == table:
                await self.session.execute(text(_LOST_PARENT.format(table=table, column=column.name)))

    async def _mark_gone(self, table: str) -> int:
        gone, values = _IS_GONE.format(table=table), {"package": self.package}
        remembered = values | {"import_id": self.import_id, "table": table}
        await self.session.execute(text(GONE_BEFORE.format(table=table, gone=gone)), remembered)
        statement = f"update {table} t set gone_at = :now where {gone}"  # noqa: S608 (our own names)
        done = await self.session.execute(text(statement), values | {"now": self.now})
        return int(done.rowcount)  # type: ignore[attr-defined]


_STAGED = "create temp table staged on commit drop as select {columns} from {table} with no data"
# What ReferralNet itself wrote into the history of a package is in no package.
_IS_GONE = """t.package = :package and t.gone_at is null and t.source_id not like 'history:%'
       and not exists (select from pg_temp.staged where staged.id = t.id)"""
_LOST_PARENT = """
    update pg_temp.staged set {column} = null
     where {column} is not null
       and not exists (select from pg_temp.staged other where other.id = staged.{column})
       and not exists (select from {table} stored where stored.id = staged.{column}
                          and stored.package <> staged.package)
"""


async def _driver(session: AsyncSession) -> Any:
    raw = await (await session.connection()).get_raw_connection()
    return raw.driver_connection


@dataclass(frozen=True, slots=True)
class _Changed:
    """The SQL by which staged rows become rows of a table; `names` are its columns, the first three always the same."""

    table: str
    names: list[str]

    def _fresh(self, staged: str, stored: str) -> list[str]:
        return [
            f"case when {staged}.updated > {stored}.updated then {staged}.{name} else {stored}.{name} end"
            if self.table == "service_capacity" and name in COUNTED
            else f"{staged}.{name}"
            for name in self.names[3:]
        ]

    def condition(self, staged: str, stored: str = "t") -> str:
        """Whether a staged row differs from the stored one, or that one was gone."""
        held = ", ".join(f"{stored}.{name}" for name in self.names[3:])
        return (
            f"({held}, {stored}.gone_at) is distinct from ({', '.join(self._fresh(staged, stored))}, null::timestamptz)"
        )

    def upsert(self, *, noted: str) -> str:
        columns = ", ".join(self.names)
        fresh = zip(self.names[3:], self._fresh("excluded", "t"), strict=True)
        assignments = ", ".join(f"{name} = {value}" for name, value in fresh)
        return f"""
            with merged as (
                insert into {self.table} as t ({columns}) select {columns} from pg_temp.staged
                on conflict (id) do update set {assignments}, gone_at = null where {self.condition("excluded")}
                returning id, (xmax = 0) as fresh
            ){noted}
            select count(*) filter (where fresh), count(*) filter (where not fresh) from merged
        """  # noqa: S608 (names of our own tables and columns)

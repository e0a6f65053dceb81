"""Bring streamed records into a table with COPY and one statement, telling what was new, changed, the same and gone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Result, text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.directory.changes import GONE_BEFORE, NEW, UPDATED_BEFORE, digest_changes
from referralnet.directory.columns import columns_of
from referralnet.directory.kept import keep_own_words

ROWS_TO_TELL = 5_000
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

        A record is (id, package, source_id, then `columns_of(table)`). They are streamed, and `progress` is told of
        every 5,000.
        """
        names = ["id", "package", "source_id", *(column.name for column in columns_of(table))]
        await self._do(_STAGED.format(columns=", ".join(names), table=table))
        read = await self._stage(table, names, records)
        # Fresh rows are unknown to the planner, which would then compare each with each.
        await self._do("analyze pg_temp.staged (id)")
        await keep_own_words(self.session, table, self.package, names, now=self.now)
        await self._drop_lost_parents(table)
        inserted, updated = await self._upsert(table, names) if read else (0, 0)
        if inserted + updated > ROWS_TO_ANALYZE:
            await self._do(f"analyze {table}")
        # Of a package's first import nothing can be gone.
        gone = await self._mark_gone(table) if self.remember else 0
        await self._do("drop table pg_temp.staged")
        if self.remember and (inserted or updated or gone):
            await digest_changes(self.session, self.import_id, table)
        return Counts(read, inserted, updated, gone)

    async def _stage(self, table: str, names: list[str], records: Iterable[tuple[object, ...]]) -> int:
        """In one COPY, so that PostgreSQL puts rows away while the next ones are read."""
        driver = await _driver(self.session)
        told = self._told(table, records)
        done = await driver.copy_records_to_table("staged", records=told, columns=names, schema_name="pg_temp")
        return int(done.removeprefix("COPY "))

    def _told(self, table: str, records: Iterable[tuple[object, ...]]) -> Iterator[tuple[object, ...]]:
        untold = 0
        for record in records:
            yield record
            untold += 1
            if untold == ROWS_TO_TELL:
                self.progress(table, untold)
                untold = 0
        if untold:
            self.progress(table, untold)

    async def _upsert(self, table: str, names: list[str]) -> tuple[int, int]:
        """Rows inserted and updated. A row that is as it was is neither written nor locked."""
        fresh = _Fresh(table, names)
        values = {"import_id": self.import_id, "table": table}
        await self._do(fresh.differing())
        inserted, updated = (await self._do(_HOW_MANY)).one()
        if inserted and self.remember:
            await self._do(NEW, values)
        if updated and self.remember:
            await self._do(UPDATED_BEFORE.format(table=table), values)
        if inserted:
            await self._do(fresh.insert())
        if updated:
            await self._do(fresh.update())
        await self._do("drop table pg_temp.differing")
        return inserted, updated

    async def _do(self, statement: str, values: dict[str, object] | None = None) -> Result[*tuple[Any, ...]]:
        return await self.session.execute(text(statement), values)

    async def _drop_lost_parents(self, table: str) -> None:
        """A row may name one of its own table that stood below it and was then kept out: it names none instead."""
        for column in columns_of(table):
            if column.reference == table:
                await self._do(_LOST_PARENT.format(table=table, column=column.name))

    async def _mark_gone(self, table: str) -> int:
        gone, values = _IS_GONE.format(table=table), {"package": self.package}
        remembered = values | {"import_id": self.import_id, "table": table}
        await self._do(GONE_BEFORE.format(table=table, gone=gone), remembered)
        statement = f"update {table} t set gone_at = :now where {gone}"  # noqa: S608 (our own names)
        done = await self._do(statement, values | {"now": self.now})
        return int(done.rowcount)  # type: ignore[attr-defined]


_HOW_MANY = "select count(*) filter (where fresh), count(*) filter (where not fresh) from pg_temp.differing"
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
class _Fresh:
    """The SQL by which staged rows become rows of a table; `names` are its columns, the first three always the same."""

    table: str
    names: list[str]

    def _values(self) -> list[str]:
        """What each column but the first three is to hold, of `staged` beside the stored row `t`."""
        return [
            f"case when staged.updated > t.updated then staged.{name} else t.{name} end"
            if self.table == "service_capacity" and name in COUNTED
            else f"staged.{name}"
            for name in self.names[3:]
        ]

    def differing(self) -> str:
        """The ids of staged rows that are new (`fresh`), or whose row holds something else or was gone."""
        held = ", ".join(f"t.{name}" for name in self.names[3:])
        return f"""
            create temp table differing on commit drop as
            select staged.id, t.id is null as fresh from pg_temp.staged left join {self.table} t on t.id = staged.id
             where t.id is null
                or ({held}, t.gone_at) is distinct from ({", ".join(self._values())}, null::timestamptz)
        """  # noqa: S608 (names of our own tables and columns)

    def insert(self) -> str:
        columns = ", ".join(self.names)
        return f"""
            insert into {self.table} ({columns})
            select {columns} from pg_temp.staged where id in (select id from pg_temp.differing where fresh)
        """  # noqa: S608 (names of our own tables and columns)

    def update(self) -> str:
        assignments = ", ".join(f"{name} = {value}" for name, value in zip(self.names[3:], self._values(), strict=True))
        return f"""
            update {self.table} t set {assignments}, gone_at = null from pg_temp.staged
             where staged.id = t.id and t.id in (select id from pg_temp.differing where not fresh)
        """  # noqa: S608 (names of our own tables and columns)

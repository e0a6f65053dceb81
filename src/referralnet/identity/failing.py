"""Rows that a job fails on: each comes again after a growing pause, for as long as it takes, and people learn of it.

What fails on one row is a mistake of the program's, or of what stands in the row. The other rows are other people's,
so the job goes on with them. Nothing is given up: once the cause is mended, the row is handled as if it had come late.
Until then whoever runs the network sees which job fails, and a custodian which of its own is left undone. The row may
be hers, so that alarm and log call it by a reference of its own: `referralnet failing` says on the host which it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.database.acting import Actor, AgencyKind, Custodian, Dispatcher
from referralnet.database.transactions import Database
from referralnet.identity.agencies import list_agencies
from referralnet.identity.tables import FailingRow
from referralnet.identity.tasks import LEFT_UNDONE, ROW_FAILING, open_task, settle_tasks

FIRST_PAUSE = timedelta(seconds=1)
PAUSE_MAX = timedelta(minutes=10)
FAILURES_UNTIL_TOLD = 7
"""By then about a minute has gone by."""
ALARMS_MAX = 50
"""Of one network at a time: one mistake may fail on every row. The next is told of when one of these is over."""
_OVER_AFTER = timedelta(minutes=1)
_log = structlog.get_logger("referralnet.jobs")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a job's, and whom its task is about. No agency: nobody but who runs the network can do anything."""

    job: str
    id: UUID
    agency_id: UUID | None
    subject_kind: str
    subject_id: UUID

    @property
    def custody(self) -> Actor:
        """In whose context it is noted."""
        return Dispatcher() if self.agency_id is None else Custodian(self.agency_id)


class RowsFailed(Exception):
    """What a job raises where one row of its is left undone for several: the cause is the exception's `__cause__`."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = tuple(rows)
        super().__init__("left undone")


class Failure(NamedTuple):
    """How often a row has failed, and when it comes again."""

    failures: int
    come_again_at: datetime
    reference: UUID


async def failing_rows(session: AsyncSession, job: str) -> dict[UUID, datetime]:
    """When each row that a job has failed on comes again."""
    columns = select(FailingRow.row_id, func.max(FailingRow.come_again_at)).where(FailingRow.job == job)
    found = await session.execute(columns.group_by(FailingRow.row_id))
    return {row.row_id: row[1] for row in found}


_NOTE = text("""
    insert into failing_row as failing (job, row_id, agency_id, subject_kind, subject_id, since, failures,
      come_again_at, error)
    values (:job, :row_id, :agency_id, :subject_kind, :subject_id, :now, 1,
      cast(:now as timestamptz) + cast(:first as interval), :error)
    on conflict (job, row_id, subject_id) do update set failures = failing.failures + 1, error = excluded.error,
      come_again_at = excluded.since + least(cast(:longest as interval),
        cast(:first as interval) * (2 ^ least(failing.failures, 20)))
    returning failures, come_again_at, reference
""")


async def note_failure(session: AsyncSession, row: Row, error: BaseException, *, now: datetime) -> Failure:
    """Count one more failure of a row, in its custody; after some of them a coordinator learns what is left undone."""
    values = {
        "job": row.job, "row_id": row.id, "agency_id": row.agency_id, "subject_kind": row.subject_kind,
        "subject_id": row.subject_id, "now": now, "first": FIRST_PAUSE, "longest": PAUSE_MAX,
        "error": type(error).__name__,
    }  # fmt: skip
    noted = (await session.execute(_NOTE, values)).one()
    if noted.failures == FAILURES_UNTIL_TOLD and row.agency_id is not None:
        await open_task(
            session,
            agency_id=row.agency_id,
            kind=LEFT_UNDONE,
            subject_kind=row.subject_kind,
            subject_id=row.subject_id,
            now=now,
            detail={"reason": row.job},
        )
    _log.error("row_failed", job=row.job, reference=str(noted.reference), attempt=noted.failures, exc_info=error)
    return Failure(*noted)


# A row that fails in several custodies is one alarm, by the reference it was told by, or the first of them.
_UNTOLD = text("""
    select failing.job, failing.row_id, known.reference
    from (select job, row_id, min(since) as since from failing_row
        where failures >= :enough and told_at is null group by job, row_id) failing
      cross join lateral (select reference from failing_row same
        where same.job = failing.job and same.row_id = failing.row_id
        order by told_at nulls last, since, reference limit 1) known
    order by failing.since limit :first
""")


async def raise_alarms(database: Database, *, now: datetime) -> int:
    """Tell whoever runs the network of what has failed often enough; returns of how many rows."""
    async with database.transaction(Dispatcher()) as session:
        told = select(func.count(FailingRow.row_id.distinct())).where(FailingRow.told_at.is_not(None))
        first = max(ALARMS_MAX - (await session.scalar(told) or 0), 0)
        rows = (await session.execute(_UNTOLD, {"enough": FAILURES_UNTIL_TOLD, "first": first})).all()
        for agency_id in await _operators(session) if rows else ():
            async with database.transaction(Custodian(agency_id)) as custody:
                for job, _, reference in rows:
                    await open_task(
                        custody, agency_id=agency_id, kind=ROW_FAILING, subject_kind=job, subject_id=reference, now=now
                    )
        for job, row_id, reference in rows:
            mine = update(FailingRow).where(FailingRow.job == job, FailingRow.row_id == row_id)
            await session.execute(mine.values(told_at=now, reference=reference))
    return len(rows)


async def read_failing(
    session: AsyncSession, reference: UUID | None = None, *, first: int = 200
) -> Sequence[FailingRow]:
    """What fails, or what is called by that reference, longest first; for whoever must mend it, on the host."""
    failing = select(FailingRow).order_by(FailingRow.since, FailingRow.reference).limit(first)
    if reference is not None:
        failing = failing.where(FailingRow.reference == reference)
    return (await session.scalars(failing)).all()


# A job that has looked since a row was to come again, and has not failed on it once more, is done with it: it was
# handled, or is not to be any more.
_OVER = text("""
    select failing.job, failing.row_id, failing.agency_id, failing.subject_kind, failing.subject_id, failing.told_at,
      failing.reference
    from failing_row failing join job_look on job_look.job = failing.job
    where job_look.looked_at > failing.come_again_at + cast(:over_after as interval)
    order by failing.since limit 200
""")


async def settle_rows_no_longer_failing(database: Database, *, now: datetime) -> int:
    """Settle what people were told of rows that are handled by now; returns how many."""
    async with database.transaction(Dispatcher()) as session:
        over = (await session.execute(_OVER, {"over_after": _OVER_AFTER})).all()
        operators = await _operators(session) if over else ()
    for row in over:
        await _settle(database, Row(*row[:5]), row.reference, operators if row.told_at is not None else (), now)
    return len(over)


async def _settle(database: Database, row: Row, reference: UUID, operators: Sequence[UUID], now: datetime) -> None:
    async with database.transaction(row.custody) as session:
        mine = (FailingRow.job == row.job, FailingRow.row_id == row.id, FailingRow.subject_id == row.subject_id)
        await session.execute(delete(FailingRow).where(*mine))
        about_the_same = select(FailingRow.job).where(FailingRow.subject_id == row.subject_id).limit(1)
        if row.agency_id is not None and await session.scalar(about_the_same) is None:
            await settle_tasks(session, LEFT_UNDONE, row.subject_id, now=now)
        of_the_same = select(FailingRow.job).where(FailingRow.job == row.job, FailingRow.row_id == row.id).limit(1)
        still = await session.scalar(of_the_same) is not None
    for agency_id in () if still else operators:
        async with database.transaction(Custodian(agency_id)) as session:
            await settle_tasks(session, ROW_FAILING, reference, now=now)


async def _operators(session: AsyncSession) -> list[UUID]:
    return [one.id for one in await list_agencies(session) if one.kind is AgencyKind.NETWORK_OPERATOR]

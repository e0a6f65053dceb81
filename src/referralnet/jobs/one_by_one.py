"""What waits is done one by one: one that fails does not keep the others, and comes again after a growing pause."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.database.acting import Dispatcher
from referralnet.identity.failing import Row, RowsFailed, failing_rows, note_failure
from referralnet.identity.tables import Agency
from referralnet.jobs.work import Work

Waiting = TypeVar("Waiting")
Found_co = TypeVar("Found_co", covariant=True)
_log = structlog.get_logger("referralnet.jobs")


class LooksFor(Protocol[Found_co]):
    """Finds what waits, for the dispatcher: at most `first`, those that have waited for the longest."""

    def __call__(self, session: AsyncSession, *, first: int) -> Awaitable[Sequence[Found_co]]: ...


async def one_by_one(
    work: Work,
    job: str,
    looks_for: LooksFor[Waiting],
    do: Callable[[Waiting], Awaitable[int]],
    *,
    row: Callable[[Waiting], Row],
    first: int = 200,
) -> int:
    """Do each that waits, until the worker is to stop; returns the sum of what `do` returned.

    Args:
        do: one of them, in transactions of its own. Raises RowsFailed where it fails for others than `row` says.
        row: what is known of one that fails, and whose it is.
        first: how many at once, beside those that have failed.
    """
    async with work.database.transaction(Dispatcher()) as session:
        pausing = {row_id for row_id, at in (await failing_rows(session, job)).items() if at > work.now()}
        # Those stand first, having waited for the longest, and would leave no place for others.
        waiting = await looks_for(session, first=first + len(pausing))
    done = 0
    for one in waiting:
        if work.stopping.is_set():
            break
        if row(one).id in pausing:
            continue
        try:
            done += await do(one)
        except RowsFailed as failed:
            await _note(work, failed.rows, failed.__cause__ or failed)
        except Exception as error:  # noqa: BLE001 (whatever it is, those that wait behind it are somebody's as well)
            await _note(work, (row(one),), error)
    return done


async def custody_by_custody(work: Work, job: str, do: Callable[[UUID], Awaitable[int]]) -> int:
    """Do something in every agency's custody, one by one; returns the sum of what `do` returned."""

    async def look(session: AsyncSession, *, first: int) -> Sequence[UUID]:
        del first  # all of them
        return (await session.scalars(select(Agency.id).order_by(Agency.id))).all()

    return await one_by_one(work, job, look, do, row=lambda agency_id: Row(job, agency_id, None, "agency", agency_id))


async def _note(work: Work, rows: Sequence[Row], error: BaseException) -> None:
    for row in rows:
        try:
            async with work.database.transaction(row.custody) as session:
                await note_failure(session, row, error, now=work.now())
        except Exception as unnoted:  # noqa: BLE001 (the database is gone, say: the next look tries all of it again)
            _log.error("job_failed", job=row.job, exc_info=error, reason=type(unnoted).__name__)

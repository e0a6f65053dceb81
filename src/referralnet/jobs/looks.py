"""When each job last looked, whichever worker it was in; one that has not for too long is an alarm (threats.md)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.jobs.timetable import TIMETABLE, Job

NOTED_EVERY_SECONDS = 15.0
"""A look is noted so often at most: jobs that look each second would write for nothing."""
_LATE_AFTER = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class Look:
    """One job: when it last looked, if ever, and whether it ought to have looked since."""

    job: str
    looked_at: datetime | None
    is_late: bool


async def note_look(session: AsyncSession, job: str, *, now: datetime) -> None:
    """Note that a job has looked and come to its end."""
    noted = text("""
        insert into job_look (job, since, looked_at) values (:job, :now, :now)
        on conflict (job) do update set looked_at = greatest(job_look.looked_at, excluded.looked_at)
    """)
    await session.execute(noted, {"job": job, "now": now})


async def read_looks(session: AsyncSession, *, now: datetime, timetable: Iterable[Job] = TIMETABLE) -> list[Look]:
    """Every job of the timetable; those that look within a minute are late after less than two."""
    rows = (await session.execute(text("select job, since, looked_at from job_look"))).all()
    looked = {row.job: row.looked_at for row in rows}
    began = min((row.since for row in rows), default=None)
    return [_judge(job, looked.get(job.name), began, now) for job in timetable]


def _judge(job: Job, looked_at: datetime | None, began: datetime | None, now: datetime) -> Look:
    # A job that has not looked yet is waited for since any job of this network first did.
    since = looked_at or began
    is_late = since is None or now - since > timedelta(seconds=job.every_seconds) + _LATE_AFTER
    return Look(job.name, looked_at, is_late)

"""A worker that is gone, or whose job fails again and again, is said to be late within two minutes (threats.md)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.requests import Request

from referralnet.app import WorkerHealthEndpoint
from referralnet.clock import FixedClock
from referralnet.database.acting import Dispatcher
from referralnet.database.transactions import Database
from referralnet.encryption.held_keyring import HeldKeyring
from referralnet.jobs import send_texts, sweep_leases
from referralnet.jobs.looks import note_look, read_looks
from referralnet.jobs.timetable import TIMETABLE, Job
from referralnet.jobs.work import Work
from referralnet.jobs.worker import Worker
from tests.databases import DatabaseUrls
from tests.factories.messaging import superuser
from tests.factories.work import make_work
from tests.faults.arranging import Nursery, worker_settings
from tests.faults.local_carrier import LocalCarrier

OFTEN = {job.name for job in TIMETABLE if job.every_seconds <= 30}
AT_START = {job.name for job in TIMETABLE if job.at_start}
TWO_MINUTES = timedelta(minutes=2)


async def late(database: Database, now: datetime) -> set[str]:
    async with database.transaction(Dispatcher()) as session:
        return {look.job for look in await read_looks(session, now=now) if look.is_late}


async def health(app: Database, now: datetime) -> tuple[int, str]:
    answer = await WorkerHealthEndpoint(app, FixedClock(now)).answer(Request({"type": "http"}))
    return answer.status_code, bytes(answer.body).decode()


@pytest.mark.slow
async def test_a_worker_that_was_killed_is_late_within_two_minutes_and_two_of_them_do_no_harm(
    database_urls: DatabaseUrls, app: Database, worker: Database, keyring: HeldKeyring, local_carrier: LocalCarrier,
    tmp_path: Path,
) -> None:  # fmt: skip
    assert (await health(app, datetime.now(UTC)))[0] == 503, "nobody has looked yet"
    nursery = Nursery(worker_settings(database_urls, keyring, local_carrier.base_url), tmp_path / "workers.log")
    try:
        nursery.start_worker()
        nursery.start_worker()
        async with superuser(database_urls) as db, asyncio.timeout(60):
            while not {row["job"] for row in await db.fetch("select job from job_look")} >= AT_START:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    finally:
        nursery.close()
    now = datetime.now(UTC)
    assert await health(app, now) == (200, "ok")
    status, told = await health(app, now + TWO_MINUTES)
    assert (status, set(told.removeprefix("late: ").split(", "))) == (503, OFTEN)


async def test_a_job_that_fails_is_late_although_its_worker_lives(
    database_urls: DatabaseUrls, worker: Database, keyring: HeldKeyring
) -> None:
    async with superuser(database_urls) as db:
        await db.execute("delete from job_look")

    async def fails(_work: Work) -> int:
        raise RuntimeError

    fails.__module__ = "referralnet.jobs.send_texts"
    work, now = make_work(worker, keyring), datetime.now(UTC)
    async with worker.transaction(Dispatcher()) as session:
        for job in OFTEN:
            await note_look(session, job, now=now - TWO_MINUTES)
    runs = Worker(work, (Job(fails, every_seconds=60), Job(sweep_leases.run, every_seconds=60)))
    runs.start()
    await runs.drain()
    found = await late(worker, now)
    assert send_texts.__name__.rpartition(".")[2] in found
    assert "sweep_leases" not in found


async def test_a_clock_that_is_behind_makes_no_look_older(worker: Database) -> None:
    now = datetime.now(UTC) + timedelta(hours=1)
    async with worker.transaction(Dispatcher()) as session:
        await note_look(session, "send_texts", now=now)
        await note_look(session, "send_texts", now=now - timedelta(minutes=30))
    assert "send_texts" not in await late(worker, now)

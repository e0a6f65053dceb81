"""Every job file is on the timetable, once, and a worker looks again after a wake-up it could not take."""

from __future__ import annotations

import asyncio
from typing import cast

import referralnet.jobs
from referralnet import published
from referralnet.jobs.timetable import TIMETABLE, Job
from referralnet.jobs.work import Work
from referralnet.jobs.worker import Worker

OTHERS = {"__init__", "timetable", "work", "worker", "importer", "looks", "one_by_one"}


class Stopping:
    """As much of the work as a worker without jobs of ours needs."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()


def test_every_job_stands_on_the_timetable_once() -> None:
    files = {file.stem for file in (published.PACKAGE / "jobs").glob("*.py")} - OTHERS
    assert sorted(job.name for job in TIMETABLE) == sorted(files)
    assert referralnet.jobs.__doc__


async def test_a_wake_up_during_a_run_is_followed_by_one_more_run_and_a_failure_by_the_next() -> None:
    runs: list[str] = []
    go_on = asyncio.Event()

    async def job(_work: Work) -> int:
        runs.append("run")
        await go_on.wait()
        if len(runs) == 1:
            raise RuntimeError("whatever")
        return 0

    worker = Worker(cast("Work", Stopping()), (Job(job, every_seconds=60, wakes_on="notice"),))
    worker.start()
    await asyncio.sleep(0)
    for table in ("notice", "notice", "text_message"):
        worker.wake(table)
    assert runs == ["run"], "never twice at the same time"
    go_on.set()
    await asyncio.sleep(0.01)
    assert runs == ["run", "run"]
    await worker.drain()
    worker.wake("notice")
    assert runs == ["run", "run"], "a worker that drains begins nothing"

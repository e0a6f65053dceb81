"""The worker process: APScheduler ticks the timetable, new rows wake it, SIGTERM drains it."""

from __future__ import annotations

import asyncio
import logging
import signal
import time

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from sqlalchemy.exc import SQLAlchemyError

from referralnet.database.acting import Dispatcher
from referralnet.database.listening import listen
from referralnet.jobs.looks import NOTED_EVERY_SECONDS, note_look
from referralnet.jobs.timetable import TIMETABLE, Job
from referralnet.jobs.work import Work
from referralnet.messaging.permit import may_send

CHANNEL = "referralnet_work"
_log = structlog.get_logger("referralnet.jobs")


class Worker:
    """One worker. Its scheduler keeps nothing: every due time, lease and state stands in the database."""

    def __init__(self, work: Work, timetable: tuple[Job, ...] = TIMETABLE) -> None:
        self._work = work
        self._timetable = timetable
        self._scheduler = AsyncIOScheduler(timezone="UTC")
        self._running: set[asyncio.Task[None]] = set()
        self._awake: dict[str, bool] = {}
        self._noted: dict[str, float] = {}

    def start(self) -> None:
        """Tick every job from now on."""
        # It warns whenever a tick finds the job still running, which is the ordinary case under load.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        for job in self._timetable:
            self._scheduler.add_job(
                self._tick, "interval", [job], seconds=job.every_seconds, id=job.name, coalesce=True
            )
        self._scheduler.start()
        for job in self._timetable:
            if job.at_start:
                self.look(job)

    async def _tick(self, job: Job) -> None:
        """A coroutine, because the scheduler runs a plain function in a thread, outside the loop."""
        self.look(job)

    def look(self, job: Job) -> None:
        """Run a job now, or once more after the run that is under way."""
        if job.name in self._awake:
            self._awake[job.name] = True
            return
        self._awake[job.name] = False
        task = asyncio.create_task(self._run(job))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def wake(self, table: str) -> None:
        """Run the jobs that new rows of this table concern."""
        for job in self._timetable:
            if job.wakes_on == table and self._scheduler.running:
                self.look(job)

    async def _run(self, job: Job) -> None:
        again = True
        while again:
            self._awake[job.name] = False
            try:
                await job.run(self._work)
                await self._note(job)
            except Exception as error:  # noqa: BLE001 (whatever one run meets, the next tick looks again)
                _log.error("job_failed", job=job.name, exc_info=error)
            again = self._awake[job.name] and self._scheduler.running
        del self._awake[job.name]

    async def _note(self, job: Job) -> None:
        """Let the network know that this job looks, now and then."""
        passed = time.monotonic()
        if passed - self._noted.get(job.name, -NOTED_EVERY_SECONDS) >= NOTED_EVERY_SECONDS:
            async with self._work.database.transaction(Dispatcher()) as session:
                await note_look(session, job.name, now=self._work.now())
            self._noted[job.name] = passed

    async def drain(self) -> None:
        """Start nothing new, and finish what runs: the scheduler's own shutdown would cut it off."""
        self._work.stopping.set()
        self._scheduler.shutdown(wait=False)
        while self._running:
            await asyncio.wait(self._running)


async def run_worker(work: Work, *, listen_url: str) -> None:
    """Work until SIGTERM or SIGINT, then drain."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    worker = Worker(work)
    worker.start()
    listening = asyncio.create_task(listen(listen_url, CHANNEL, worker.wake))
    _log.info("worker_started")
    await _tell_if_held(work)
    await stop.wait()
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await worker.drain()
    await work.sender.carrier.close()
    await work.database.close()
    _log.info("worker_stopped")


async def _tell_if_held(work: Work) -> None:
    try:
        async with work.database.transaction(Dispatcher()) as session:
            if not await may_send(session):
                _log.error("texts_are_held", reason="restored_elsewhere", operation="referralnet texts allow")
    except (OSError, SQLAlchemyError) as error:
        _log.warning("database_unreachable", error=type(error).__name__)

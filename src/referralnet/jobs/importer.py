"""The importer: a process that serves nobody and may write the directory, for what network admins ask for.

It works as the database's owner, without the keyring: what is sealed stays sealed to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from uuid import UUID

import structlog

from referralnet.clock import Clock
from referralnet.database.acting import Operator
from referralnet.database.listening import listen
from referralnet.database.transactions import Database
from referralnet.directory import carrying_out
from referralnet.directory.carrying_out import Claimed, NotClaimed
from referralnet.directory.duplicates import find_duplicates
from referralnet.directory.problems import PackageUnreadable
from referralnet.directory.requests import RequestKind, RequestState
from referralnet.errors import Refusal

CHANNEL = "referralnet_imports"
# What a wake-up that was lost is found by.
LOOK_SECONDS = 5.0
TELL_SECONDS = 0.5
_log = structlog.get_logger("referralnet.jobs")


class Importer:
    """Carries out one request after another."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._rows, self._table = 0, ""
        self._has_changed = False

    async def look(self) -> int:
        """Settle what others left behind, and carry out all that waits; returns how many requests were settled."""
        async with self._database.transaction(Operator()) as session:
            settled = await carrying_out.settle_left_behind(session, now=self._now())
        while True:
            async with self._database.transaction(Operator()) as session:
                request_id = await carrying_out.next_waiting(session)
            if request_id is None:
                await self._look_for_duplicates()
                return settled
            with contextlib.suppress(NotClaimed):
                await self._carry_out(request_id)
                settled += 1

    async def _carry_out(self, request_id: UUID) -> None:
        claimed: Claimed | None = None
        try:
            with carrying_out.brought_file() as folder:
                async with self._database.transaction(Operator()) as working:
                    await carrying_out.hold_request(working, request_id)
                    async with self._database.transaction(Operator()) as beside:
                        claimed = await carrying_out.claim(beside, request_id, now=self._now())
                    async with self._telling(claimed):
                        now = self._now()
                        await carrying_out.carry_out(working, claimed, folder, progress=self._advance, now=now)
            self._has_changed |= claimed.kind is not RequestKind.TRIAL
        except (PackageUnreadable, Refusal) as refused:
            assert claimed is not None
            message = refused.message if isinstance(refused, Refusal) else str(refused)
            await self._settle(claimed, RequestState.REFUSED, {"refusal": message})

    async def _look_for_duplicates(self) -> None:
        """What came in may stand in another package as well: once after all that waited, and never in its way."""
        if self._has_changed:
            self._has_changed = False
            async with self._database.transaction(Operator()) as session:
                await find_duplicates(session, now=self._now())

    async def _settle(self, claimed: Claimed, state: RequestState, values: dict[str, object]) -> None:
        async with self._database.transaction(Operator()) as session:
            await carrying_out.settle(session, claimed.id, state, values, now=self._now())

    def _advance(self, table: str, rows: int) -> None:
        self._table = table
        self._rows += rows

    @contextlib.asynccontextmanager
    async def _telling(self, claimed: Claimed) -> AsyncIterator[None]:
        """Tell how far it is, beside the transaction that works; told for the last time before that one settles."""
        self._rows, self._table = 0, ""
        telling = asyncio.create_task(self._tell(claimed))
        try:
            yield
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)

    async def _tell(self, claimed: Claimed) -> None:
        told = -1
        while True:
            await asyncio.sleep(TELL_SECONDS)
            if self._rows != told:
                told = self._rows
                async with self._database.transaction(Operator()) as session:
                    await carrying_out.tell_progress(session, claimed.id, self._table, told, now=self._now())

    def _now(self) -> datetime:
        return self._clock.now()


async def run_importer(database: Database, clock: Clock, *, listen_url: str, stop: asyncio.Event | None = None) -> None:
    """Carry out what is asked for until SIGTERM or SIGINT, or until `stop` is set by whoever has the signals."""
    stop = stop or _stopped_by_signals()
    awake = asyncio.Event()
    listening = asyncio.create_task(listen(listen_url, CHANNEL, lambda _said: awake.set()))
    stopping = asyncio.create_task(stop.wait())
    importer = Importer(database, clock)
    while not stop.is_set():
        awake.clear()
        working = asyncio.create_task(_look(importer))
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            await _wait_any(awake.wait, stop.wait)
        else:
            # What it had begun is rolled back, and told as interrupted when the next importer looks.
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
    for task in (listening, stopping):
        task.cancel()
    await asyncio.gather(listening, stopping, return_exceptions=True)
    await database.close()


async def _look(importer: Importer) -> None:
    try:
        await importer.look()
    except Exception as error:  # noqa: BLE001 (whatever one import meets, the next look settles what it left behind)
        _log.error("import_failed", exc_info=error)


async def _wait_any(*waits: Callable[[], Awaitable[object]]) -> None:
    tasks = [asyncio.ensure_future(wait()) for wait in waits]
    await asyncio.wait(tasks, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


def _stopped_by_signals() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop

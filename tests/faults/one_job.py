"""Runs one job in a process of its own that dies at the await it is told: kill -9, at every await there is.

Reads ``JOB AWAIT`` from standard input, forks, and prints ``died``, or ``done`` where the job had fewer awaits.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import signal
import sys
from collections.abc import Coroutine, Generator
from typing import Any

from sqlalchemy import text

from referralnet.app import open_work
from referralnet.cli.options import load_settings
from referralnet.database.acting import Dispatcher
from referralnet.jobs.timetable import TIMETABLE
from referralnet.logging import configure_logging
from referralnet.messaging.carriers.twilio import TwilioCarrier
from referralnet.messaging.checking import problems
from referralnet.settings import Settings
from tests.faults.mortality import die_with_parent

_JOBS = {job.name: job for job in TIMETABLE}


class _Awaits:
    """Counts the awaits of all tasks of a job, and ends the process at one of them."""

    def __init__(self, dies_at: int) -> None:
        self._left = dies_at

    def one_more(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class _Counted(Coroutine[Any, Any, Any]):
    """A coroutine whose every stop is counted: what it has asked for is under way, and it will not hear of it."""

    def __init__(self, inner: Coroutine[Any, Any, Any], awaits: _Awaits) -> None:
        self._inner, self._awaits = inner, awaits

    def send(self, value: Any) -> Any:
        asked = self._inner.send(value)
        self._awaits.one_more()
        return asked

    def throw(self, *error: Any) -> Any:
        asked = self._inner.throw(*error)
        self._awaits.one_more()
        return asked

    def close(self) -> None:
        self._inner.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._inner.__await__()


async def _run(settings: Settings, name: str, dies_at: int) -> None:
    work = open_work(settings)
    # A worker that has worked for a while: its connection and what it has compiled are there.
    async with work.database.transaction(Dispatcher()) as session:
        await session.execute(text("select 1"))
    awaits, loop = _Awaits(dies_at), asyncio.get_running_loop()

    def counted(
        loop: asyncio.AbstractEventLoop, inner: Any, *, context: contextvars.Context | None = None, **named: Any
    ) -> asyncio.Task[Any]:
        return asyncio.Task(_Counted(inner, awaits), loop=loop, context=context, **named)

    loop.set_task_factory(counted)
    await asyncio.create_task(_JOBS[name].run(work))  # type: ignore[arg-type]
    loop.set_task_factory(None)
    await work.sender.carrier.close()
    await work.database.close()


def _learn() -> None:
    """What a worker imports, reads and compiles at its first use, so that no child has to."""
    TwilioCarrier("AC0", "token", from_number="+15005550006")
    list(problems())
    gc.freeze()


def main() -> None:
    die_with_parent()
    settings = load_settings()
    configure_logging(settings.log_level)
    _learn()
    for line in sys.stdin:
        name, dies_at = line.split()
        child = os.fork()
        if child == 0:
            die_with_parent()
            try:
                asyncio.run(_run(settings, name, int(dies_at)))
            except BaseException:  # noqa: BLE001 (whatever it is, the child ends here)
                sys.excepthook(*sys.exc_info())
                os._exit(1)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        died = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        sys.stdout.write("died\n" if died else f"done {os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

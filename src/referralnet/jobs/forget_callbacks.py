"""Delete reports of the carrier that were applied long ago."""

from __future__ import annotations

from referralnet.database.acting import Dispatcher
from referralnet.jobs.work import Work
from referralnet.messaging.callbacks import FORGOTTEN_AT_ONCE, forget_callbacks


async def run(work: Work) -> int:
    """Delete them, some at a time; returns how many."""
    forgotten = 0
    while not work.stopping.is_set():
        async with work.database.transaction(Dispatcher()) as session:
            some = await forget_callbacks(session, now=work.now())
        forgotten += some
        if some < FORGOTTEN_AT_ONCE:
            break
    return forgotten

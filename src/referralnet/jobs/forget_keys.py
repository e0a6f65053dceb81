"""Idempotency keys are kept for a day."""

from __future__ import annotations

from referralnet.database.acting import Dispatcher
from referralnet.identity.idempotency import forget_old_keys
from referralnet.jobs.work import Work


async def run(work: Work) -> int:
    """Forget the keys of requests that are older; returns how many."""
    async with work.database.transaction(Dispatcher()) as session:
        return await forget_old_keys(session, work.now())

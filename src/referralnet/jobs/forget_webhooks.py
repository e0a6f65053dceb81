"""Events that webhooks were told of are kept for a month."""

from __future__ import annotations

from referralnet.database.acting import Dispatcher
from referralnet.jobs.work import Work
from referralnet.partners.delivering import forget_deliveries


async def run(work: Work) -> int:
    """Forget the older ones; returns how many."""
    async with work.database.transaction(Dispatcher()) as session:
        return await forget_deliveries(session, work.now())

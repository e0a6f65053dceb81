"""Link the newest audit events into their agencies' chains."""

from __future__ import annotations

from referralnet.audit.chain import seal_trail
from referralnet.database.acting import Dispatcher
from referralnet.jobs.work import Work


async def run(work: Work) -> int:
    """Seal one batch; returns how many events."""
    async with work.database.transaction(Dispatcher()) as session:
        return await seal_trail(session)

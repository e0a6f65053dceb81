"""Claims whose worker is gone become unknown, and a person sees each."""

from __future__ import annotations

from referralnet.database.acting import Dispatcher
from referralnet.jobs.work import Work
from referralnet.messaging.outbox import give_up_lease, lapsed_leases
from referralnet.messaging.reconciling import tell_of_unknown


async def run(work: Work) -> int:
    """Give up every lapsed lease; returns how many."""
    async with work.database.transaction(Dispatcher()) as session:
        lapsed = await lapsed_leases(session, now=work.now())
    given_up = 0
    for text in lapsed:
        async with work.database.transaction(text.custody) as session:
            given_up += await give_up_lease(session, text.id, now=work.now())
    await tell_of_unknown(work.sender)
    return given_up

"""Claims whose worker is gone become unknown, and a person sees each."""

from __future__ import annotations

from referralnet.database.acting import Dispatcher
from referralnet.jobs.one_by_one import one_by_one
from referralnet.jobs.work import Work
from referralnet.messaging.outbox import DueText, give_up_lease, lapsed_leases
from referralnet.messaging.reconciling import tell_of_unknown


async def run(work: Work) -> int:
    """Give up every lapsed lease; returns how many."""
    async with work.database.transaction(Dispatcher()) as session:
        lapsed = await lapsed_leases(session, now=work.now())

    async def give_up(text: DueText) -> int:
        async with work.database.transaction(text.custody) as session:
            return await give_up_lease(session, text.id, now=work.now())

    given_up = await one_by_one(work, "sweep_leases", lapsed, give_up)
    await tell_of_unknown(work.sender)
    return given_up

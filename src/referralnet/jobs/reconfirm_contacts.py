"""Put contact plans whose date has passed on their custodians' worklists."""

from __future__ import annotations

from referralnet.database.acting import Custodian, Dispatcher
from referralnet.identity.agencies import list_agencies
from referralnet.jobs.work import Work
from referralnet.survivors.reconfirming import ask_to_reconfirm


async def run(work: Work) -> int:
    """Look in each agency's custody, in a transaction of its own; returns how many tasks were opened."""
    async with work.database.transaction(Dispatcher()) as session:
        agencies = await list_agencies(session)
    opened = 0
    for agency in agencies:
        if work.stopping.is_set():
            break
        async with work.database.transaction(Custodian(agency.id)) as session:
            opened += await ask_to_reconfirm(session, agency.id, now=work.now())
    return opened

"""Put contact plans whose date has passed on their custodians' worklists."""

from __future__ import annotations

from uuid import UUID

from referralnet.database.acting import Custodian
from referralnet.jobs.one_by_one import custody_by_custody
from referralnet.jobs.work import Work
from referralnet.survivors.reconfirming import ask_to_reconfirm


async def run(work: Work) -> int:
    """Look in each agency's custody, in a transaction of its own; returns how many tasks were opened."""

    async def ask(agency_id: UUID) -> int:
        async with work.database.transaction(Custodian(agency_id)) as session:
            return await ask_to_reconfirm(session, agency_id, now=work.now())

    return await custody_by_custody(work, "reconfirm_contacts", ask)

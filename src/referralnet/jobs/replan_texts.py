"""Move texts to where changed contact plans want them."""

from __future__ import annotations

from referralnet.database.acting import Custodian, Dispatcher
from referralnet.jobs.work import Work
from referralnet.messaging.replanning import changed_plans, plan_for_changed_contact


async def run(work: Work) -> int:
    """Plan anew for every survivor whose contact plan changed; returns how many texts came of it."""
    async with work.database.transaction(Dispatcher()) as session:
        changed = await changed_plans(session)
    planned = 0
    for survivor_id, agency_id in changed:
        async with work.database.transaction(Custodian(agency_id)) as session:
            planned += await plan_for_changed_contact(session, survivor_id, now=work.now())
    return planned

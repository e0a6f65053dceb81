"""Follow routing plans in which something happened, each in its own custody."""

from __future__ import annotations

from referralnet.database.acting import Custodian, Dispatcher
from referralnet.errors import Refusal
from referralnet.jobs.work import Work
from referralnet.referrals.following import follow, pause
from referralnet.referrals.routing import due_plans


async def run(work: Work) -> int:
    """Offer the next, close what is filled, or call a person; returns how many plans were followed."""
    async with work.database.transaction(Dispatcher()) as session:
        due = await due_plans(session)
    followed = 0
    for plan_id, agency_id in due:
        custodian = Custodian(agency_id)
        try:
            async with work.database.transaction(custodian) as session:
                followed += await follow(session, custodian, plan_id, keyring=work.keyring, now=work.now())
        except Refusal:
            async with work.database.transaction(custodian) as session:
                await pause(session, custodian, plan_id, now=work.now())
    return followed

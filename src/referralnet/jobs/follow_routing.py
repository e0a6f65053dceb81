"""Follow routing plans in which something happened, each in its own custody."""

from __future__ import annotations

from uuid import UUID

from referralnet.database.acting import Custodian
from referralnet.errors import Refusal
from referralnet.identity.failing import Row
from referralnet.jobs.one_by_one import one_by_one
from referralnet.jobs.work import Work
from referralnet.referrals.following import follow, pause
from referralnet.referrals.routing import due_plans

_JOB = "follow_routing"


async def run(work: Work) -> int:
    """Offer the next, close what is filled, or call a person; returns how many plans were followed."""

    async def follow_one(plan: tuple[UUID, UUID]) -> int:
        plan_id, agency_id = plan
        custodian = Custodian(agency_id)
        try:
            async with work.database.transaction(custodian) as session:
                return int(await follow(session, custodian, plan_id, keyring=work.keyring, now=work.now()))
        except Refusal:
            async with work.database.transaction(custodian) as session:
                await pause(session, custodian, plan_id, now=work.now())
            return 0

    return await one_by_one(work, _JOB, due_plans, follow_one, row=_row, first=100)


def _row(plan: tuple[UUID, UUID]) -> Row:
    plan_id, agency_id = plan
    return Row(_JOB, plan_id, agency_id, "routing_plan", plan_id)

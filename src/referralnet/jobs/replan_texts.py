"""Move texts to where changed contact plans want them."""

from __future__ import annotations

from uuid import UUID

from referralnet.database.acting import Custodian
from referralnet.identity.failing import Row
from referralnet.jobs.one_by_one import one_by_one
from referralnet.jobs.work import Work
from referralnet.messaging.replanning import changed_plans, plan_for_changed_contact

_JOB = "replan_texts"


async def run(work: Work) -> int:
    """Plan anew for every survivor whose contact plan changed; returns how many texts came of it."""

    async def plan_anew(change: tuple[UUID, UUID]) -> int:
        survivor_id, agency_id = change
        async with work.database.transaction(Custodian(agency_id)) as session:
            return await plan_for_changed_contact(session, survivor_id, now=work.now())

    return await one_by_one(work, _JOB, changed_plans, plan_anew, row=_row)


def _row(change: tuple[UUID, UUID]) -> Row:
    survivor_id, agency_id = change
    return Row(_JOB, survivor_id, agency_id, "survivor", survivor_id)

"""Turn notices of appointments into texts."""

from __future__ import annotations

from referralnet.database.acting import Custodian
from referralnet.identity.failing import Row
from referralnet.jobs.one_by_one import one_by_one
from referralnet.jobs.work import Work
from referralnet.messaging.planning import WaitingNotice, plan_notice, unhandled_notices

_JOB = "plan_texts"


async def run(work: Work) -> int:
    """Plan every waiting notice, each in its custodian's own transaction; returns how many texts came of it."""

    async def plan(notice: WaitingNotice) -> int:
        async with work.database.transaction(Custodian(notice.agency_id)) as session:
            return await plan_notice(session, notice.id, now=work.now())

    return await one_by_one(work, _JOB, unhandled_notices, plan, row=_row)


def _row(notice: WaitingNotice) -> Row:
    return Row(_JOB, notice.id, notice.agency_id, "referral", notice.referral_id)

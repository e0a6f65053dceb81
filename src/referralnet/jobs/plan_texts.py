"""Turn notices of appointments into texts."""

from __future__ import annotations

from uuid import UUID

from referralnet.database.acting import Custodian, Dispatcher
from referralnet.jobs.one_by_one import one_by_one
from referralnet.jobs.work import Work
from referralnet.messaging.planning import plan_notice, unhandled_notices


async def run(work: Work) -> int:
    """Plan every waiting notice, each in its custodian's own transaction; returns how many texts came of it."""
    async with work.database.transaction(Dispatcher()) as session:
        waiting = await unhandled_notices(session)

    async def plan(notice: tuple[UUID, UUID]) -> int:
        notice_id, agency_id = notice
        async with work.database.transaction(Custodian(agency_id)) as session:
            return await plan_notice(session, notice_id, now=work.now())

    return await one_by_one(work, "plan_texts", waiting, plan)

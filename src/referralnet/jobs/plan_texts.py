"""Turn notices of appointments into texts."""

from __future__ import annotations

from referralnet.database.acting import Custodian, Dispatcher
from referralnet.jobs.work import Work
from referralnet.messaging.planning import plan_notice, unhandled_notices


async def run(work: Work) -> int:
    """Plan every waiting notice, each in its custodian's own transaction; returns how many texts came of it."""
    async with work.database.transaction(Dispatcher()) as session:
        waiting = await unhandled_notices(session)
    planned = 0
    for notice_id, agency_id in waiting:
        async with work.database.transaction(Custodian(agency_id)) as session:
            planned += await plan_notice(session, notice_id, now=work.now())
    return planned

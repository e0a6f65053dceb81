"""Look daily, custody by custody, for a referral that is not one owner's task; one that is found is an alarm."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import structlog
from sqlalchemy import text

from referralnet.database.acting import Custodian, Dispatcher
from referralnet.jobs.work import Work
from referralnet.referrals.owners import raise_alarms

_log = structlog.get_logger("referralnet.jobs")


async def run(work: Work) -> int:
    """Look in every custody; returns how many were found. It should be none."""
    async with work.database.transaction(Dispatcher()) as session:
        agency_ids = (await session.scalars(text("select id from agency order by id"))).all()
    found: Counter[str] = Counter()
    for agency_id in agency_ids:
        custodian = Custodian(UUID(str(agency_id)))
        async with work.database.transaction(custodian) as session:
            found.update(one.problem for one in await raise_alarms(session, custodian, work.now()))
    if found:
        _log.error("referrals_without_one_owner", count=found.total(), problems=sorted(found))
    return found.total()

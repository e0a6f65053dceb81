"""Look daily, custody by custody, for a referral that is not one owner's task; one that is found is an alarm."""

from __future__ import annotations

from uuid import UUID

import structlog

from referralnet.database.acting import Custodian
from referralnet.jobs.one_by_one import custody_by_custody
from referralnet.jobs.work import Work
from referralnet.referrals.owners import raise_alarms

_log = structlog.get_logger("referralnet.jobs")


async def run(work: Work) -> int:
    """Look in every custody; returns how many were found. It should be none."""
    problems: set[str] = set()

    async def look(agency_id: UUID) -> int:
        custodian = Custodian(agency_id)
        async with work.database.transaction(custodian) as session:
            found = await raise_alarms(session, custodian, work.now())
        problems.update(one.problem for one in found)
        return len(found)

    found = await custody_by_custody(work, "check_owners", look)
    if found:
        _log.error("referrals_without_one_owner", count=found, problems=sorted(problems))
    return found

"""End referrals whose answer is overdue, each as its own custodian."""

from __future__ import annotations

from referralnet.database.acting import Custodian, Dispatcher
from referralnet.jobs.work import Work
from referralnet.referrals.expiring import due_for_expiry, expire


async def run(work: Work) -> int:
    """Expire every overdue referral; returns how many."""
    async with work.database.transaction(Dispatcher()) as session:
        overdue = await due_for_expiry(session, work.now())
    expired = 0
    for referral_id, agency_id in overdue:
        async with work.database.transaction(Custodian(agency_id)) as session:
            expired += await expire(session, referral_id, work.now())
    return expired

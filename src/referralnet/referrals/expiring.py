"""Whoever has a referral under a release that has run out is told (R6). What nobody answers ends by `ladder.py`."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.identity.tasks import open_task
from referralnet.referrals.lifecycle import ENDS
from referralnet.referrals.tables import Referral, SurvivorReferral


async def tell_of_run_out_release(session: AsyncSession, agency_id: UUID, release_id: UUID, now: datetime) -> bool:
    """Put a release that has run out on its custodian's worklist, where a referral under it is still open: its target
    reads nothing and she gets no texts until she signs another.
    """
    stands_on_it = (
        select(Referral.id)
        .join(SurvivorReferral, SurvivorReferral.referral_id == Referral.id)
        .where(SurvivorReferral.release_id == release_id, Referral.status.not_in(ENDS))
        .limit(1)
    )
    if await session.scalar(stands_on_it) is None:
        return False
    await open_task(
        session, agency_id=agency_id, kind="release_ran_out", subject_kind="release", subject_id=release_id, now=now
    )
    return True

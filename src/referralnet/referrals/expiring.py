"""No referral waits for ever (R6): what was not answered in time expires, and the coordinator gets the task; so does
whoever has a referral under a release that has run out.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Text, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.identity.tasks import open_task
from referralnet.referrals.lifecycle import ENDS, Event, Party, Status
from referralnet.referrals.moving import lock, move
from referralnet.referrals.tables import Referral, SurvivorReferral


async def due_for_expiry(session: AsyncSession, now: datetime, *, first: int = 100) -> list[tuple[UUID, UUID]]:
    """The referrals whose answer is overdue, longest first: (referral id, source agency id). For the dispatcher."""
    # Written into the statement: only so does a plan for any parameters find the index of unanswered referrals.
    unanswered = bindparam(None, Status.REQUESTED, type_=Text(), literal_execute=True)
    overdue = (
        select(Referral.id, Referral.source_agency_id)
        .where(Referral.status == unanswered, Referral.answer_due_at <= now)
        .order_by(Referral.answer_due_at, Referral.id)
        .limit(first)
    )
    return [(row.id, row.source_agency_id) for row in await session.execute(overdue)]


async def expire(session: AsyncSession, referral_id: UUID, now: datetime) -> bool:
    """Expire one overdue referral, as the custodian of its source; False where it was answered or ended meanwhile.

    Raises:
        NotFound: another agency sent it.
    """
    # The answer may have come between the look and the lock.
    locked = await lock(session, referral_id)
    if locked.status is not Status.REQUESTED or locked.answer_due_at is None or locked.answer_due_at > now:
        return False
    await move(session, locked, Event.EXPIRE, Party.CLOCK, now=now)
    return True


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

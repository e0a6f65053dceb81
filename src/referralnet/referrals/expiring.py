"""No referral waits for ever (R6): what was not answered in time expires, and the coordinator gets the task."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Text, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.referrals.lifecycle import Event, Party, Status
from referralnet.referrals.moving import lock, move
from referralnet.referrals.tables import Referral


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

"""What happens while nobody answers a referral: intake is reminded, then others are told, then it expires (R6).

The instants are rows, written by the database when the referral is sent and gone with the answer. To take a step is to
delete its row: in one transaction with what it does, so that it is done once, whoever dies in between.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.identity.tasks import open_task
from referralnet.referrals.lifecycle import Event, Party
from referralnet.referrals.moving import Locked, lock, move
from referralnet.referrals.policy import LADDER, LadderStep
from referralnet.referrals.tables import LadderRow, Referral


async def due_on_ladder(session: AsyncSession, now: datetime, *, first: int = 500) -> list[tuple[UUID, UUID]]:
    """The referrals of which a step is due, longest first: (referral id, source agency id). For the dispatcher."""
    longest = func.min(LadderRow.due_at)
    due = (
        select(LadderRow.referral_id, Referral.source_agency_id)
        .join(Referral, Referral.id == LadderRow.referral_id)
        .where(LadderRow.due_at <= now)
        .group_by(LadderRow.referral_id, Referral.source_agency_id)
        .order_by(longest, LadderRow.referral_id)
        .limit(first)
    )
    return [(row.referral_id, row.source_agency_id) for row in await session.execute(due)]


async def climb(session: AsyncSession, referral_id: UUID, now: datetime) -> list[LadderStep]:
    """Take the due steps of one referral, as the custodian of its source; which ones, none where it was answered.

    After an outage several may be due. Each tells somebody else, so all are taken together; but once the time to answer
    is over it expires, and nobody is reminded of what cannot be answered any more.

    Raises:
        NotFound: another agency sent it.
    """
    # The answer may have come between the look and the lock, or another worker: then the rows are gone.
    locked = await lock(session, referral_id)
    taken = delete(LadderRow).where(LadderRow.referral_id == referral_id, LadderRow.due_at <= now)
    rows = await session.scalars(taken.returning(LadderRow.step).execution_options(synchronize_session=False))
    due = set(map(LadderStep, rows))
    if LadderStep.EXPIRE in due:
        await move(session, locked, Event.EXPIRE, Party.CLOCK, now=now)
        return [LadderStep.EXPIRE]
    steps = [step for step in LadderStep if step in due]
    for step in steps:
        await _tell(session, locked, step, now)
    return steps


async def _tell(session: AsyncSession, locked: Locked, step: LadderStep, now: datetime) -> None:
    tells = LADDER[step].tells
    assert tells is not None, "only the last step tells nobody by itself: expiring does"
    party, kind = tells
    await open_task(
        session, agency_id=locked.agency_of(party), kind=kind, subject_kind="referral", subject_id=locked.id, now=now
    )
    await record(session, Action.ANSWER_AWAITED, "referral", locked.id, step=step)

"""Her contact plan changed: what waits for her moves to where it belongs now, or a person is told that it cannot go."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.messaging.asking_again import plan_asking_again
from referralnet.messaging.contacts import load_her_contact
from referralnet.messaging.digest import plan_digest
from referralnet.messaging.planning import plan_again
from referralnet.messaging.tables import ContactPlanChange, TextMessage, TextState
from referralnet.messaging.wording import Message

_WAITING = (TextState.SCHEDULED, TextState.HELD)


async def changed_plans(session: AsyncSession, *, first: int = 200) -> Sequence[tuple[UUID, UUID]]:
    """(survivor id, custodian agency id) of contact plans that changed, oldest first; for the dispatcher."""
    columns = select(ContactPlanChange.survivor_id, ContactPlanChange.agency_id)
    rows = await session.execute(columns.order_by(ContactPlanChange.changed_at).limit(first))
    return [(row.survivor_id, row.agency_id) for row in rows]


async def is_to_be_replanned(session: AsyncSession, survivor_id: UUID) -> bool:
    """Whether her contact plan changed and her texts have not moved yet."""
    waiting = select(ContactPlanChange.survivor_id).where(ContactPlanChange.survivor_id == survivor_id)
    return await session.scalar(waiting) is not None


async def plan_for_changed_contact(session: AsyncSession, survivor_id: UUID, *, now: datetime) -> int:
    """Take back what waits for a survivor and plan it anew from her contact plan, in her custodian's context.

    What a worker holds at this moment stays: it was judged a moment ago, and either leaves or is judged again.

    Returns:
        how many texts were planned; 0 also where another worker has her.
    """
    changed = delete(ContactPlanChange).where(ContactPlanChange.survivor_id == survivor_id)
    if await session.scalar(changed.returning(ContactPlanChange.survivor_id)) is None:
        return 0
    taken_back = await _take_back(session, survivor_id, now)
    planned = 0
    for notice in (await session.execute(_LAST_NOTICES, {"survivor_id": survivor_id})).all():
        planned += await plan_again(
            session,
            notice.referral_id,
            Message(notice.kind),
            notice.occurrence,
            taken_back=notice.referral_id in taken_back,
            now=now,
        )
    contact = await load_her_contact(session, survivor_id)
    if contact is not None:
        planned += await plan_asking_again(session, contact, now=now)
        if survivor_id in taken_back:
            planned += await plan_digest(session, survivor_id, now=now)
    return planned


async def _take_back(session: AsyncSession, survivor_id: UUID, now: datetime) -> set[UUID]:
    """What her texts were about that had been waiting for their hour; of those that were held, a person knows."""
    hers = select(TextMessage.id, TextMessage.subject_id, TextMessage.state).where(
        TextMessage.survivor_id == survivor_id, TextMessage.state.in_(_WAITING)
    )
    rows = (await session.execute(hers.order_by(TextMessage.id).with_for_update())).all()
    await session.execute(
        update(TextMessage)
        .where(TextMessage.id.in_([row.id for row in rows]))
        .values(state=TextState.CANCELLED, state_at=now, fence=TextMessage.fence + 1, error_code="plan_changed")
        .execution_options(synchronize_session=False)
    )
    return {row.subject_id for row in rows if row.state == TextState.SCHEDULED}


# What was last told of each of her referrals' appointments. One that waits to be handled is planned by itself.
_LAST_NOTICES = text("""
    select distinct on (notice.referral_id) notice.referral_id, notice.kind, notice.occurrence
    from survivor_referral link join notice on notice.referral_id = link.referral_id
    where link.survivor_id = :survivor_id and notice.kind <> 'referral_news' and notice.handled_at is not null
    order by notice.referral_id, notice.created_at desc, notice.id
""")

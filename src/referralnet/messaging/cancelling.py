"""Stopping every unsent text in the caller's transaction, so that nothing is posted after it commits (C4, M4, M9)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, case, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.messaging.tables import Notice, TextMessage, TextState

UNSENT = (TextState.SCHEDULED, TextState.CLAIMED, TextState.HELD)


async def cancel_texts(
    session: AsyncSession,
    *,
    survivor_id: UUID | None = None,
    subject_id: UUID | None = None,
    reason: str,
    now: datetime,
) -> int:
    """Stop what has not been sent to a survivor, or about one referral (`subject_id`), or both at once.

    Waits for a text that is being handed over at this moment (at most the carrier's timeout). What was claimed and
    not yet
    handed over is refused by its new fence when the sender looks again; what was claimed by a worker that died becomes
    `unknown`, because it may have left before this moment.

    Args:
        reason: a code: "consent_withdrawn", "opted_out", "unsafe", "plan_changed", "referral_closed".

    Returns:
        how many texts were stopped.
    """
    if survivor_id is None and subject_id is None:
        raise ValueError("say whose texts, or about what")
    about: list[ColumnElement[bool]] = [TextMessage.state.in_(UNSENT)]
    if survivor_id is not None:
        about.append(TextMessage.survivor_id == survivor_id)
    if subject_id is not None:
        about.append(TextMessage.subject_id == subject_id)
    # In one order, so that two cancellations never wait for each other.
    locked = select(TextMessage.id).where(*about).order_by(TextMessage.id).with_for_update()
    text_ids = (await session.scalars(locked)).all()
    if not text_ids:
        return 0
    was_claimed = TextMessage.state == TextState.CLAIMED
    await session.execute(
        update(TextMessage)
        .where(TextMessage.id.in_(text_ids))
        .values(
            state=case((was_claimed, TextState.UNKNOWN), else_=TextState.CANCELLED),
            state_at=now,
            fence=TextMessage.fence + 1,
            error_code=reason,
        )
        .execution_options(synchronize_session=False)
    )
    return len(text_ids)


async def lay_notices_aside(session: AsyncSession, referral_ids: Sequence[UUID], *, now: datetime) -> None:
    """Let no text come of what waits to be told about these referrals of this custody.

    Before `cancel_texts`: it waits for a worker that is reading one of them, whose texts are then there to be stopped.
    """
    waiting = select(Notice.id).where(Notice.referral_id.in_(referral_ids), Notice.handled_at.is_(None))
    notice_ids = (await session.scalars(waiting.order_by(Notice.id).with_for_update())).all()
    laid_aside = update(Notice).where(Notice.id.in_(notice_ids)).values(handled_at=now)
    await session.execute(laid_aside.execution_options(synchronize_session=False))

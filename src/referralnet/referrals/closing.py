"""Closing referrals for which there is no consent any more: their visits, their units and the texts about them (C4)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.appointments.scheduling import cancel_as_source
from referralnet.messaging.cancelling import cancel_texts, lay_notices_aside
from referralnet.referrals.lifecycle import ENDS, Event, Party
from referralnet.referrals.moving import lock, move
from referralnet.referrals.tables import Referral, SurvivorReferral


async def close_referrals(session: AsyncSession, which: ColumnElement[bool], *, now: datetime) -> list[UUID]:
    """Close the open referrals of this custody that a condition chooses; their ids.

    The releases they stand on have ended before: their lock waits for whoever is sending under them, and lets nobody
    begin. The plans they belong to are held, as everybody locks plans before their referrals.
    """
    referral_ids = await _open_referrals(session, which)
    for referral_id in referral_ids:
        await cancel_as_source(session, referral_id)
        await move(session, await lock(session, referral_id), Event.CONSENT_WITHDRAWN, Party.SURVIVOR, now=now)
    return referral_ids


async def stop_texts_about(session: AsyncSession, referral_ids: Sequence[UUID], *, now: datetime) -> int:
    """Cancel the texts that wait about referrals which were closed, and what was to become one; how many."""
    await lay_notices_aside(session, referral_ids, now=now)
    stopped = 0
    for referral_id in referral_ids:
        stopped += await cancel_texts(session, subject_id=referral_id, reason="consent_withdrawn", now=now)
    return stopped


async def _open_referrals(session: AsyncSession, which: ColumnElement[bool]) -> list[UUID]:
    # Locked in one order, so that two withdrawals never wait for each other.
    still_open = (
        select(Referral.id)
        .join(SurvivorReferral, SurvivorReferral.referral_id == Referral.id)
        .where(which, Referral.status.not_in(ENDS))
        .order_by(Referral.id)
        .with_for_update(of=Referral)
    )
    return list(await session.scalars(still_open))

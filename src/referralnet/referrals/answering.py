"""The target's answers: accept, waitlist, reject, complete, agree to a cancellation. Only its intake may (R3)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.appointments.scheduling import Visited, cancel_if_ahead
from referralnet.database.acting import Member
from referralnet.directory.capacity import Held, hold_units, list_counts
from referralnet.errors import Refusal
from referralnet.identity.access import Permission, require
from referralnet.referrals.lifecycle import ENDS, Event, Outcome, Party, RejectReason, next_status
from referralnet.referrals.moving import NOTHING_MORE, Locked, Particulars, lock, move
from referralnet.referrals.tables import Referral


class Filled(Refusal):
    """Another service has taken this on. Nothing more is asked of you."""

    code = "FILLED"


async def accept(
    session: AsyncSession, actor: Member, referral_id: UUID, *, capacity_id: UUID | None = None, now: datetime
) -> None:
    """Take the survivor on; holds what her household needs where the service counts units.

    Args:
        capacity_id: the count to take from; None for what fits her household best.

    Raises:
        NotFound, NotPermitted: no such referral for this agency; not an intake worker.
        IllegalTransition: somebody answered first, or it is not this agency's to answer (R2, R3).
        Filled: several services were asked, and another accepted first (R2).
        NoCapacity: the last unit is taken (R2).
        InvalidInput: the service has no such count.
    """
    locked = await _lock_to_answer(session, actor, referral_id)
    if locked.filled and locked.party(actor) is Party.TARGET:
        raise Filled
    # Judged before a unit is touched: a late answer must not wait behind the beds.
    next_status(locked.status, Event.ACCEPT, locked.party(actor))
    held = await _hold(session, locked, capacity_id)
    await _answer(session, actor, locked, Event.ACCEPT, now=now, more=Particulars(held=held))


async def _hold(session: AsyncSession, locked: Locked, chosen: UUID | None) -> Held | None:
    counts = await list_counts(session, locked.service_at_location_id)
    if not counts:
        return None
    household_size = await session.scalar(select(Referral.household_size).where(Referral.id == locked.id))
    assert household_size is not None, "it is locked"
    return await hold_units(session, counts, household_size=household_size, chosen=chosen)


async def waitlist(session: AsyncSession, actor: Member, referral_id: UUID, *, now: datetime) -> None:
    """Put the referral on the waiting list. Raises as `accept`."""
    locked = await _lock_to_answer(session, actor, referral_id)
    await _answer(session, actor, locked, Event.WAITLIST, now=now)


async def reject(
    session: AsyncSession, actor: Member, referral_id: UUID, *, reason: RejectReason, now: datetime
) -> None:
    """Say no, for a coded reason; a held unit is free again and the coordinator gets the task. Raises as `accept`."""
    locked = await _lock_to_answer(session, actor, referral_id)
    await _answer(session, actor, locked, Event.REJECT, now=now, more=Particulars(reason=reason))


async def complete(session: AsyncSession, actor: Member, referral_id: UUID, *, outcome: Outcome, now: datetime) -> None:
    """End the referral with what came of it; a held unit is free again. Raises as `accept`."""
    locked = await _lock_to_answer(session, actor, referral_id)
    await _answer(session, actor, locked, Event.COMPLETE, now=now, more=Particulars(outcome=outcome))


async def confirm_cancellation(session: AsyncSession, actor: Member, referral_id: UUID, *, now: datetime) -> None:
    """Agree to the source's wish to cancel; a held unit is free again. Raises as `accept`."""
    locked = await _lock_to_answer(session, actor, referral_id)
    await _answer(session, actor, locked, Event.CONFIRM_CANCELLATION, now=now)


async def _lock_to_answer(session: AsyncSession, actor: Member, referral_id: UUID) -> Locked:
    require(actor, Permission.ANSWER_REFERRALS)
    return await lock(session, referral_id)


async def _answer(
    session: AsyncSession,
    actor: Member,
    locked: Locked,
    event: Event,
    *,
    now: datetime,
    more: Particulars = NOTHING_MORE,
) -> None:
    # Judged here too: what follows must not touch an appointment for a step that is not there.
    transition = next_status(locked.status, event, locked.party(actor))
    if transition.to_status in ENDS:
        of = Visited(locked.id, locked.source_agency_id, locked.target_agency_id)
        await cancel_if_ahead(session, of, now=now)
    await move(session, locked, event, transition.party, now=now, more=more)

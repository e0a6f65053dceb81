"""The target's answers: accept, waitlist, reject, complete, agree to a cancellation. Only its intake may (R3)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.appointments.scheduling import Visited, cancel_if_ahead
from referralnet.database.acting import Member
from referralnet.directory.capacity import hold_unit
from referralnet.directory.entry_rows import load_entry_for_referral
from referralnet.errors import Refusal
from referralnet.identity.access import Permission, require
from referralnet.referrals.lifecycle import ENDS, Event, Outcome, Party, RejectReason, next_status
from referralnet.referrals.moving import NOTHING_MORE, Locked, Particulars, lock, move


class Filled(Refusal):
    """Another service has taken this on. Nothing more is asked of you."""

    code = "FILLED"


async def accept(session: AsyncSession, actor: Member, referral_id: UUID, *, now: datetime) -> None:
    """Take the survivor on; holds one unit where the service counts units.

    Raises:
        NotFound, NotPermitted: no such referral for this agency; not an intake worker.
        IllegalTransition: somebody answered first, or it is not this agency's to answer (R2, R3).
        Filled: several services were asked, and another accepted first (R2).
        NoCapacity: the last unit is taken (R2).
    """
    locked = await _lock_to_answer(session, actor, referral_id)
    if locked.filled and locked.party(actor) is Party.TARGET:
        raise Filled
    # Judged before a unit is touched: a late answer must not wait behind the beds.
    next_status(locked.status, Event.ACCEPT, locked.party(actor))
    entry = await load_entry_for_referral(session, locked.service_at_location_id)
    counted = entry if entry is not None and entry.capacity_id is not None else None
    capacity_id = await hold_unit(session, counted.service_id) if counted is not None else None
    await _answer(session, actor, locked, Event.ACCEPT, now=now, more=Particulars(capacity_id=capacity_id))


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

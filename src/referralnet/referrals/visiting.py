"""Visits under a referral, kept by its target: each step moves the referral and its appointment together."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.appointments import scheduling
from referralnet.appointments.scheduling import Visited, VisitTime
from referralnet.appointments.tables import Mode
from referralnet.database.acting import Member
from referralnet.identity.access import Permission, require
from referralnet.referrals.lifecycle import Event
from referralnet.referrals.moving import lock, move
from referralnet.referrals.reading import ReferralRow, referral


async def schedule_visit(
    session: AsyncSession,
    actor: Member,
    referral_id: UUID,
    *,
    local_start: datetime,
    time_zone: str,
    duration_minutes: int,
    mode: Mode,
    now: datetime,
) -> UUID:
    """Book the first visit; returns the appointment's id, and the custodian is told in the same transaction (M9).

    Args:
        session: the transaction.
        actor: an intake worker of the target.
        referral_id: an accepted referral.
        local_start: naive, what a clock in `time_zone` shows.
        time_zone: an IANA name.
        duration_minutes: 5 to 480.
        mode: how they meet.
        now: aware.

    Raises:
        NotFound, NotPermitted, IllegalTransition.
        InvalidInput: not in the next 365 days, no such zone, too short or long; names the field.
        LocalTimeDoesNotExist, LocalTimeOccursTwice: naming local_start, with both candidates (M13).
    """
    of = await _move(session, actor, referral_id, Event.SCHEDULE, now)
    return await scheduling.schedule(session, of, VisitTime(local_start, time_zone, duration_minutes, mode), now=now)


async def reschedule_visit(
    session: AsyncSession,
    actor: Member,
    referral_id: UUID,
    *,
    local_start: datetime,
    time_zone: str,
    duration_minutes: int,
    mode: Mode,
    now: datetime,
) -> UUID:
    """Move the booked visit, or book another after a missed, cancelled or attended one. As `schedule_visit`."""
    of = await _move(session, actor, referral_id, Event.RESCHEDULE, now)
    return await scheduling.reschedule(session, of, VisitTime(local_start, time_zone, duration_minutes, mode), now=now)


async def cancel_visit(session: AsyncSession, actor: Member, referral_id: UUID, *, now: datetime) -> ReferralRow:
    """Cancel the booked visit; the referral goes on. Raises as `schedule_visit`, and NoBookedAppointment."""
    of = await _move(session, actor, referral_id, Event.APPOINTMENT_CANCELLED, now)
    await scheduling.cancel(session, of, now=now)
    return await referral(session, actor, referral_id)


async def mark_attended(session: AsyncSession, actor: Member, referral_id: UUID, *, now: datetime) -> ReferralRow:
    """She came. Raises as `cancel_visit`."""
    await _move(session, actor, referral_id, Event.ATTENDED, now)
    await scheduling.mark_attended(session, referral_id)
    return await referral(session, actor, referral_id)


async def mark_no_show(session: AsyncSession, actor: Member, referral_id: UUID, *, now: datetime) -> ReferralRow:
    """She did not come; the coordinator gets the task to ask how she is. Raises as `cancel_visit`."""
    await _move(session, actor, referral_id, Event.NO_SHOW, now)
    await scheduling.mark_no_show(session, referral_id)
    return await referral(session, actor, referral_id)


async def _move(session: AsyncSession, actor: Member, referral_id: UUID, event: Event, now: datetime) -> Visited:
    require(actor, Permission.ANSWER_REFERRALS)
    locked = await lock(session, referral_id)
    await move(session, locked, event, locked.party(actor), now=now)
    return Visited(locked.id, locked.source_agency_id, locked.target_agency_id)

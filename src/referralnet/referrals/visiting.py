"""Visits under a referral, kept by its target: each step moves the referral and its appointment together."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.appointments import changing, scheduling
from referralnet.appointments.changing import VisitChange
from referralnet.appointments.reading import TOLD_STATUS_ONLY
from referralnet.appointments.scheduling import Visited, VisitTime
from referralnet.appointments.tables import Mode
from referralnet.database.acting import Member
from referralnet.errors import NotFound
from referralnet.identity.access import Permission, require
from referralnet.referrals.lifecycle import Event, Party, next_status
from referralnet.referrals.moving import Locked, lock, move
from referralnet.referrals.tables import Referral


async def schedule_visit(
    session: AsyncSession,
    actor: Member,
    referral_id: UUID,
    *,
    local_start: datetime,
    time_zone: str,
    duration_minutes: int,
    mode: Mode,
    utc_offset: timedelta | None = None,
    arranged: Mapping[str, Any] = MappingProxyType({}),
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
        utc_offset: which of two local times it is, where the clock shows it twice.
        arranged: fields of appointments.arrangements.Arrangements.
        now: aware.

    Raises:
        NotFound, NotPermitted, IllegalTransition.
        InvalidInput: not in the next 365 days, no such zone, too short or long, what does not fit; names the field.
        LocalTimeDoesNotExist, LocalTimeOccursTwice: naming local_start, with both candidates (M13).
    """
    of = await _move(session, actor, referral_id, Event.SCHEDULE, now)
    visit = VisitTime(local_start, time_zone, duration_minutes, mode, utc_offset, arranged)
    return await scheduling.schedule(session, of, visit, now=now)


async def reschedule_visit(
    session: AsyncSession,
    actor: Member,
    referral_id: UUID,
    *,
    local_start: datetime,
    time_zone: str,
    duration_minutes: int,
    mode: Mode,
    utc_offset: timedelta | None = None,
    arranged: Mapping[str, Any] = MappingProxyType({}),
    now: datetime,
) -> UUID:
    """Move the booked visit, or book another after a missed, cancelled or attended one. As `schedule_visit`."""
    of = await _move(session, actor, referral_id, Event.RESCHEDULE, now)
    visit = VisitTime(local_start, time_zone, duration_minutes, mode, utc_offset, arranged)
    return await changing.reschedule(session, of, visit, now=now)


async def change_visit(
    session: AsyncSession, actor: Member, referral_id: UUID, change: VisitChange, *, now: datetime
) -> UUID:
    """Change what is named of the booked visit, and leave the rest; another time moves it as `reschedule_visit` does.

    Raises:
        as `schedule_visit`, and NoBookedAppointment.
    """
    if change.moves:
        of = await _move(session, actor, referral_id, Event.RESCHEDULE, now)
    else:
        require(actor, Permission.ANSWER_REFERRALS)
        locked = await lock(session, referral_id)
        # Whoever could move it now may change how it is held; the referral itself takes no step.
        next_status(locked.status, Event.RESCHEDULE, locked.party(actor))
        of = await _visited(session, locked)
    return await changing.change_booked(session, of, change, now=now)


async def say_travel_is_arranged(
    session: AsyncSession, actor: Member, referral_id: UUID, *, arranged: bool, now: datetime
) -> UUID:
    """The source, where it sees to her way there, says whether that is arranged.

    Raises:
        NotPermitted: not a coordinator. NotFound: no referral of this agency's own.
        NoBookedAppointment. InvalidInput: somebody else sees to the way.
    """
    require(actor, Permission.SEND_REFERRALS)
    locked = await lock(session, referral_id)
    if locked.party(actor) is not Party.SOURCE:
        raise NotFound(field="referral_id")
    return await changing.say_travel_is_arranged(session, referral_id, arranged=arranged, now=now)


async def cancel_visit(session: AsyncSession, actor: Member, referral_id: UUID, *, now: datetime) -> None:
    """Cancel the booked visit; the referral goes on. Raises as `schedule_visit`, and NoBookedAppointment."""
    of = await _move(session, actor, referral_id, Event.APPOINTMENT_CANCELLED, now)
    await scheduling.cancel(session, of, now=now)


async def mark_attended(session: AsyncSession, actor: Member, referral_id: UUID, *, now: datetime) -> None:
    """She came. Raises as `cancel_visit`."""
    await _move(session, actor, referral_id, Event.ATTENDED, now)
    await scheduling.mark_attended(session, referral_id)


async def mark_no_show(session: AsyncSession, actor: Member, referral_id: UUID, *, now: datetime) -> None:
    """She did not come; the coordinator gets the task to ask how she is. Raises as `cancel_visit`."""
    await _move(session, actor, referral_id, Event.NO_SHOW, now)
    await scheduling.mark_no_show(session, referral_id)


async def _move(session: AsyncSession, actor: Member, referral_id: UUID, event: Event, now: datetime) -> Visited:
    require(actor, Permission.ANSWER_REFERRALS)
    locked = await lock(session, referral_id)
    await move(session, locked, event, locked.party(actor), now=now)
    return await _visited(session, locked)


async def _visited(session: AsyncSession, locked: Locked) -> Visited:
    kind = await session.scalar(select(Referral.source_agency_kind).where(Referral.id == locked.id))
    sees_how = kind not in TOLD_STATUS_ONLY
    return Visited(locked.id, locked.source_agency_id, locked.target_agency_id, source_sees_how=sees_how)

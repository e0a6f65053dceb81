"""A target changes the booked visit: what is not named stays, and only another time tells her something new (M9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.appointments.arrangements import arranged_anew
from referralnet.appointments.scheduling import (
    ARRANGE_TRAVEL,
    Booked,
    NoBookedAppointment,
    Visited,
    VisitTime,
    ask_for_travel,
    check_duration,
    columns_of,
    lock_booked,
    refuse_blind_source,
    schedule,
    tell,
)
from referralnet.appointments.tables import Appointment, Mode, Travel
from referralnet.audit.recording import Action, record
from referralnet.errors import InvalidInput
from referralnet.identity.tasks import settle_tasks
from referralnet.messaging.notices import NoticeKind


@dataclass(frozen=True, slots=True)
class VisitChange:
    """What is to change of a booked visit; what is None stays. `arranged` names the fields of `Arrangements` to change.

    With `local_start` the visit moves; the zone is its own where none is given.
    """

    local_start: datetime | None = None
    time_zone: str | None = None
    utc_offset: timedelta | None = None
    duration_minutes: int | None = None
    mode: Mode | None = None
    arranged: Mapping[str, Any] = field(default_factory=dict)

    @property
    def moves(self) -> bool:
        """Whether another time is named."""
        return self.local_start is not None

    def applied(self, booked: Booked, now: datetime) -> Booked:
        """The visit as it will be.

        Raises:
            as VisitTime.starts_at, and arrangements.arranged_anew.
        """
        duration, mode = self.duration_minutes or booked.duration_minutes, self.mode or booked.mode
        starts_at, zone = booked.starts_at, self.time_zone or booked.time_zone
        if self.local_start is not None:
            starts_at = VisitTime(self.local_start, zone, duration, mode, self.utc_offset).starts_at(now)
        elif self.time_zone is not None or self.utc_offset is not None:
            raise InvalidInput(field="local_start", detail="Give the local time with its zone or its offset.")
        check_duration(duration)
        moved = starts_at != booked.starts_at
        arranged = arranged_anew(booked.arranged, self.arranged, mode=mode, moved=moved)
        return replace(
            booked, starts_at=starts_at, time_zone=zone, duration_minutes=duration, mode=mode, arranged=arranged
        )


async def reschedule(session: AsyncSession, of: Visited, visit: VisitTime, *, now: datetime) -> UUID:
    """Move the booked visit, or book another where the last one was missed, attended or cancelled.

    Raises:
        as VisitTime.starts_at, and arrangements.arranged_anew.
    """
    booked = await lock_booked(session, of.referral_id)
    if booked is None:
        return await schedule(session, of, visit, now=now)
    change = VisitChange(
        visit.local_start, visit.time_zone, visit.utc_offset, visit.duration_minutes, visit.mode, visit.arranged
    )
    return await _write(session, of, booked, change, now=now)


async def change_booked(session: AsyncSession, of: Visited, change: VisitChange, *, now: datetime) -> UUID:
    """Change what is named of the booked visit; returns its id.

    Raises:
        NoBookedAppointment.
        as VisitChange.applied.
    """
    booked = await lock_booked(session, of.referral_id)
    if booked is None:
        raise NoBookedAppointment
    return await _write(session, of, booked, change, now=now)


async def say_travel_is_arranged(session: AsyncSession, referral_id: UUID, *, arranged: bool, now: datetime) -> UUID:
    """The source says of the way that it sees to whether it is arranged; returns the appointment's id.

    Raises:
        NoBookedAppointment.
        InvalidInput: the source does not see to the way.
    """
    booked = await lock_booked(session, referral_id)
    if booked is None:
        raise NoBookedAppointment
    if booked.arranged.travel is not Travel.SOURCE:
        raise InvalidInput(field="arranged", detail="The way is seen to by somebody else.")
    said = update(Appointment).where(Appointment.id == booked.id).values(travel_arranged=arranged)
    await session.execute(said.execution_options(synchronize_session=False))
    if arranged:
        await settle_tasks(session, ARRANGE_TRAVEL, referral_id, now=now)
    await record(session, Action.APPOINTMENT_CHANGED, "appointment", booked.id, change="travel_arranged")
    return booked.id


async def _write(session: AsyncSession, of: Visited, booked: Booked, change: VisitChange, *, now: datetime) -> UUID:
    after = change.applied(booked, now)
    refuse_blind_source(of, after.arranged)
    values = {**columns_of(after), "version": Appointment.version + 1}
    if change.moves:
        # She confirmed another time than this one.
        values["confirmed_at"] = None
    changed = update(Appointment).where(Appointment.id == booked.id).values(**values)
    await session.execute(changed.execution_options(synchronize_session=False))
    await ask_for_travel(session, of, after.arranged, now=now)
    if change.moves:
        await tell(session, NoticeKind.APPOINTMENT_CHANGED, of, after, now=now)
    else:
        await record(session, Action.APPOINTMENT_CHANGED, "appointment", booked.id, change="arrangements")
    return booked.id

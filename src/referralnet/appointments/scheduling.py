"""A target books, moves and ends a referral's visit; each change tells the custodian in the same transaction (M9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.appointments.arrangements import NOTHING_ARRANGED, Arrangements, arranged_anew, arrangements_of
from referralnet.appointments.local_time import instant_of
from referralnet.appointments.tables import Appointment, AppointmentStatus, Mode, Travel
from referralnet.audit.recording import Action, record
from referralnet.errors import InvalidInput, Refusal
from referralnet.identity.tasks import open_task
from referralnet.messaging.notices import NoticeKind, write_notice

LEAD_DAYS_MAX = 365
DURATION_MINUTES = range(5, 481)
ARRANGE_TRAVEL = "arrange_travel"
"""The source's task while it sees to the way; the database closes it when that is over."""


class NoBookedAppointment(Refusal):
    """No appointment is booked for this referral."""

    code = "NO_BOOKED_APPOINTMENT"


@dataclass(frozen=True, slots=True)
class VisitTime:
    """When, how long and how the survivor and the service meet.

    `local_start` is naive, what a clock in `time_zone` (IANA name) shows; `utc_offset` says which of two it is, where
    the clock shows it twice. `arranged` are fields of `Arrangements` with their values.
    """

    local_start: datetime
    time_zone: str
    duration_minutes: int
    mode: Mode
    utc_offset: timedelta | None = None
    arranged: Mapping[str, Any] = field(default_factory=dict)

    def starts_at(self, now: datetime) -> datetime:
        """The instant (UTC).

        Raises:
            InvalidInput: not in the future, more than 365 days away, or too short or long; names the field.
            LocalTimeDoesNotExist, LocalTimeOccursTwice: naming local_start, with both candidates.
        """
        instant = instant_of(self.local_start, self.time_zone, utc_offset=self.utc_offset)
        if not now < instant <= now + timedelta(days=LEAD_DAYS_MAX):
            raise InvalidInput(field="local_start", detail=f"Choose a time in the next {LEAD_DAYS_MAX} days.")
        check_duration(self.duration_minutes)
        return instant


def check_duration(minutes: int) -> None:
    """Raise InvalidInput unless a visit may take so long."""
    if minutes not in DURATION_MINUTES:
        raise InvalidInput(field="duration_minutes", detail="Between 5 and 480 minutes.")


@dataclass(frozen=True, slots=True)
class Visited:
    """The referral that a visit belongs to, and its two parties.

    `source_sees_how` is False for a source that learns when a visit is and not how (R5): it cannot see to the way.
    """

    referral_id: UUID
    source_agency_id: UUID
    target_agency_id: UUID
    source_sees_how: bool = True


@dataclass(frozen=True, slots=True)
class Booked:
    """The one appointment of a referral that is booked, locked until the transaction ends."""

    id: UUID
    starts_at: datetime
    time_zone: str
    duration_minutes: int
    mode: Mode
    arranged: Arrangements


async def schedule(session: AsyncSession, of: Visited, visit: VisitTime, *, now: datetime) -> UUID:
    """Book a visit under a referral and tell the custodian; returns the appointment's id.

    Raises:
        as VisitTime.starts_at, and arrangements.arranged_anew.
    """
    starts_at = visit.starts_at(now)
    arranged = arranged_anew(NOTHING_ARRANGED, visit.arranged, mode=visit.mode, moved=False)
    refuse_blind_source(of, arranged)
    booked = Booked(uuid4(), starts_at, visit.time_zone, visit.duration_minutes, visit.mode, arranged)
    await session.execute(
        insert(Appointment)
        .values(
            id=booked.id,
            referral_id=of.referral_id,
            source_agency_id=of.source_agency_id,
            target_agency_id=of.target_agency_id,
            status=AppointmentStatus.BOOKED,
            version=1,
            created_at=now,
            **columns_of(booked),
        )
        .inline()
    )
    await ask_for_travel(session, of, arranged, now=now)
    await tell(session, NoticeKind.APPOINTMENT_SET, of, booked, now=now)
    return booked.id


async def cancel(session: AsyncSession, of: Visited, *, now: datetime) -> UUID:
    """Cancel the booked visit, as its target.

    Raises:
        NoBookedAppointment: there is none.
    """
    booked = await _end_booked(session, of.referral_id, AppointmentStatus.CANCELLED)
    await tell(session, NoticeKind.APPOINTMENT_CANCELLED, of, booked, now=now)
    return booked.id


async def mark_attended(session: AsyncSession, referral_id: UUID) -> UUID:
    """She came. Raises NoBookedAppointment."""
    return await _mark(session, referral_id, AppointmentStatus.FULFILLED)


async def mark_no_show(session: AsyncSession, referral_id: UUID) -> UUID:
    """She did not come. Raises NoBookedAppointment."""
    return await _mark(session, referral_id, AppointmentStatus.NOSHOW)


async def cancel_if_ahead(session: AsyncSession, of: Visited, *, now: datetime) -> None:
    """The target ends the referral: a visit still to come is cancelled, one in the past stays as it was recorded."""
    booked = await lock_booked(session, of.referral_id)
    if booked is not None and booked.starts_at > now:
        await cancel(session, of, now=now)


async def cancel_as_source(session: AsyncSession, referral_id: UUID) -> int:
    """The source ends the referral: whatever is booked is cancelled; returns how many (0 or 1).

    No notice: the custodian itself stops the texts, and after a withdrawal none may go out.
    """
    cancelled = await session.scalar(
        update(Appointment)
        .where(Appointment.referral_id == referral_id, Appointment.status == AppointmentStatus.BOOKED)
        .values(status=AppointmentStatus.CANCELLED, version=Appointment.version + 1)
        .returning(Appointment.id)
        .execution_options(synchronize_session=False)
    )
    if cancelled is None:
        return 0
    await record(session, Action.APPOINTMENT_CHANGED, "appointment", cancelled, change=AppointmentStatus.CANCELLED)
    return 1


async def _mark(session: AsyncSession, referral_id: UUID, status: AppointmentStatus) -> UUID:
    booked = await _end_booked(session, referral_id, status)
    await record(session, Action.APPOINTMENT_CHANGED, "appointment", booked.id, change=status)
    return booked.id


async def lock_booked(session: AsyncSession, referral_id: UUID) -> Booked | None:
    """The referral's booked appointment, locked until the transaction ends."""
    booked = select(Appointment).where(
        Appointment.referral_id == referral_id, Appointment.status == AppointmentStatus.BOOKED
    )
    row = await session.scalar(booked.with_for_update().execution_options(populate_existing=True))
    if row is None:
        return None
    return Booked(row.id, row.starts_at, row.time_zone, row.duration_minutes, Mode(row.mode), arrangements_of(row))


def columns_of(booked: Booked) -> dict[str, Any]:
    """When and how, as the appointment's row has them."""
    return {
        "starts_at": booked.starts_at,
        "time_zone": booked.time_zone,
        "duration_minutes": booked.duration_minutes,
        "mode": booked.mode,
        **asdict(booked.arranged),
    }


def refuse_blind_source(of: Visited, arranged: Arrangements) -> None:
    """Raise InvalidInput where a source that is not told how a visit is held would have to see to the way."""
    if arranged.travel is Travel.SOURCE and not of.source_sees_how:
        raise InvalidInput(field="travel", detail="This sender is told when a visit is, and not how.")


async def ask_for_travel(session: AsyncSession, of: Visited, arranged: Arrangements, *, now: datetime) -> None:
    """Put the way on the source's worklist where it is the source that sees to it, and has not yet."""
    if arranged.travel is Travel.SOURCE and not arranged.travel_arranged:
        await open_task(
            session,
            agency_id=of.source_agency_id,
            kind=ARRANGE_TRAVEL,
            subject_kind="referral",
            subject_id=of.referral_id,
            now=now,
        )


async def _end_booked(session: AsyncSession, referral_id: UUID, status: AppointmentStatus) -> Booked:
    booked = await lock_booked(session, referral_id)
    if booked is None:
        raise NoBookedAppointment
    await session.execute(
        update(Appointment)
        .where(Appointment.id == booked.id)
        .values(status=status, version=Appointment.version + 1)
        .execution_options(synchronize_session=False)
    )
    return booked


async def tell(session: AsyncSession, kind: NoticeKind, of: Visited, booked: Booked, *, now: datetime) -> None:
    """Write the notice that the custodian plans texts from, and the row in the trail."""
    await write_notice(
        session,
        kind=kind,
        custodian_agency_id=of.source_agency_id,
        referral_id=of.referral_id,
        appointment_id=booked.id,
        starts_at=booked.starts_at,
        time_zone=booked.time_zone,
        now=now,
    )
    await record(session, Action.APPOINTMENT_CHANGED, "appointment", booked.id, change=kind)

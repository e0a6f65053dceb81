"""A target books, moves and ends a referral's visit; each change tells the custodian in the same transaction (M9)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.appointments.local_time import instant_of
from referralnet.appointments.tables import Appointment, AppointmentStatus, Mode
from referralnet.audit.recording import Action, record
from referralnet.errors import InvalidInput, Refusal
from referralnet.messaging.notices import NoticeKind, write_notice

LEAD_DAYS_MAX = 365
DURATION_MINUTES = range(5, 481)


class NoBookedAppointment(Refusal):
    """No appointment is booked for this referral."""

    code = "NO_BOOKED_APPOINTMENT"


@dataclass(frozen=True, slots=True)
class VisitTime:
    """When, how long and how the survivor and the service meet.

    `local_start` is naive, what a clock in `time_zone` (IANA name) shows.
    """

    local_start: datetime
    time_zone: str
    duration_minutes: int
    mode: Mode

    def starts_at(self, now: datetime) -> datetime:
        """The instant (UTC).

        Raises:
            InvalidInput: not in the future, more than 365 days away, or too short or long; names the field.
            LocalTimeDoesNotExist, LocalTimeOccursTwice: naming local_start, with both candidates.
        """
        instant = instant_of(self.local_start, self.time_zone)
        if not now < instant <= now + timedelta(days=LEAD_DAYS_MAX):
            raise InvalidInput(field="local_start", detail=f"Choose a time in the next {LEAD_DAYS_MAX} days.")
        if self.duration_minutes not in DURATION_MINUTES:
            raise InvalidInput(field="duration_minutes", detail="Between 5 and 480 minutes.")
        return instant


@dataclass(frozen=True, slots=True)
class Visited:
    """The referral that a visit belongs to, and its two parties."""

    referral_id: UUID
    source_agency_id: UUID
    target_agency_id: UUID


@dataclass(frozen=True, slots=True)
class Booked:
    """The one appointment of a referral that is booked, locked until the transaction ends."""

    id: UUID
    starts_at: datetime
    time_zone: str


async def schedule(session: AsyncSession, of: Visited, visit: VisitTime, *, now: datetime) -> UUID:
    """Book a visit under a referral and tell the custodian; returns the appointment's id.

    Raises:
        as VisitTime.starts_at.
    """
    starts_at = visit.starts_at(now)
    appointment_id = uuid4()
    await session.execute(
        insert(Appointment)
        .values(
            id=appointment_id,
            referral_id=of.referral_id,
            source_agency_id=of.source_agency_id,
            target_agency_id=of.target_agency_id,
            status=AppointmentStatus.BOOKED,
            version=1,
            created_at=now,
            starts_at=starts_at,
            time_zone=visit.time_zone,
            duration_minutes=visit.duration_minutes,
            mode=visit.mode,
        )
        .inline()
    )
    booked = Booked(appointment_id, starts_at, visit.time_zone)
    await _tell(session, NoticeKind.APPOINTMENT_SET, of, booked, now=now)
    return appointment_id


async def reschedule(session: AsyncSession, of: Visited, visit: VisitTime, *, now: datetime) -> UUID:
    """Move the booked visit, or book another where the last one was missed, attended or cancelled.

    Raises:
        as VisitTime.starts_at.
    """
    booked = await _lock_booked(session, of.referral_id)
    if booked is None:
        return await schedule(session, of, visit, now=now)
    starts_at = visit.starts_at(now)
    await session.execute(
        update(Appointment)
        .where(Appointment.id == booked.id)
        .values(
            starts_at=starts_at,
            time_zone=visit.time_zone,
            duration_minutes=visit.duration_minutes,
            mode=visit.mode,
            # She confirmed another time than this one.
            confirmed_at=None,
            version=Appointment.version + 1,
        )
        .execution_options(synchronize_session=False)
    )
    moved = Booked(booked.id, starts_at, visit.time_zone)
    await _tell(session, NoticeKind.APPOINTMENT_CHANGED, of, moved, now=now)
    return booked.id


async def cancel(session: AsyncSession, of: Visited, *, now: datetime) -> UUID:
    """Cancel the booked visit, as its target.

    Raises:
        NoBookedAppointment: there is none.
    """
    booked = await _end_booked(session, of.referral_id, AppointmentStatus.CANCELLED)
    await _tell(session, NoticeKind.APPOINTMENT_CANCELLED, of, booked, now=now)
    return booked.id


async def mark_attended(session: AsyncSession, referral_id: UUID) -> UUID:
    """She came. Raises NoBookedAppointment."""
    return await _mark(session, referral_id, AppointmentStatus.FULFILLED)


async def mark_no_show(session: AsyncSession, referral_id: UUID) -> UUID:
    """She did not come. Raises NoBookedAppointment."""
    return await _mark(session, referral_id, AppointmentStatus.NOSHOW)


async def cancel_if_ahead(session: AsyncSession, of: Visited, *, now: datetime) -> None:
    """The target ends the referral: a visit still to come is cancelled, one in the past stays as it was recorded."""
    booked = await _lock_booked(session, of.referral_id)
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


async def _lock_booked(session: AsyncSession, referral_id: UUID) -> Booked | None:
    columns = select(Appointment.id, Appointment.starts_at, Appointment.time_zone)
    booked = columns.where(Appointment.referral_id == referral_id, Appointment.status == AppointmentStatus.BOOKED)
    row = (await session.execute(booked.with_for_update())).one_or_none()
    return Booked(*row) if row else None


async def _end_booked(session: AsyncSession, referral_id: UUID, status: AppointmentStatus) -> Booked:
    booked = await _lock_booked(session, referral_id)
    if booked is None:
        raise NoBookedAppointment
    await session.execute(
        update(Appointment)
        .where(Appointment.id == booked.id)
        .values(status=status, version=Appointment.version + 1)
        .execution_options(synchronize_session=False)
    )
    return booked


async def _tell(session: AsyncSession, kind: NoticeKind, of: Visited, booked: Booked, *, now: datetime) -> None:
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

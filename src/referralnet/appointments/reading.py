"""Appointments as rows, for the two parties of their referral."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Date, Row, Select, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.appointments.arrangements import Arrangements, arrangements_of
from referralnet.appointments.tables import Appointment, AppointmentStatus, Mode
from referralnet.database.acting import AgencyKind, Member
from referralnet.errors import NotFound

TOLD_STATUS_ONLY = frozenset({AgencyKind.LAW_ENFORCEMENT, AgencyKind.PROSECUTION})
"""R5: a source of these kinds learns that and when, and nothing of how or where."""


_AS_STORED = (
    "id",
    "referral_id",
    "starts_at",
    "time_zone",
    "duration_minutes",
    "mode",
    "call_by",
    "interpreter_language",
    "interpreter_arranged",
    "travel",
    "travel_arranged",
    "status",
    "confirmed_at",
    "version",
    "source_agency_id",
)
_COLUMNS: Select[Any] = select(*(getattr(Appointment, name) for name in _AS_STORED))


@dataclass(frozen=True, slots=True)
class AppointmentRow:
    """A visit. `duration_minutes`, `mode` and `arranged` are None for a law-enforcement or prosecution source (R5)."""

    id: UUID
    referral_id: UUID
    starts_at: datetime
    time_zone: str
    duration_minutes: int | None
    mode: Mode | None
    arranged: Arrangements | None
    status: AppointmentStatus
    confirmed_at: datetime | None
    version: int

    @property
    def code(self) -> str:
        """By what people find it again in a calendar: a part of a random number."""
        return self.id.hex[:8].upper()


async def appointments(
    session: AsyncSession, actor: Member, referral_ids: Iterable[UUID]
) -> dict[UUID, list[AppointmentRow]]:
    """The appointments of each referral, oldest first; row security leaves only those the actor is a party of."""
    asked = _COLUMNS.where(Appointment.referral_id.in_(list(referral_ids)))
    found: dict[UUID, list[AppointmentRow]] = defaultdict(list)
    for row in await session.execute(asked.order_by(Appointment.created_at, Appointment.id)):
        found[row.referral_id].append(_told(actor, row))
    return found


async def appointment(session: AsyncSession, actor: Member, appointment_id: UUID) -> AppointmentRow:
    """One appointment of the acting agency, on either side.

    Raises:
        NotFound: there is none, or it is between others: the answer is the same (C6).
    """
    row = (await session.execute(_COLUMNS.where(Appointment.id == appointment_id))).one_or_none()
    if row is None:
        raise NotFound(field="appointment_id")
    return _told(actor, row)


async def appointments_between(
    session: AsyncSession, actor: Member, first_day: date, last_day: date, *, most: int
) -> list[AppointmentRow]:
    """The acting agency's visits of these days, each by the clock of its own zone, earliest first, `most` at most."""
    day = cast(func.timezone(Appointment.time_zone, Appointment.starts_at), Date)
    # Every zone's day lies within the same day of UTC and its neighbours, which the index knows.
    since = datetime.combine(first_day, time.min, UTC) - timedelta(days=1)
    until = datetime.combine(last_day, time.max, UTC) + timedelta(days=1)
    asked = _COLUMNS.where(Appointment.starts_at.between(since, until), day.between(first_day, last_day))
    rows = await session.execute(asked.order_by(Appointment.starts_at, Appointment.id).limit(most))
    return [_told(actor, row) for row in rows]


def _told(actor: Member, row: Row[Any]) -> AppointmentRow:
    """A row as the actor's side may know it."""
    withheld = row.source_agency_id == actor.agency_id and actor.agency_kind in TOLD_STATUS_ONLY
    return AppointmentRow(
        id=row.id,
        referral_id=row.referral_id,
        starts_at=row.starts_at,
        time_zone=row.time_zone,
        duration_minutes=None if withheld else row.duration_minutes,
        mode=None if withheld else Mode(row.mode),
        arranged=None if withheld else arrangements_of(row),
        status=AppointmentStatus(row.status),
        confirmed_at=row.confirmed_at,
        version=row.version,
    )

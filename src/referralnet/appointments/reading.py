"""Appointments as rows, for the two parties of their referral."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.appointments.tables import Appointment, AppointmentStatus, Mode
from referralnet.database.acting import AgencyKind, Member

TOLD_STATUS_ONLY = frozenset({AgencyKind.LAW_ENFORCEMENT, AgencyKind.PROSECUTION})
"""R5: a source of these kinds learns that and when, and nothing of how or where."""


@dataclass(frozen=True, slots=True)
class AppointmentRow:
    """A visit. `duration_minutes` and `mode` are None for a law-enforcement or prosecution source (R5)."""

    id: UUID
    referral_id: UUID
    starts_at: datetime
    time_zone: str
    duration_minutes: int | None
    mode: Mode | None
    status: AppointmentStatus
    confirmed_at: datetime | None
    version: int


async def appointments(
    session: AsyncSession, actor: Member, referral_ids: Iterable[UUID]
) -> dict[UUID, list[AppointmentRow]]:
    """The appointments of each referral, oldest first; row security leaves only those the actor is a party of."""
    columns = select(
        Appointment.id,
        Appointment.referral_id,
        Appointment.starts_at,
        Appointment.time_zone,
        Appointment.duration_minutes,
        Appointment.mode,
        Appointment.status,
        Appointment.confirmed_at,
        Appointment.version,
        Appointment.source_agency_id,
    )
    asked = columns.where(Appointment.referral_id.in_(list(referral_ids)))
    found: dict[UUID, list[AppointmentRow]] = defaultdict(list)
    for row in await session.execute(asked.order_by(Appointment.created_at, Appointment.id)):
        withheld = row.source_agency_id == actor.agency_id and actor.agency_kind in TOLD_STATUS_ONLY
        found[row.referral_id].append(
            AppointmentRow(
                id=row.id,
                referral_id=row.referral_id,
                starts_at=row.starts_at,
                time_zone=row.time_zone,
                duration_minutes=None if withheld else row.duration_minutes,
                mode=None if withheld else Mode(row.mode),
                status=AppointmentStatus(row.status),
                confirmed_at=row.confirmed_at,
                version=row.version,
            )
        )
    return found

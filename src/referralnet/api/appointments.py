"""Appointments as the API tells them, kept by the referral's target."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry

from referralnet.appointments.reading import AppointmentRow
from referralnet.appointments.tables import AppointmentStatus, Mode

strawberry.enum(AppointmentStatus, description="Where an appointment stands (FHIR Appointment.status).")
strawberry.enum(Mode, name="AppointmentMode", description="How they meet.")


@strawberry.type(description="A visit under a referral.")
class Appointment:
    id: UUID
    code: str = strawberry.field(description="What a calendar file calls it.")
    starts_at: datetime
    time_zone: str = strawberry.field(description="IANA name of the zone it was set in.")
    duration_minutes: int | None = strawberry.field(description="Not told to a law-enforcement or prosecution source.")
    mode: Mode | None = strawberry.field(description="Not told to a law-enforcement or prosecution source.")
    status: AppointmentStatus
    confirmed_at: datetime | None = strawberry.field(description="When she answered that she will come.")

    @classmethod
    def of(cls, row: AppointmentRow) -> Appointment:
        return cls(
            id=row.id,
            code=row.code,
            starts_at=row.starts_at,
            time_zone=row.time_zone,
            duration_minutes=row.duration_minutes,
            mode=row.mode,
            status=row.status,
            confirmed_at=row.confirmed_at,
        )


@strawberry.input(description="A visit to book: what a clock in that zone will show.")
class VisitInput:
    local_start: datetime = strawberry.field(
        description="Without an offset, e.g. 2026-11-30T14:00:00. Refused where the clock skips or repeats that hour."
    )
    time_zone: str
    duration_minutes: int
    mode: Mode

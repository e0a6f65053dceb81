"""Table of appointments; its statuses are codes of FHIR Appointment."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from referralnet.database.tables import Base


class AppointmentStatus(StrEnum):
    """What became of an appointment (FHIR Appointment.status)."""

    BOOKED = "booked"
    FULFILLED = "fulfilled"
    NOSHOW = "noshow"
    CANCELLED = "cancelled"


class Mode(StrEnum):
    """How the survivor and the service meet."""

    IN_PERSON = "in_person"
    PHONE = "phone"
    VIDEO = "video"


class Appointment(Base):
    """A visit under a referral: a time and a way to meet, no place and no person (C5)."""

    __tablename__ = "appointment"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    referral_id: Mapped[UUID]
    source_agency_id: Mapped[UUID]
    target_agency_id: Mapped[UUID]
    starts_at: Mapped[datetime]
    time_zone: Mapped[str]
    duration_minutes: Mapped[int] = mapped_column(SmallInteger)
    mode: Mapped[str]
    status: Mapped[str]
    confirmed_at: Mapped[datetime | None]
    version: Mapped[int]
    created_at: Mapped[datetime]

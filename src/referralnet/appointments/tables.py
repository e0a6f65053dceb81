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


class CallBy(StrEnum):
    """Who calls, where they meet by phone. The number is no part of an appointment."""

    SERVICE = "service"
    SURVIVOR = "survivor"


class Travel(StrEnum):
    """Who sees to it that she gets there."""

    NOT_NEEDED = "not_needed"
    SURVIVOR = "survivor"
    TARGET = "target"
    SOURCE = "source"


class Appointment(Base):
    """A visit under a referral: a time, a way to meet and codes of what is arranged; no place and no person (C5)."""

    __tablename__ = "appointment"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    referral_id: Mapped[UUID]
    source_agency_id: Mapped[UUID]
    target_agency_id: Mapped[UUID]
    starts_at: Mapped[datetime]
    time_zone: Mapped[str]
    duration_minutes: Mapped[int] = mapped_column(SmallInteger)
    mode: Mapped[str]
    call_by: Mapped[str | None]
    interpreter_language: Mapped[str | None]
    interpreter_arranged: Mapped[bool]
    travel: Mapped[str | None]
    travel_arranged: Mapped[bool]
    status: Mapped[str]
    confirmed_at: Mapped[datetime | None]
    version: Mapped[int]
    created_at: Mapped[datetime]

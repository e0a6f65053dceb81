"""Appointments as the API tells them, kept by the referral's target."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry
from strawberry import UNSET

from referralnet.appointments.arrangements import NOTHING_ARRANGED, Arrangements
from referralnet.appointments.reading import AppointmentRow
from referralnet.appointments.tables import AppointmentStatus, CallBy, Mode, Travel

strawberry.enum(AppointmentStatus, description="Where an appointment stands (FHIR Appointment.status).")
strawberry.enum(Mode, name="AppointmentMode", description="How they meet.")
strawberry.enum(CallBy, description="Who calls; the number is no part of a visit.")
strawberry.enum(Travel, name="TravelBy", description="Who sees to it that she gets there.")


_WITHHELD = "Not told to a law-enforcement or prosecution source."


@strawberry.type(description="An interpreter who is wanted for a visit.")
class Interpreter:
    language: str
    arranged: bool


@strawberry.type(name="Travel", description="Who sees to her way to a visit, and whether that is arranged.")
class TravelArrangement:
    by: Travel
    arranged: bool


@strawberry.type(description="A visit under a referral.")
class Appointment:
    id: UUID
    code: str = strawberry.field(description="What a calendar file calls it.")
    starts_at: datetime
    time_zone: str = strawberry.field(description="IANA name of the zone it was set in.")
    duration_minutes: int | None = strawberry.field(description=_WITHHELD)
    mode: Mode | None = strawberry.field(description=_WITHHELD)
    call_by: CallBy | None = strawberry.field(description=_WITHHELD)
    interpreter: Interpreter | None = strawberry.field(description=_WITHHELD)
    travel: TravelArrangement | None = strawberry.field(description=_WITHHELD)
    status: AppointmentStatus
    confirmed_at: datetime | None = strawberry.field(description="When she answered that she will come.")

    @classmethod
    def of(cls, row: AppointmentRow) -> Appointment:
        held = row.arranged or NOTHING_ARRANGED
        return cls(
            id=row.id,
            code=row.code,
            starts_at=row.starts_at,
            time_zone=row.time_zone,
            duration_minutes=row.duration_minutes,
            mode=row.mode,
            call_by=held.call_by,
            interpreter=_interpreter(held),
            travel=TravelArrangement(by=held.travel, arranged=held.travel_arranged) if held.travel else None,
            status=row.status,
            confirmed_at=row.confirmed_at,
        )


def _interpreter(held: Arrangements) -> Interpreter | None:
    if held.interpreter_language is None:
        return None
    return Interpreter(language=held.interpreter_language, arranged=held.interpreter_arranged)


@strawberry.input(description="An interpreter who is wanted; the service sees to it.")
class InterpreterInput:
    language: str = strawberry.field(description="ISO 639 code, such as es, or ase for American Sign Language.")
    arranged: bool = strawberry.field(default=False, description="Whether the service has found one.")


@strawberry.input(description="Who sees to it that she gets there.")
class TravelInput:
    by: Travel
    arranged: bool = strawberry.field(default=False, description="The sender says it of itself: markTravelArranged.")


@strawberry.input(description="A visit to book: what a clock in that zone will show, and codes of what is arranged.")
class VisitInput:
    local_start: datetime = strawberry.field(
        description="Without an offset, e.g. 2026-11-30T14:00:00. Refused where the clock skips that time."
    )
    time_zone: str
    duration_minutes: int
    mode: Mode
    utc_offset: str | None = strawberry.field(
        default=None, description="Such as -05:00: which of two it is, where the clock shows that time twice."
    )
    call_by: CallBy | None = strawberry.field(default=UNSET, description="Where they meet by phone.")
    interpreter: InterpreterInput | None = strawberry.field(default=UNSET, description="As it is, where left out.")
    travel: TravelInput | None = strawberry.field(default=UNSET, description="Where they meet in person.")


@strawberry.input(description="What is to change of the booked visit. What is left out stays; null takes away.")
class VisitChangeInput:
    local_start: datetime | None = strawberry.field(
        default=None, description="Moves the visit: what was arranged for the other time is to be arranged anew."
    )
    time_zone: str | None = strawberry.field(default=None, description="With localStart; the visit's own without it.")
    utc_offset: str | None = None
    duration_minutes: int | None = None
    mode: Mode | None = None
    call_by: CallBy | None = UNSET
    interpreter: InterpreterInput | None = UNSET
    travel: TravelInput | None = UNSET


def arranged_in(given: VisitInput | VisitChangeInput) -> dict[str, Any]:
    """The fields of `Arrangements` that an input names."""
    named: dict[str, Any] = {}
    if given.call_by is not UNSET:
        named["call_by"] = given.call_by
    if given.interpreter is not UNSET:
        named["interpreter_language"] = given.interpreter.language if given.interpreter else None
        named["interpreter_arranged"] = given.interpreter.arranged if given.interpreter else False
    if given.travel is not UNSET:
        named["travel"] = given.travel.by if given.travel else None
        named["travel_arranged"] = given.travel.arranged if given.travel else False
    return named

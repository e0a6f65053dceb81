"""A visit as a form holds it: a day and a clock's time at a place, how the two meet, and what is arranged for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from referralnet.appointments.arrangements import NOTHING_ARRANGED
from referralnet.appointments.changing import VisitChange
from referralnet.appointments.reading import AppointmentRow
from referralnet.appointments.tables import CallBy, Mode, Travel
from referralnet.console.forms import Form
from referralnet.errors import InvalidInput

DURATIONS = (15, 30, 45, 60, 90, 120, 180, 240)
ZONES = (
    "America/New_York", "America/Chicago", "America/Denver", "America/Phoenix", "America/Los_Angeles",
    "America/Anchorage", "Pacific/Honolulu", "America/Puerto_Rico",
)  # fmt: skip
PHRASES = ("Choose one.", "Choose a day.", "Choose a time.")
_TARGET_SAYS = frozenset({Travel.SURVIVOR, Travel.TARGET})


@dataclass(frozen=True, slots=True)
class VisitForm:
    """What was typed, read as far as it can be."""

    local_start: datetime
    utc_offset: timedelta | None
    time_zone: str
    duration_minutes: int
    mode: Mode
    arranged: dict[str, Any]

    @property
    def details(self) -> dict[str, Any]:
        """As a visit is booked or moved."""
        return {
            "local_start": self.local_start,
            "time_zone": self.time_zone,
            "duration_minutes": self.duration_minutes,
            "mode": self.mode,
            "utc_offset": self.utc_offset,
            "arranged": self.arranged,
        }

    def change_of(self, booked: AppointmentRow) -> VisitChange:
        """What is another than in the booked visit: with the same time it does not move, and what is arranged stays."""
        was = booked.starts_at.astimezone(ZoneInfo(booked.time_zone)).replace(tzinfo=None, fold=0)
        moves = (self.local_start, self.time_zone) != (was, booked.time_zone) or self.utc_offset is not None
        how = VisitChange(duration_minutes=self.duration_minutes, mode=self.mode, arranged=self.arranged)
        if not moves:
            return how
        return replace(how, local_start=self.local_start, time_zone=self.time_zone, utc_offset=self.utc_offset)


def read_visit(form: Form) -> VisitForm:
    """The form that was sent.

    Raises:
        InvalidInput: naming the field.
    """
    local_start, utc_offset = _when(form)
    mode = _code(Mode, form, "mode")
    assert mode is not None
    return VisitForm(
        local_start=local_start,
        utc_offset=utc_offset,
        time_zone=form.get("time_zone", ""),
        duration_minutes=_whole(form, "duration_minutes"),
        mode=mode,
        arranged=_arranged(form, mode),
    )


def typed_of(booked: AppointmentRow | None, *, time_zone: str, language: str) -> Form:
    """The form as it is first shown: the booked visit as it stands, or one that is to be filled in."""
    if booked is None or booked.mode is None:
        spoken = [("interpreter", language)] if language != "en" else []
        return Form([("time_zone", time_zone), ("duration_minutes", "60"), ("mode", Mode.IN_PERSON), *spoken])
    local, held = booked.starts_at.astimezone(ZoneInfo(booked.time_zone)), booked.arranged or NOTHING_ARRANGED
    ticks = {"interpreter_arranged": held.interpreter_arranged, "travel_arranged": held.travel_arranged}
    fields = {
        "day": local.date().isoformat(), "time": local.strftime("%H:%M"), "time_zone": booked.time_zone,
        "duration_minutes": str(booked.duration_minutes), "mode": booked.mode, "call_by": held.call_by or "",
        "interpreter": held.interpreter_language or "", "travel": held.travel or "",
    }  # fmt: skip
    return Form([*fields.items(), *((name, "1") for name, is_so in ticks.items() if is_so)])


def _when(form: Form) -> tuple[datetime, timedelta | None]:
    """The wall's time; of the two that a clock may mean, the one that was chosen with its offset."""
    if chosen := form.words("which"):
        try:
            at = datetime.fromisoformat(chosen)
        except ValueError:
            raise InvalidInput(field="which", detail="Choose one.") from None
        return at.replace(tzinfo=None), at.utcoffset()
    try:
        day = date.fromisoformat(form.get("day", ""))
    except ValueError:
        raise InvalidInput(field="day", detail="Choose a day.") from None
    try:
        return datetime.combine(day, time.fromisoformat(form.get("time", "")).replace(tzinfo=None)), None
    except ValueError:
        raise InvalidInput(field="time", detail="Choose a time.") from None


def _arranged(form: Form, mode: Mode) -> dict[str, Any]:
    """What is arranged, without what does not fit how they meet: those fields are not shown then."""
    language = form.words("interpreter")
    travel = _code(Travel, form, "travel", optional=True) if mode is Mode.IN_PERSON else None
    said: dict[str, Any] = {
        "call_by": _code(CallBy, form, "call_by", optional=True) if mode is Mode.PHONE else None,
        "interpreter_language": language,
        "interpreter_arranged": language is not None and "interpreter_arranged" in form,
        "travel": travel,
    }
    if travel in _TARGET_SAYS:
        said["travel_arranged"] = "travel_arranged" in form
    return said


def _whole(form: Form, field: str) -> int:
    given = form.get(field, "").strip()
    if not (given.isascii() and given.isdigit() and len(given) < 5):
        raise InvalidInput(field=field, detail="Choose one.")
    return int(given)


def _code(codes: Any, form: Form, field: str, *, optional: bool = False) -> Any:
    given = form.get(field, "")
    if optional and not given:
        return None
    try:
        return codes(given)
    except ValueError:
        raise InvalidInput(field=field, detail="Choose one.") from None

"""What an agency may say of its own listing, and the checks that need no database; each refusal names the field."""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from referralnet.directory.capacity import UNITS_MAX
from referralnet.directory.freshness import FRESH_FOR
from referralnet.directory.values import UnreadableValue, language_code, telephone, time_of_day
from referralnet.errors import InvalidInput

Value = TypeVar("Value")

TEXT_LENGTH_MAX = {"name": 200, "description": 5_000, "eligibility_description": 2_000, "application_process": 2_000}
STATUSES = ("active", "inactive", "defunct", "temporarily closed")
"""HSDS service.status. Only an active service is found by search."""
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
ROWS_MAX = 50


@dataclass(frozen=True, slots=True)
class OpenHours:
    """Hours of some weekdays (RFC 5545 BYDAY), local "HH:MM"; closing before opening is the next day's."""

    weekdays: tuple[str, ...]
    opens_at: str
    closes_at: str
    valid_from: dt.date | None = None
    valid_to: dt.date | None = None


@dataclass(frozen=True, slots=True)
class FrontDoor:
    """The one telephone that the listing shows."""

    number: str
    extension: str | None = None


@dataclass(frozen=True, slots=True)
class CountedUnit:
    """Units free now, out of a maximum where there is one."""

    unit: str
    available: int
    maximum: int | None = None


@dataclass(frozen=True, slots=True)
class StandingUnit:
    """A unit that is counted already and stays as it is, whatever is held of it meanwhile."""

    unit: str


@dataclass(frozen=True, slots=True)
class ListingChange:
    """What to change; None leaves a part as it is. An empty text takes it away, an empty list all rows of that part.

    `assured`: all of it, as it stands after this, was looked over and is true. By itself it makes no part one's own.
    """

    name: str | None = None
    description: str | None = None
    eligibility_description: str | None = None
    application_process: str | None = None
    status: str | None = None
    schedules: tuple[OpenHours, ...] | None = None
    languages: tuple[str, ...] | None = None
    phone: FrontDoor | None = None
    capacity: tuple[CountedUnit | StandingUnit, ...] | None = None
    assurer_email: str | None = None
    assured: bool = False

    @property
    def words(self) -> frozenset[str]:
        """The parts that are given and are the agency admin's to keep."""
        return frozenset(part for part in WORD_PARTS if getattr(self, part) is not None)

    @property
    def is_assured(self) -> bool:
        """Whether somebody stands for it anew: whoever changes its words does, and whoever says so."""
        return bool(self.words) or self.assured or self.assurer_email is not None

    @property
    def parts(self) -> frozenset[str]:
        return self.words | ({"capacity"} if self.capacity is not None else set())


TEXT_PARTS = ("name", "description", "eligibility_description", "application_process", "status")
WORD_PARTS = (*TEXT_PARTS, "schedules", "languages", "phone")
PARTS = (*WORD_PARTS, "capacity")


def checked(change: ListingChange) -> ListingChange:
    """The change with every value in the form that is stored.

    Raises:
        InvalidInput: a value is not acceptable, or nothing is given; names the field.
    """
    if not change.parts and not change.is_assured:
        raise InvalidInput(field="change", detail="Nothing is given.")
    texts = {part: _text(part, getattr(change, part)) for part in TEXT_LENGTH_MAX}
    if change.status is not None and change.status not in STATUSES:
        raise InvalidInput(field="status", detail=f"One of: {', '.join(STATUSES)}.")
    if change.assurer_email is not None and not _is_email(change.assurer_email):
        raise InvalidInput(field="assurer_email", detail="It is not an e-mail address.")
    return ListingChange(
        **texts,
        status=change.status,
        schedules=_each("schedules", change.schedules, _hours),
        languages=_unique(_each("languages", change.languages, language_code)),
        phone=None if change.phone is None else _read("phone", change.phone, _front_door),
        capacity=_counted(change.capacity),
        assurer_email=change.assurer_email,
        assured=change.assured,
    )


def _text(field: str, value: str | None) -> str | None:
    if value is None:
        return None
    text = unicodedata.normalize("NFC", value).strip()
    if field == "name" and not text:
        raise InvalidInput(field=field, detail="It is empty.")
    if len(text) > TEXT_LENGTH_MAX[field]:
        raise InvalidInput(field=field, detail=f"At most {TEXT_LENGTH_MAX[field]} characters.")
    if any(unicodedata.category(letter) in ("Cc", "Cs") and letter != "\n" for letter in text):
        raise InvalidInput(field=field, detail="It has a control character.")
    return text


def _is_email(value: str) -> bool:
    local, at, domain = value.partition("@")
    return bool(local and at and "." in domain) and len(value) <= 200 and not any(map(str.isspace, value))


def _hours(hours: OpenHours) -> OpenHours:
    days = tuple(day for day in WEEKDAYS if day in hours.weekdays)
    if not days or set(hours.weekdays) - set(WEEKDAYS):
        raise UnreadableValue("weekdays are MO, TU, WE, TH, FR, SA, SU")
    if hours.valid_from and hours.valid_to and hours.valid_to < hours.valid_from:
        raise UnreadableValue("valid_to is before valid_from")
    return OpenHours(days, time_of_day(hours.opens_at), time_of_day(hours.closes_at), hours.valid_from, hours.valid_to)


def _front_door(phone: FrontDoor) -> FrontDoor:
    number, extension = telephone(phone.number.strip())
    extension = phone.extension or extension
    if extension is not None and not (extension.isdecimal() and len(extension) <= 10):
        raise UnreadableValue("the extension is digits alone")
    return FrontDoor(number, extension)


def _counted(
    units: tuple[CountedUnit | StandingUnit, ...] | None,
) -> tuple[CountedUnit | StandingUnit, ...] | None:
    read = _each("capacity", units, _unit)
    if read is not None and len({unit.unit for unit in read}) < len(read):
        raise InvalidInput(field="capacity", detail="A unit is counted twice.")
    return read


def _unit(unit: CountedUnit | StandingUnit) -> CountedUnit | StandingUnit:
    name = unit.unit.strip().lower()
    if isinstance(unit, StandingUnit):
        return StandingUnit(name)
    if name not in FRESH_FOR:
        raise UnreadableValue(f"units are: {', '.join(FRESH_FOR)}")
    highest = UNITS_MAX if unit.maximum is None else unit.maximum
    if not 0 <= unit.available <= highest <= UNITS_MAX:
        raise UnreadableValue(f"available is from 0 to the maximum, and that at most {UNITS_MAX}")
    return CountedUnit(name, unit.available, unit.maximum)


def _each(field: str, rows: tuple[Value, ...] | None, read: Callable[[Value], Value]) -> tuple[Value, ...] | None:
    if rows is None:
        return None
    if len(rows) > ROWS_MAX:
        raise InvalidInput(field=field, detail=f"At most {ROWS_MAX}.")
    return tuple(_read(f"{field}.{at}", row, read) for at, row in enumerate(rows))


def _read(field: str, value: Value, read: Callable[[Value], Value]) -> Value:
    try:
        return read(value)
    except UnreadableValue as unreadable:
        raise InvalidInput(field=field, detail=f"{str(unreadable).capitalize()}. {unreadable.hint}".strip()) from None


def _unique(values: tuple[str, ...] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(dict.fromkeys(values))

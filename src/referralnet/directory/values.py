"""Cells into values: each reader takes the text of a cell and gives the value, or says why it cannot be one."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from functools import lru_cache

import phonenumbers
from babel import Locale

from referralnet.directory.formats import TABLE_NAMES, WEEKDAYS

YEAR_MIN, YEAR_MAX = 1900, 2200
# The same few hours, ages and languages stand in most of a million rows.
_remembered = lru_cache(maxsize=4_096)


class UnreadableValue(Exception):
    """A cell does not hold what its column is for."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.hint = hint
        super().__init__(message)


@_remembered
def number(cell: str) -> Decimal:
    try:
        value = Decimal(cell.replace(",", ""))
    except InvalidOperation:
        raise UnreadableValue("not a number", "Write digits alone, e.g. 18.") from None
    # 1e999999999 is a number to Python and fills the memory of whoever writes it out.
    if not value.is_finite() or not -20 <= value.adjusted() <= 20 or len(value.as_tuple().digits) > 40:
        raise UnreadableValue("not a number", "Write digits alone, e.g. 18.")
    return value


def whole(cell: str) -> int:
    value = number(cell)
    if value != int(value) or not 0 <= value < 2**31:
        raise UnreadableValue("not a count", "Write a whole number from 0.")
    return int(value)


def degrees(cell: str) -> float:
    value = float(number(cell))
    if not -180 <= value <= 180:
        raise UnreadableValue("not a coordinate", "Write decimal degrees, e.g. 41.8858.")
    return value


@_remembered
def date(cell: str) -> dt.date:
    try:
        return dt.date.fromisoformat(cell)
    except ValueError:
        raise UnreadableValue("not a date", "Write YYYY-MM-DD.") from None


@_remembered
def instant(cell: str) -> dt.datetime:
    """An aware time; a time without a zone is taken as UTC, as HSDS has it."""
    try:
        value = dt.datetime.fromisoformat(cell)
    except ValueError:
        raise UnreadableValue("not a time", "Write YYYY-MM-DDTHH:MM:SS.sssZ.") from None
    # The first and the last day of Python's calendar are none in every zone.
    if not YEAR_MIN <= value.year <= YEAR_MAX:
        raise UnreadableValue(f"not a time from {YEAR_MIN} to {YEAR_MAX}", "Write YYYY-MM-DDTHH:MM:SS.sssZ.")
    return value if value.tzinfo else value.replace(tzinfo=dt.UTC)


_TIME = re.compile(
    r"(\d{1,2})(?::?(\d{2})(?::\d{2}(?:\.\d+)?)?|(?=\s*[ap]))\s*([ap]\.?m\.?)?\s*(Z|[+-]\d{2}:?\d{2})?",
    re.IGNORECASE | re.ASCII,
)
_SPAN = re.compile(r".*\d.*(?:-|\u2013|\u2014|\bto\b|\ba\b).*\d.*", re.IGNORECASE)


@_remembered
def time_of_day(cell: str) -> str:
    """HH:MM with the offset where there was one: "9:00" and "9 am" are "09:00", "24:00" stays (HSDS opens_at)."""
    match = _TIME.fullmatch(cell)
    if match is None and _SPAN.fullmatch(cell):
        hint = "Write the first in opens_at and the second in closes_at, each as HH:MM."
        raise UnreadableValue("two times in one cell", hint)
    if match is None:
        raise UnreadableValue("not a time of day", "Write HH:MM, e.g. 09:00.")
    hour, minute, half, offset = int(match[1]), int(match[2] or 0), (match[3] or "")[:1].lower(), match[4] or ""
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    if (hour, minute) > (24, 0) or minute > 59:
        raise UnreadableValue("not a time of day", "Write HH:MM, e.g. 09:00.")
    return f"{hour:02}:{minute:02}{offset.upper()}"


@_remembered
def days(cell: str) -> str:
    """RFC 5545 BYDAY; weekday names of HSDS 1.x are turned into it ("Sunday" -> "SU", "2nd" parts as "2MO" stay)."""
    parts = [part.strip() for part in cell.split(",")]
    read = [WEEKDAYS.get(part.lower(), part.upper()) for part in parts if part]
    if not all(re.fullmatch(r"[+-]?\d{0,2}(MO|TU|WE|TH|FR|SA|SU)", part) for part in read):
        raise UnreadableValue("not a weekday", "Write MO,TU,WE,TH,FR,SA,SU or the English name.")
    return ",".join(read)


# The shapes of nearly all numbers, read without the library, which takes a hundred times as long for the same answer.
_PLAIN_NUMBER = re.compile(r"(?:\+?1[ .-])?\(?([2-9]\d\d)\)?[ .-]?([2-9]\d\d)[ .-]?(\d{4})", re.ASCII)


@_remembered
def telephone(cell: str) -> tuple[str, str | None]:
    """The number with its country ("+1 312-555-0142") and its extension; numbers without a country are of the U.S."""
    if plain := _PLAIN_NUMBER.fullmatch(cell):
        return f"+1 {plain[1]}-{plain[2]}-{plain[3]}", None
    try:
        parsed = phonenumbers.parse(cell, "US")
    except phonenumbers.NumberParseException:
        raise UnreadableValue("not a telephone number", "Leave the row out where there is none.") from None
    if not phonenumbers.is_possible_number(parsed):
        raise UnreadableValue("not a telephone number", "Write ten digits, or + and the country.")
    shown = phonenumbers.PhoneNumber(country_code=parsed.country_code, national_number=parsed.national_number)
    return phonenumbers.format_number(shown, phonenumbers.PhoneNumberFormat.INTERNATIONAL), parsed.extension


@lru_cache(maxsize=1)
def _language_names() -> dict[str, str]:
    """English and Spanish names of languages, in lower case, to their codes."""
    return {
        name.lower(): code
        for locale in ("es", "en")
        for code, name in Locale(locale).languages.items()
        if 2 <= len(code) <= 3
    } | {"mandarin": "zh", "cantonese": "yue", "haitian creole": "ht", "farsi": "fa", "tagalog": "tl"}


@_remembered
def language_code(cell: str) -> str:
    """ISO 639 code of a code ("es", "es-MX", "ES") or of an English or Spanish name ("Spanish", "español")."""
    known = _language_names()
    wanted = cell.strip().lower()
    code = wanted.replace("_", "-").partition("-")[0]
    if code in known.values():
        return code
    if wanted in known:
        return known[wanted]
    raise UnreadableValue("not a language", "Write an ISO 639-1 code, e.g. es.")


def entity(cell: str) -> str:
    """The table that a row hangs on, by its HSDS name ("services" and "Service" are "service")."""
    return TABLE_NAMES.get(cell.lower(), cell)


SPECIAL: dict[tuple[str, str], Callable[[str], object]] = {
    ("location", "latitude"): degrees,
    ("location", "longitude"): degrees,
    ("schedule", "opens_at"): time_of_day,
    ("schedule", "closes_at"): time_of_day,
    ("schedule", "byday"): days,
    ("phone", "number"): telephone,
    ("language", "code"): language_code,
    ("attribute", "link_entity"): entity,
    ("metadata", "resource_type"): entity,
    ("service_capacity", "available"): whole,
    ("service_capacity", "maximum"): whole,
}
BY_TYPE: dict[type, Callable[[str], object]] = {Decimal: number, dt.date: date, dt.datetime: instant}

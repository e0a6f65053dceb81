"""What a part of a listing says, or said before, as a person reads it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from referralnet.console.words import Words
from referralnet.directory.listing_change import WEEKDAYS
from referralnet.directory.listing_reading import Listing, ListingEvent

FROM_TO = "%(days)s %(opens)s to %(closes)s"
PHRASES = (FROM_TO,)
_HOURS = re.compile(r"(?:([A-Z,]+) )?(\d\d:\d\d\S*) (\d\d:\d\d\S*)(.*?)(?: WEEKLY)?")


def says(words: Words, listing: Listing, part: str) -> list[str]:
    """What a part says now, a line for each row; one empty line where it says nothing."""
    if part == "schedules":
        rows = [_hours(words, hours.weekdays, hours.opens_at, hours.closes_at) for hours in listing.schedules]
        return rows or [""]
    if part == "languages":
        return [", ".join(words.language_name(code) for code in listing.languages)]
    if part == "phone":
        return [" ".join(filter(None, (listing.phone.number, listing.phone.extension))) if listing.phone else ""]
    return [_value(words, part, getattr(listing, part) or "")]


def before_and_after(words: Words, event: ListingEvent) -> list[str | None]:
    """What one change took away and what it brought; None where it is the one or the other alone."""
    values = (event.previous_value, event.replacement_value)
    return [None if value is None else _value(words, event.field_name, value) for value in values]


def _value(words: Words, part: str, value: str) -> str:
    if part == "languages":
        return words.language_name(value)
    if part == "status" and value:
        return words.worded(value, "listing_status")
    if part == "schedules" and (told := _HOURS.fullmatch(value)):
        return f"{_hours(words, (told[1] or '').split(','), told[2], told[3])}{told[4]}"
    return value


def _hours(words: Words, weekdays: Sequence[str], opens: str, closes: str) -> str:
    days = (words.worded(str(WEEKDAYS.index(one)), "weekday") if one in WEEKDAYS else one for one in weekdays if one)
    return (words.said(FROM_TO) % {"days": ", ".join(days), "opens": opens, "closes": closes}).strip()

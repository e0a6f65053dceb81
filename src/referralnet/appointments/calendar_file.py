"""Visits as an iCalendar file (RFC 5545, RFC 7986) that says when, and nothing of whom, where or why.

What stands in a person's calendar is copied to telephones and to firms that ReferralNet knows nothing of: so there is
no name, no place, no description and no way to meet, and what tells visits apart is a random number.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event

from referralnet.appointments.reading import AppointmentRow
from referralnet.appointments.tables import AppointmentStatus

MEDIA_TYPE = "text/calendar"
_MADE_BY = "-//ReferralNet//Appointments//EN"
_RULES_KNOWN_FOR = timedelta(days=366)
"""Before the first and after the last visit: so long the file says how its zones' clocks change."""


def calendar_file(visits: Sequence[AppointmentRow], *, now: datetime) -> bytes:
    """The visits as a calendar; one that is imported again moves or cancels what it brought before."""
    calendar = Calendar()
    calendar.add("prodid", _MADE_BY)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("name", "Appointments")
    starts = [visit.starts_at for visit in visits]
    for visit in visits:
        calendar.add_component(_event(visit, now))
    if starts:
        known_from, known_to = min(starts) - _RULES_KNOWN_FOR, max(starts) + _RULES_KNOWN_FOR
        calendar.add_missing_timezones(known_from.date(), known_to.date())
    content: bytes = calendar.to_ical()
    return content


def _event(visit: AppointmentRow, now: datetime) -> Event:
    event = Event()
    event.add("uid", str(visit.id))
    event.add("dtstamp", now.astimezone(UTC))
    # Each change of the visit counts one further; the first that a calendar sees is 0 (RFC 5545, 3.8.7.4).
    event.add("sequence", visit.version - 1)
    event.add("summary", f"Appointment {visit.code}")
    event.add("status", "CANCELLED" if visit.status is AppointmentStatus.CANCELLED else "CONFIRMED")
    event.add("class", "PRIVATE")
    starts_at, ends_at = _shown(visit)
    event.add("dtstart", starts_at)
    if ends_at is not None:
        event.add("dtend", ends_at)
    return event


def _shown(visit: AppointmentRow) -> tuple[datetime, datetime | None]:
    """Begin and end, as the clock shows them where the visit is."""
    instants = [visit.starts_at]
    if visit.duration_minutes is not None:
        instants.append(visit.starts_at + timedelta(minutes=visit.duration_minutes))
    local = [instant.astimezone(ZoneInfo(visit.time_zone)) for instant in instants]
    # A local time that comes twice means the first to a calendar (RFC 5545, 3.3.5): the second is told by UTC.
    told = [instant.astimezone(UTC) for instant in instants] if any(time.fold for time in local) else local
    return told[0], told[1] if len(told) > 1 else None

"""What a calendar program reads from a file of visits: the right instant in every zone, and nothing of anybody."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from icalendar import Calendar

from referralnet.appointments.arrangements import NOTHING_ARRANGED
from referralnet.appointments.calendar_file import calendar_file
from referralnet.appointments.local_time import instant_of
from referralnet.appointments.reading import AppointmentRow
from referralnet.appointments.tables import AppointmentStatus, Mode

NOW = datetime(2026, 10, 1, tzinfo=UTC)
VISIT = AppointmentRow(
    id=UUID("7c9e6679-7425-40de-944b-e07fc1f90ae7"),
    referral_id=UUID("11111111-1111-4111-8111-111111111111"),
    starts_at=instant_of(datetime.fromisoformat("2026-10-30T14:00"), "America/Chicago"),
    time_zone="America/Chicago",
    duration_minutes=45,
    mode=Mode.VIDEO,
    arranged=NOTHING_ARRANGED,
    status=AppointmentStatus.BOOKED,
    confirmed_at=None,
    version=1,
)


def visit_at(local: str, time_zone: str, **changed: Any) -> AppointmentRow:
    starts_at = instant_of(datetime.fromisoformat(local), time_zone)
    return replace(VISIT, starts_at=starts_at, time_zone=time_zone, **changed)


def read(*visits: AppointmentRow) -> Any:
    """The file as a calendar program parses it."""
    return Calendar.from_ical(calendar_file(visits, now=NOW))


def told_instant(calendar: Any, event: Any, name: str) -> datetime:
    """The instant by the rules that the file itself brings, and not by those of this machine."""
    shown = event[name]
    local: datetime = shown.dt
    if "TZID" not in shown.params:
        return local.astimezone(UTC)
    (zone,) = [one.to_tz() for one in calendar.timezones if one.tz_name == shown.params["TZID"]]
    return local.replace(tzinfo=None).replace(tzinfo=zone).astimezone(UTC)


@pytest.mark.rule("M13")
@pytest.mark.parametrize(
    ("zone", "before", "after"),
    [
        ("America/Chicago", "2026-10-30T14:00", "2026-11-02T14:00"),
        ("America/Chicago", "2027-03-12T09:15", "2027-03-15T09:15"),
        ("Europe/Berlin", "2026-10-23T14:00", "2026-10-26T14:00"),
        ("Australia/Sydney", "2027-04-02T08:00", "2027-04-05T08:00"),
        ("America/Phoenix", "2026-10-30T14:00", "2026-11-02T14:00"),
    ],
)
def test_a_visit_is_at_its_local_time_before_and_after_clocks_change(zone: str, before: str, after: str) -> None:
    visits = [visit_at(before, zone), visit_at(after, zone)]
    calendar = read(*visits)
    for visit, event, local in zip(visits, calendar.events, (before, after), strict=True):
        assert event["DTSTART"].params["TZID"] == zone
        assert event["DTSTART"].dt.replace(tzinfo=None) == datetime.fromisoformat(local)
        assert told_instant(calendar, event, "DTSTART") == visit.starts_at
        assert told_instant(calendar, event, "DTEND") == visit.starts_at + timedelta(minutes=45)


@pytest.mark.rule("M13")
def test_visits_of_two_zones_in_one_file_are_each_right() -> None:
    visits = [visit_at("2026-11-02T14:00", "America/Chicago"), visit_at("2026-11-02T14:00", "Europe/Berlin")]
    calendar = read(*visits)
    assert [told_instant(calendar, event, "DTSTART") for event in calendar.events] == [
        visit.starts_at for visit in visits
    ]


@pytest.mark.rule("M13")
def test_the_second_of_two_hours_of_the_same_name_is_not_taken_for_the_first() -> None:
    first, second = datetime(2026, 11, 1, 6, 30, tzinfo=UTC), datetime(2026, 11, 1, 7, 30, tzinfo=UTC)
    for starts_at in (first, second, second - timedelta(minutes=60)):
        calendar = read(replace(VISIT, starts_at=starts_at))
        (event,) = calendar.events
        assert told_instant(calendar, event, "DTSTART") == starts_at
        assert told_instant(calendar, event, "DTEND") == starts_at + timedelta(minutes=45)


def test_a_visit_that_is_moved_and_cancelled_stays_one_entry_that_counts_its_changes() -> None:
    moved = replace(VISIT, version=2)
    cancelled = replace(VISIT, version=3, status=AppointmentStatus.CANCELLED)
    events = [read(visit).events[0] for visit in (VISIT, moved, cancelled)]
    assert {str(event["UID"]) for event in events} == {str(VISIT.id)}
    assert [event["SEQUENCE"] for event in events] == [0, 1, 2]
    assert [str(event["STATUS"]) for event in events] == ["CONFIRMED", "CONFIRMED", "CANCELLED"]


@pytest.mark.rule("R5")
def test_whoever_is_not_told_how_long_a_visit_is_gets_its_begin_alone() -> None:
    (event,) = read(replace(VISIT, duration_minutes=None, mode=None, arranged=None)).events
    assert "DTSTART" in event
    assert "DTEND" not in event


@pytest.mark.rule("D1", "C5")
def test_an_entry_says_when_and_nothing_else() -> None:
    calendar = read(VISIT)
    (event,) = calendar.events
    assert set(event) == {"UID", "DTSTAMP", "SEQUENCE", "SUMMARY", "STATUS", "CLASS", "DTSTART", "DTEND"}
    assert str(event["SUMMARY"]) == "Appointment 7C9E6679"
    assert str(VISIT.referral_id).encode() not in calendar.to_ical()


def test_days_without_visits_are_an_empty_calendar() -> None:
    assert read().events == []

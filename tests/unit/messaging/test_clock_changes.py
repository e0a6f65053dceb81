"""Texts and visits around every change of clocks, in every zone there is, to the end of 2040 (M2, M13)."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from referralnet.appointments.local_time import LocalTimeDoesNotExist, LocalTimeOccursTwice, instant_of
from referralnet.messaging.asking_again import asking_slot
from referralnet.messaging.contacts import Contact
from referralnet.messaging.digest import digest_slot
from referralnet.messaging.planning import Occurrence, texts_due
from referralnet.messaging.windows import EARLIEST, LATEST, SafeWindow, Slot, before, next_slot, read_windows
from referralnet.messaging.wording import Message
from tests.clock_changes import ClockChange, all_clock_changes, clock_changes

SINCE = int(os.environ.get("REFERRALNET_TEST_CLOCK_CHANGES_SINCE", "2025"))
"""From this year on. In another than the ordinary one every zone is looked at by itself, also those that are alike."""
ODD = ("Africa/Juba", "Antarctica/Vostok", "Pacific/Apia")
"""Where clocks once changed by day, by seven hours, and over a whole day: what was done may be done again."""
EVERY_DAY = list(range(7))
HOURS = (
    [{"weekdays": EVERY_DAY, "start": "00:00", "end": "00:00"}],
    [{"weekdays": EVERY_DAY, "start": "22:00", "end": "09:30"}],
    [{"weekdays": [6], "start": "08:00", "end": "08:45"}],
    [{"weekdays": EVERY_DAY, "start": "12:30", "end": "17:30"}],
)
"""Any hour; her nights; early on Sundays alone; her afternoons."""


@functools.cache
def changes() -> tuple[tuple[str, ClockChange], ...]:
    odd = ((zone, change) for zone in ODD for change in clock_changes(zone, 1993))
    return (*all_clock_changes(SINCE, each_zone=SINCE != 2025), *odd)


def contact(zone: str, hours: list[dict[str, Any]], reconfirm_by: date) -> Contact:
    return Contact(
        plan_id=uuid4(), agency_id=uuid4(), survivor_id=uuid4(), data_key_id=uuid4(), phone_sealed=b"", language="en",
        time_zone=zone, safe_windows=hours, sender_label="calendar", texts_opted_in_at=None, reconfirm_by=reconfirm_by,
        status_digest=True, paused_at=None, suppressed=False,
    )  # fmt: skip


def inside(windows: tuple[SafeWindow, ...], wall: datetime) -> bool:
    """The rule in its simplest form, for one local moment (the end of a window still counts)."""
    clock, weekday = wall.time(), wall.weekday()
    if not EARLIEST <= clock <= LATEST:
        return False
    for window in windows:
        if window.end > window.start and weekday in window.weekdays and window.start <= clock <= window.end:
            return True
        if window.end <= window.start and weekday in window.weekdays and clock >= window.start:
            return True
        if window.end <= window.start and (weekday - 1) % 7 in window.weekdays and clock <= window.end:
            return True
    return False


def faults_of(
    slot: Slot, hours: list[dict[str, Any]], zone: ZoneInfo, since: datetime, until: datetime
) -> Iterator[str]:
    windows = read_windows(hours)
    if not since <= slot.due_at < slot.send_before <= until:
        yield f"{slot} is not between {since} and {until}"
    for part in range(5):
        moment = (slot.due_at + (slot.send_before - slot.due_at) * part / 4).astimezone(zone)
        if not inside(windows, moment):
            yield f"{moment} is outside {hours}"


def could_be_earlier(slot: Slot, hours: list[dict[str, Any]], zone: ZoneInfo, since: datetime) -> bool:
    """Whether a quarter of an hour before, which is after `since`, she might be texted as well, for a while."""
    windows, quarter = read_windows(hours), timedelta(minutes=15)
    earlier = [slot.due_at - quarter * part / 5 for part in range(6)]
    same_clock = len({moment.astimezone(zone).utcoffset() for moment in earlier}) == 1
    return earlier[-1] >= since and same_clock and all(inside(windows, moment.astimezone(zone)) for moment in earlier)


def moments_about(change: ClockChange) -> Iterator[datetime]:
    """From three days before a change to three days after, at odd times."""
    return (change.at + timedelta(hours=hours, minutes=7) for hours in range(-72, 73, 19))


@pytest.mark.rule("M2")
def test_no_text_is_due_outside_her_windows_and_the_day_when_clocks_change() -> None:
    faults = []
    for name, change in changes():
        zone = ZoneInfo(name)
        for since in moments_about(change):
            until = since + timedelta(days=10)
            for hours in HOURS:
                slot = next_slot(read_windows(hours), zone, since=since, until=until)
                told = ["no slot"] if slot is None else faults_of(slot, hours, zone, since, until)
                faults += [f"{name}: {fault}" for fault in told]
                if slot is not None and could_be_earlier(slot, hours, zone, since):
                    faults.append(f"{name}: {slot} could be earlier")
    assert faults == []


@pytest.mark.rule("M2")
def test_her_digest_and_the_question_about_her_number_keep_her_hours_when_clocks_change() -> None:
    faults = []
    for name, change in changes():
        zone = ZoneInfo(name)
        for hours in HOURS[:2]:
            for days in range(-1, 9):
                her = contact(name, hours, change.at.astimezone(zone).date() + timedelta(days=days))
                asked = asking_slot(her, change.at - timedelta(days=30))
                day = her.reconfirm_by - timedelta(days=7)
                if asked is None or not day <= asked.due_at.astimezone(zone).date() <= her.reconfirm_by:
                    faults.append(f"{name}: asked {asked} for {her.reconfirm_by}")
            last = change.at - timedelta(hours=20)
            news = digest_slot(contact(name, hours, date.max), change.at, last)
            since = last + timedelta(hours=24)
            told = ["no digest"] if news is None else faults_of(news, hours, zone, since, since + timedelta(days=3))
            faults += [f"{name}: {fault}" for fault in told]
    assert faults == []


@pytest.mark.rule("M13")
def test_reminders_come_the_day_before_at_the_hour_on_the_wall_and_two_hours_before_by_the_hours_that_pass() -> None:
    faults = []
    for name, change in changes():
        zone = ZoneInfo(name)
        for hours_after in range(-30, 55, 5):
            visit = change.at + timedelta(hours=hours_after, minutes=30)
            day_before, two_hours = before(visit, 24, zone), before(visit, 2, zone)
            wall, expected = (
                day_before.astimezone(zone).replace(tzinfo=None, fold=0),
                _wall(visit, zone) - timedelta(days=1),
            )
            skipped = change.is_forward and change.walls[0] <= expected < change.walls[1]
            if wall != expected and not skipped:
                faults.append(f"{name}: {visit} the day before is {day_before}")
            if not day_before < two_hours == visit - timedelta(hours=2):
                faults.append(f"{name}: {day_before}, {two_hours} before {visit}")
    assert faults == []


@pytest.mark.rule("M2")
@pytest.mark.rule("M13")
def test_what_is_told_of_a_visit_comes_in_order_in_her_hours_and_before_it_when_clocks_change() -> None:
    faults = []
    for name, change in changes():
        zone = ZoneInfo(name)
        for hours_after, hours in zip(range(-30, 55, 5), HOURS * 6, strict=False):
            visit = change.at + timedelta(hours=hours_after, minutes=30)
            occurrence = Occurrence(uuid4(), visit, name)
            now = change.at - timedelta(days=5)
            due, _ = texts_due(Message.APPOINTMENT_SET, occurrence, contact(name, hours, date(2100, 1, 1)), now)
            moments = [one.slot.due_at for one in due]
            if any(early >= late for early, late in pairwise(moments)):
                faults.append(f"{name}: {moments} for {visit}")
            for one in due:
                faults += [f"{name}: {fault}" for fault in faults_of(one.slot, hours, zone, now, visit)]
    assert faults == []


@pytest.mark.rule("M13")
def test_a_time_that_is_skipped_or_comes_twice_is_shown_in_every_zone_and_no_other_is() -> None:
    faults = []
    for name, change in changes():
        first, second = change.walls
        middle = first + (second - first) / 2
        for wall in (first, middle, second - timedelta(minutes=1)):
            refused = LocalTimeDoesNotExist if change.is_forward else LocalTimeOccursTwice
            try:
                faults.append(f"{name}: {wall} is {instant_of(wall, name)}")
            except refused as shown:
                early, late = (one.astimezone(UTC) for one in shown.candidates)
                if late - early != abs(change.after - change.before) or not _both_hold(change, wall, name, shown):
                    faults.append(f"{name}: {wall} could be {early} or {late}")
        beside = (first - timedelta(minutes=1), second)
        faults += [f"{name}: {wall}" for wall in beside if _wall(instant_of(wall, name), ZoneInfo(name)) != wall]
    assert faults == []


def _both_hold(
    change: ClockChange, wall: datetime, name: str, shown: LocalTimeDoesNotExist | LocalTimeOccursTwice
) -> bool:
    """Whether saying its offset chooses each of the two that are shown; of a skipped time they are neighbours."""
    if change.is_forward:
        return all(not change.walls[0] <= one.replace(tzinfo=None) < change.walls[1] for one in shown.candidates)
    return all(instant_of(wall, name, utc_offset=one.utcoffset()) == one.astimezone(UTC) for one in shown.candidates)


def _wall(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def test_clocks_change_some_thousand_times_to_2040() -> None:
    # What was looked at: that these are all is said by the files of the zones themselves.
    zones = {name for name, _ in changes()}
    assert len(changes()) > 900
    assert len(zones) > 25
    assert time(0) in {_wall(change.at, ZoneInfo(name)).time() for name, change in changes()}

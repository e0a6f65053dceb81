"""Texts go out in her safe windows and between 08:00 and 21:00 on her clock, whatever clocks do (M2)."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from referralnet.messaging.windows import EARLIEST, LATEST, SafeWindow, next_slot, read_windows, slot_now

CHICAGO = ZoneInfo("America/Chicago")
EVERY_DAY = frozenset(range(7))
zones = st.sampled_from(
    ["America/Chicago", "America/Phoenix", "Asia/Beirut", "Australia/Lord_Howe", "Africa/Cairo", "America/Santiago"]
)
times = st.times().map(lambda moment: moment.replace(microsecond=0, tzinfo=None))
windows = st.lists(
    st.builds(SafeWindow, st.frozensets(st.integers(0, 6), min_size=1), times, times), min_size=1, max_size=3
)


def local(*at: int) -> datetime:
    return datetime(*at, tzinfo=CHICAGO)  # type: ignore[arg-type, misc]


def inside(window: SafeWindow, moment: datetime) -> bool:
    """The rule in its simplest form, for one local moment (the end of a window still counts)."""
    clock, today = moment.time(), moment.weekday()
    if window.end > window.start:
        return today in window.weekdays and window.start <= clock <= window.end
    overnight = (today - 1) % 7 in window.weekdays and clock <= window.end
    return overnight or (today in window.weekdays and clock >= window.start)


@pytest.mark.rule("M2")
@settings(max_examples=400, deadline=None)
@given(
    windows=windows,
    zone=zones,
    since=st.datetimes(datetime(2026, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    hours=st.integers(1, 24 * 6),
)
def test_a_slot_lies_in_a_safe_window_and_in_the_hours_of_day_from_its_first_second_to_its_last(
    windows: list[SafeWindow], zone: str, since: datetime, hours: int
) -> None:
    slot = next_slot(windows, ZoneInfo(zone), since=since, until=since + timedelta(hours=hours))
    if slot is None:
        return
    assert since <= slot.due_at < slot.send_before <= since + timedelta(hours=hours)
    length = slot.send_before - slot.due_at
    for part in range(9):
        moment = (slot.due_at + length * part / 8).astimezone(ZoneInfo(zone))
        assert EARLIEST <= moment.time() <= LATEST
        assert any(inside(window, moment) for window in windows)


@pytest.mark.rule("M2")
def test_the_night_is_never_safe_even_when_she_said_any_hour() -> None:
    any_hour = [SafeWindow(EVERY_DAY, time(0), time(0))]
    slot = next_slot(any_hour, CHICAGO, since=local(2026, 3, 2, 22, 30), until=local(2026, 3, 9, 0, 0))
    assert slot is not None
    assert (slot.due_at, slot.send_before) == (local(2026, 3, 3, 8, 0), local(2026, 3, 3, 21, 0))


@pytest.mark.rule("M2")
def test_no_window_means_no_text() -> None:
    assert next_slot([], CHICAGO, since=local(2026, 3, 2, 12), until=local(2026, 3, 9)) is None


@pytest.mark.rule("M2")
@pytest.mark.parametrize(("minute", "goes"), [(0, True), (58, True), (59, False)])
def test_the_last_minute_of_a_window_is_too_late(minute: int, goes: bool) -> None:
    morning = [SafeWindow(EVERY_DAY, time(9), time(10))]
    now = local(2026, 3, 2, 9, minute, 30)
    assert (slot_now(morning, CHICAGO, now, now + timedelta(days=1)) is not None) is goes


def test_a_window_over_midnight_belongs_to_the_evening_it_starts_on() -> None:
    monday_night = read_windows([{"weekdays": [0], "start": "19:00", "end": "09:00"}])
    first = next_slot(monday_night, CHICAGO, since=local(2026, 3, 2, 12), until=local(2026, 3, 10))
    assert first is not None
    assert (first.due_at, first.send_before) == (local(2026, 3, 2, 19), local(2026, 3, 2, 21))
    second = next_slot(monday_night, CHICAGO, since=first.send_before, until=local(2026, 3, 10))
    assert second is not None
    assert (second.due_at, second.send_before) == (local(2026, 3, 3, 8), local(2026, 3, 3, 9))


@pytest.mark.rule("M2")
@pytest.mark.parametrize(("start", "end"), [(time(9), time(10)), (time(22), time(8, 30))])
def test_the_only_hour_of_her_week_comes_again_a_week_later(start: time, end: time) -> None:
    once = [SafeWindow(frozenset({0}), start, end)]
    first = next_slot(once, CHICAGO, since=local(2026, 3, 2, 0), until=local(2026, 4, 2))
    assert first is not None
    second = next_slot(once, CHICAGO, since=first.send_before, until=local(2026, 4, 2))
    assert second is not None
    assert second.due_at.astimezone(CHICAGO) == first.due_at.astimezone(CHICAGO) + timedelta(days=7)


def test_windows_that_touch_are_one_so_that_a_text_is_not_squeezed_against_the_seam() -> None:
    touching = [SafeWindow(EVERY_DAY, time(9), time(12)), SafeWindow(EVERY_DAY, time(12), time(15))]
    slot = next_slot(touching, CHICAGO, since=local(2026, 3, 2, 11, 59, 30), until=local(2026, 3, 3))
    assert slot is not None
    assert slot.send_before == local(2026, 3, 2, 15)


@pytest.mark.rule("M2")
def test_eight_in_the_morning_stays_eight_when_clocks_change() -> None:
    all_day = [SafeWindow(EVERY_DAY, time(8), time(21))]
    for day in (local(2026, 3, 7, 22), local(2026, 10, 31, 22)):
        slot = next_slot(all_day, CHICAGO, since=day, until=day + timedelta(days=2))
        assert slot is not None
        assert slot.due_at.astimezone(CHICAGO).time() == time(8)


@pytest.mark.rule("M2")
def test_a_window_that_begins_at_a_time_that_is_skipped_opens_when_clocks_skip_it() -> None:
    # At noon on 15 January 2000 clocks in Khartoum went on to one o'clock.
    hours, zone = [SafeWindow(EVERY_DAY, time(12, 30), time(17, 30))], ZoneInfo("Africa/Khartoum")
    since = datetime(2000, 1, 15, 6, tzinfo=UTC)
    slot = next_slot(hours, zone, since=since, until=since + timedelta(days=1))
    assert slot is not None
    assert slot.due_at == datetime(2000, 1, 15, 10, tzinfo=UTC)
    assert slot.due_at.astimezone(zone).time() == time(13)

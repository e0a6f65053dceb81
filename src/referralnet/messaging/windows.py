"""When a text may go out: the survivor's safe windows and 08:00-21:00 on her clock (M2, 47 CFR 64.1200(c)(1)). Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

EARLIEST = time(8)
LATEST = time(21)
# Shorter than this is too tight for a carrier to deliver in: the window counts as gone.
SPAN_SECONDS_MIN = 60
# From the evening before, whose window may reach over midnight, to the same weekday a week later.
_LOOK_AHEAD_DAYS = 9


@dataclass(frozen=True, slots=True)
class SafeWindow:
    """Hours of some weekdays (0 is Monday) in which this phone may be texted; an end at or before the start is the
    next day's.
    """

    weekdays: frozenset[int]
    start: time
    end: time


@dataclass(frozen=True, slots=True)
class Slot:
    """When a text is due, and the end of its window, both in UTC. After the end it may not be delivered any more."""

    due_at: datetime
    send_before: datetime


def read_windows(stored: Sequence[dict[str, Any]]) -> tuple[SafeWindow, ...]:
    """Safe windows as a contact plan stores them: ``{"weekdays": [0, 4], "start": "09:00", "end": "20:00"}``."""
    return tuple(
        SafeWindow(frozenset(item["weekdays"]), time.fromisoformat(item["start"]), time.fromisoformat(item["end"]))
        for item in stored
    )


def next_slot(windows: Sequence[SafeWindow], zone: ZoneInfo, *, since: datetime, until: datetime) -> Slot | None:
    """The first moment from `since` on at which a text may go out before `until`, or None where there is none.

    No windows means never: what the survivor has not called safe is not safe.
    """
    since, until = since.astimezone(UTC), until.astimezone(UTC)
    first_day = since.astimezone(zone).date() - timedelta(days=1)
    days = min((until - since).days + 3, _LOOK_AHEAD_DAYS)
    for start, end in _merged(windows, zone, first_day, days):
        due_at, send_before = max(start, since), min(end, until)
        if (send_before - due_at).total_seconds() >= SPAN_SECONDS_MIN:
            return Slot(due_at, send_before)
    return None


def before(starts_at: datetime, hours: int, zone: ZoneInfo) -> datetime:
    """The instant (UTC) so many hours before another: whole days by her clock, what is less by the time that passes.

    "The day before" is the same hour on the wall, also where the day between has 23 hours or 25; where that hour does
    not exist or comes twice, the earlier reading.
    """
    if hours % 24:
        return starts_at.astimezone(UTC) - timedelta(hours=hours)
    wall = starts_at.astimezone(zone).replace(tzinfo=None) - timedelta(hours=hours)
    return min(wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))


def slot_now(windows: Sequence[SafeWindow], zone: ZoneInfo, now: datetime, until: datetime) -> Slot | None:
    """The open window, or None where a text may not go out at this moment."""
    slot = next_slot(windows, zone, since=now, until=until)
    return slot if slot is not None and slot.due_at == now else None


def _merged(
    windows: Sequence[SafeWindow], zone: ZoneInfo, first_day: date, days: int
) -> Iterator[tuple[datetime, datetime]]:
    """Allowed spans in order, those that touch joined, so that a text is not squeezed against an inner edge."""
    spans = sorted(
        span for day in range(days) for span in _spans_of_day(windows, zone, first_day + timedelta(days=day))
    )
    current: tuple[datetime, datetime] | None = None
    for start, end in spans:
        if current is not None and start <= current[1]:
            current = (current[0], max(current[1], end))
            continue
        if current is not None:
            yield current
        current = (start, end)
    if current is not None:
        yield current


def _spans_of_day(windows: Sequence[SafeWindow], zone: ZoneInfo, day: date) -> Iterator[tuple[datetime, datetime]]:
    for window in windows:
        overnight = window.end <= window.start
        if day.weekday() in window.weekdays:
            yield from _span(day, window.start, LATEST if overnight else window.end, zone)
        if overnight and (day - timedelta(days=1)).weekday() in window.weekdays:
            yield from _span(day, EARLIEST, window.end, zone)


def _span(day: date, start: time, end: time, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    start, end = max(start, EARLIEST), min(end, LATEST)
    if start >= end:
        return
    # Of an end that comes twice or never, the reading that keeps the span inside the window.
    begins, ends = _begin_of(day, start, zone), min(_readings(day, end, zone))
    if begins < ends:
        yield begins, ends


def _readings(day: date, wall: time, zone: ZoneInfo) -> tuple[datetime, datetime]:
    first, second = (datetime.combine(day, wall.replace(fold=fold), zone).astimezone(UTC) for fold in (0, 1))
    return first, second


def _begin_of(day: date, wall: time, zone: ZoneInfo) -> datetime:
    """When a window opens: at a time that comes twice, the second; at one that is skipped, when clocks skip it."""
    early, late = sorted(_readings(day, wall, zone))
    if early == late or late.astimezone(zone).replace(tzinfo=None, fold=0) == datetime.combine(day, wall):
        return late
    before = early.astimezone(zone).utcoffset()
    seconds = range(int((late - early).total_seconds()))
    return early + timedelta(
        seconds=bisect_left(
            seconds, True, key=lambda passed: (early + timedelta(seconds=passed)).astimezone(zone).utcoffset() != before
        )
    )

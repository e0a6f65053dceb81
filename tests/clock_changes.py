"""Every moment at which clocks change somewhere, found exactly, and not by asking the code that is tested."""

from __future__ import annotations

import functools
import struct
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

_UNTIL = datetime(2041, 1, 1, tzinfo=UTC)
_ALIKE_WITHIN = timedelta(days=40)


@dataclass(frozen=True, slots=True)
class ClockChange:
    """From the instant `at` on, clocks of a zone show `after` instead of `before` (offsets from UTC)."""

    at: datetime
    before: timedelta
    after: timedelta

    @property
    def walls(self) -> tuple[datetime, datetime]:
        """The local times (naive) that are skipped or come twice: from the first on, before the second."""
        shown = ((self.at + offset).replace(tzinfo=None) for offset in (self.before, self.after))
        first, second = sorted(shown)
        return first, second

    @property
    def is_forward(self) -> bool:
        """Whether these local times are skipped; else they come twice."""
        return self.after > self.before


def clock_changes(zone: str, since: int) -> list[ClockChange]:
    """All of a zone from the year `since` through 2040.

    Between two moments at which its file names a change, nothing changes; after the last one a rule holds, that changes
    clocks twice a year at most, months apart.
    """
    clock = ZoneInfo(zone)
    first = datetime(since, 1, 1, tzinfo=UTC)
    weekly = {first + timedelta(weeks=week) for week in range((_UNTIL - first).days // 7)} | {_UNTIL}
    named = {at for at in _named(zone) if first < at < _UNTIL}
    moments = sorted(weekly | named | {at - timedelta(seconds=1) for at in named})
    changes = []
    for early, late in pairwise(moments):
        offsets = [moment.astimezone(clock).utcoffset() for moment in (early, late)]
        assert offsets[0] is not None
        assert offsets[1] is not None
        if offsets[0] != offsets[1]:
            changes.append(ClockChange(_between(clock, early, late), offsets[0], offsets[1]))
    return changes


def all_clock_changes(since: int, *, each_zone: bool) -> Iterator[tuple[str, ClockChange]]:
    """(zone, change) of every zone; of zones whose clocks are alike for weeks around it, one, unless `each_zone`."""
    seen: set[tuple[ClockChange, ...]] = set()
    for zone in sorted(zoneinfo.available_timezones()):
        changes = clock_changes(zone, since)
        for change in changes:
            around = tuple(other for other in changes if abs(other.at - change.at) < _ALIKE_WITHIN)
            alike = (change, *around)
            if each_zone or alike not in seen:
                seen.add(alike)
                yield zone, change


def _between(clock: ZoneInfo, early: datetime, late: datetime) -> datetime:
    before = early.astimezone(clock).utcoffset()
    while late - early > timedelta(seconds=1):
        middle = (early + (late - early) / 2).replace(microsecond=0)
        if middle.astimezone(clock).utcoffset() == before:
            early = middle
        else:
            late = middle
    return late


@functools.cache
def _named(zone: str) -> tuple[datetime, ...]:
    """The moments of change that a zone's file names (RFC 8536, the second header and its data)."""
    content = _file(zone)
    counts = struct.unpack(">6l", content[20:44])
    utc, standard, leaps, times, types, letters = counts
    second = 44 + times * 5 + types * 6 + letters + leaps * 8 + standard + utc
    times = struct.unpack(">6l", content[second + 20 : second + 44])[3]
    seconds = struct.unpack(f">{times}q", content[second + 44 : second + 44 + times * 8])
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return tuple(epoch + timedelta(seconds=at) for at in seconds if at >= 0)


def _file(zone: str) -> bytes:
    for folder in zoneinfo.TZPATH:
        path = Path(folder, zone)
        if path.is_file():
            return path.read_bytes()
    return resources.files("tzdata").joinpath("zoneinfo", *zone.split("/")).read_bytes()

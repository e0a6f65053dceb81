"""Clocks tell aware instants in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from referralnet.clock import FixedClock, SystemClock


def test_the_machines_clock_is_aware_and_goes_on() -> None:
    one, other = SystemClock().now(), SystemClock().now()
    assert one.tzinfo is UTC
    assert one <= other


def test_a_fixed_clock_stands_until_it_is_moved() -> None:
    clock = FixedClock(datetime(2026, 3, 2, 9, 0, tzinfo=ZoneInfo("America/Chicago")))
    assert clock.now() == clock.now() == datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
    assert clock.now().tzinfo is UTC
    clock.advance(timedelta(hours=1))
    assert clock.now() == datetime(2026, 3, 2, 16, 0, tzinfo=UTC)

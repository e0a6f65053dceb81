"""The carrier's rate, whoever asks and whenever: never more than it takes, and all of what it takes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from referralnet.messaging.pacing import Pace

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
PACES = st.builds(Pace, st.floats(0.5, 500), st.integers(2, 50))
# Between two looks: some milliseconds, or nothing for as long as fills any bucket.
GAPS = st.lists(st.one_of(st.integers(0, 2_000), st.just(200_000)), min_size=1, max_size=60)
WANTED = st.lists(st.integers(1, 2), max_size=60)


@pytest.mark.rule("M12")
@settings(deadline=None)
@given(pace=PACES, gaps=GAPS, data=st.data())
def test_no_span_of_time_sees_more_than_the_burst_and_what_the_rate_earns_in_it(
    pace: Pace, gaps: list[int], data: st.DataObject
) -> None:
    assert pace.segments_per_second is not None
    taken: list[tuple[datetime, int]] = []
    spent_until, now = None, NOW
    for gap in gaps:
        now += timedelta(milliseconds=gap)
        wanted = data.draw(WANTED)
        texts, spent_until = pace.allows(spent_until, wanted, now)
        taken.append((now, sum(wanted[:texts])))
    for first in range(len(taken)):
        segments = 0
        for at, count in taken[first:]:
            segments += count
            span_seconds = (at - taken[first][0]).total_seconds()
            assert segments <= pace.burst_segments + span_seconds * pace.segments_per_second + 0.1


@settings(deadline=None)
@given(pace=PACES, seconds=st.integers(10, 30))
def test_whoever_looks_often_enough_hands_over_all_that_the_rate_allows(pace: Pace, seconds: int) -> None:
    assert pace.segments_per_second is not None
    looks = int(seconds / pace.rest_seconds)
    spent_until, now, segments = None, NOW, 0
    for _ in range(looks):
        texts, spent_until = pace.allows(spent_until, [1] * 600, now)
        segments += texts
        now += timedelta(seconds=pace.rest_seconds)
    # What was earned since the last look is still there; instants are counted in whole microseconds.
    assert segments >= 0.999 * (looks - 1) * pace.rest_seconds * pace.segments_per_second - 1


def test_what_was_taken_by_a_worker_that_died_is_earned_again() -> None:
    pace = Pace(2.0, burst_segments=10)
    texts, spent_until = pace.allows(None, [1] * 10, NOW)
    assert texts == 10
    assert pace.allows(spent_until, [1] * 10, NOW)[0] == 0
    assert pace.allows(spent_until, [1] * 10, NOW + timedelta(seconds=5))[0] == 10


def test_a_clock_that_was_an_hour_ahead_keeps_nothing_back_for_an_hour() -> None:
    pace = Pace(2.0, burst_segments=10)
    _, spent_until = pace.allows(None, [1] * 10, NOW + timedelta(hours=1))
    _, spent_until = pace.allows(spent_until, [1], NOW)
    assert pace.allows(spent_until, [1] * 10, NOW + timedelta(seconds=5))[0] == 10


def test_a_text_that_costs_more_than_the_bucket_holds_goes_all_the_same() -> None:
    assert Pace(1.0, burst_segments=2).allows(None, [3, 1], NOW)[0] == 1


def test_without_a_rate_all_may_go() -> None:
    assert Pace().allows(None, [2] * 1_000, NOW) == (1_000, None)

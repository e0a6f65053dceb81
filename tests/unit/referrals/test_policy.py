"""Answer deadlines where the target is, over weekends and clock changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referralnet.referrals.policy import BUSINESS_WEEKDAYS, answer_due_at
from referralnet.survivors.needs import Urgency

wall = datetime.fromisoformat
CHICAGO = ZoneInfo("America/Chicago")


@pytest.mark.rule("R6")
@pytest.mark.parametrize(("urgency", "hours"), [(Urgency.URGENT, 4), (Urgency.PRIORITY, 24)])
def test_an_urgent_referral_is_due_after_real_hours_even_over_the_spring_clock_change(
    urgency: Urgency, hours: int
) -> None:
    sent = datetime(2026, 3, 8, 1, 0, tzinfo=CHICAGO)
    assert answer_due_at(urgency, sent, "America/Chicago") - sent.astimezone(UTC) == timedelta(hours=hours)


@pytest.mark.rule("R6")
@pytest.mark.parametrize(
    ("sent", "due"),
    [
        (wall("2026-03-02T09:00"), wall("2026-03-05T17:00")),  # Monday: Thursday
        (wall("2026-03-05T16:00"), wall("2026-03-10T17:00")),  # Thursday, clocks change on Sunday: Tuesday
        (wall("2026-03-07T12:00"), wall("2026-03-11T17:00")),  # Saturday: Wednesday
        (wall("2026-03-08T23:59"), wall("2026-03-11T17:00")),  # Sunday: Wednesday
    ],
)
def test_a_routine_referral_is_due_at_the_end_of_the_third_business_day(sent: datetime, due: datetime) -> None:
    answer_by = answer_due_at(Urgency.ROUTINE, sent.replace(tzinfo=CHICAGO), "America/Chicago")
    assert answer_by.tzinfo is UTC
    assert answer_by.astimezone(CHICAGO).replace(tzinfo=None) == due


@pytest.mark.rule("R6")
def test_the_day_is_the_targets_day_and_not_the_senders() -> None:
    sent = datetime(2026, 3, 3, 6, 30, tzinfo=UTC)  # Tuesday in Chicago, still Monday in Honolulu
    assert answer_due_at(Urgency.ROUTINE, sent, "America/Chicago") == datetime(2026, 3, 6, 23, 0, tzinfo=UTC)
    assert answer_due_at(Urgency.ROUTINE, sent, "Pacific/Honolulu") == datetime(2026, 3, 6, 3, 0, tzinfo=UTC)


@given(
    st.datetimes(wall("2025-01-01T00:00"), wall("2035-01-01T00:00"), timezones=st.just(UTC)),
    st.sampled_from(["America/Chicago", "America/New_York", "Pacific/Honolulu", "Asia/Manila"]),
)
def test_a_routine_deadline_leaves_three_whole_business_days_and_no_more_than_a_week(sent: datetime, zone: str) -> None:
    local_sent = sent.astimezone(ZoneInfo(zone)).date()
    local_due = answer_due_at(Urgency.ROUTINE, sent, zone).astimezone(ZoneInfo(zone)).date()
    days = [local_sent + timedelta(days=ahead) for ahead in range(1, (local_due - local_sent).days + 1)]
    assert sum(day.weekday() in BUSINESS_WEEKDAYS for day in days) == 3
    assert len(days) <= 5

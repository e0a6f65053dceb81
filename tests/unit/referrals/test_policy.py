"""Answer deadlines where the target is, over weekends and clock changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referralnet.referrals.policy import BUSINESS_WEEKDAYS, answer_due_at

CHICAGO = ZoneInfo("America/Chicago")


@pytest.mark.rule("R6")
@pytest.mark.parametrize(("urgency", "hours"), [("urgent", 4), ("priority", 24)])
def test_an_urgent_referral_is_due_after_real_hours_even_over_the_spring_clock_change(urgency: str, hours: int) -> None:
    sent = datetime(2026, 3, 8, 1, 0, tzinfo=CHICAGO)
    assert answer_due_at(urgency, sent, "America/Chicago") - sent.astimezone(UTC) == timedelta(hours=hours)


@pytest.mark.rule("R6")
@pytest.mark.parametrize(
    ("sent", "due"),
    [
        (datetime(2026, 3, 2, 9, 0), datetime(2026, 3, 5, 17, 0)),  # Monday: Thursday
        (datetime(2026, 3, 5, 16, 0), datetime(2026, 3, 10, 17, 0)),  # Thursday, clocks change on Sunday: Tuesday
        (datetime(2026, 3, 7, 12, 0), datetime(2026, 3, 11, 17, 0)),  # Saturday: Wednesday
        (datetime(2026, 3, 8, 23, 59), datetime(2026, 3, 11, 17, 0)),  # Sunday: Wednesday
    ],
)
def test_a_routine_referral_is_due_at_the_end_of_the_third_business_day(sent: datetime, due: datetime) -> None:
    answer_by = answer_due_at("routine", sent.replace(tzinfo=CHICAGO), "America/Chicago")
    assert answer_by.tzinfo is UTC
    assert answer_by.astimezone(CHICAGO).replace(tzinfo=None) == due


@pytest.mark.rule("R6")
def test_the_day_is_the_targets_day_and_not_the_senders() -> None:
    sent = datetime(2026, 3, 3, 6, 30, tzinfo=UTC)  # Tuesday in Chicago, still Monday in Honolulu
    assert answer_due_at("routine", sent, "America/Chicago") == datetime(2026, 3, 6, 23, 0, tzinfo=UTC)
    assert answer_due_at("routine", sent, "Pacific/Honolulu") == datetime(2026, 3, 6, 3, 0, tzinfo=UTC)


@given(
    st.datetimes(datetime(2025, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(["America/Chicago", "America/New_York", "Pacific/Honolulu", "Asia/Manila"]),
)
def test_a_routine_deadline_leaves_three_whole_business_days_and_no_more_than_a_week(sent: datetime, zone: str) -> None:
    local_sent = sent.astimezone(ZoneInfo(zone)).date()
    local_due = answer_due_at("routine", sent, zone).astimezone(ZoneInfo(zone)).date()
    days = [local_sent + timedelta(days=ahead) for ahead in range(1, (local_due - local_sent).days + 1)]
    assert sum(day.weekday() in BUSINESS_WEEKDAYS for day in days) == 3
    assert len(days) <= 5

"""Answer deadlines where the target is, over weekends, holidays and clock changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from holidays import country_holidays
from hypothesis import given
from hypothesis import strategies as st

from referralnet.referrals.business_days import country_of
from referralnet.referrals.policy import ANSWER_WITHIN, BUSINESS_DAY_ENDS_AT, LADDER, Hours, answer_due_at
from referralnet.survivors.needs import Urgency

wall = datetime.fromisoformat
CHICAGO = ZoneInfo("America/Chicago")
SATURDAY = 5


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


@pytest.mark.rule("R6")
@pytest.mark.parametrize(
    ("zone", "sent", "due"),
    [
        ("America/Chicago", "2026-11-24T10:00", "2026-11-30T17:00"),  # Tuesday before Thanksgiving: Monday
        ("America/New_York", "2026-12-23T16:00", "2026-12-29T17:00"),  # Christmas is a Friday
        ("America/Los_Angeles", "2027-12-22T09:00", "2027-12-28T17:00"),  # on a Saturday, observed on the 24th
        ("Pacific/Honolulu", "2027-12-29T09:00", "2028-01-04T17:00"),  # New Year 2028, observed on 31 December 2027
        ("America/New_York", "2026-06-17T09:00", "2026-06-23T17:00"),  # Juneteenth
        ("America/Puerto_Rico", "2027-01-05T12:00", "2027-01-11T17:00"),  # Three Kings' Day, Puerto Rico's own
        ("Pacific/Auckland", "2026-12-23T12:00", "2026-12-30T17:00"),  # Boxing Day as well, made up for on Monday
        (
            "Europe/London",
            "2026-04-01T12:00",
            "2026-04-07T17:00",
        ),  # Good Friday; Easter Monday is not all of the kingdom's
        ("UTC", "2026-11-25T10:00", "2026-12-01T17:00"),  # no country: as in the United States
    ],
)
def test_nobody_has_to_answer_on_a_holiday_of_the_targets_country(zone: str, sent: str, due: str) -> None:
    answer_by = answer_due_at(Urgency.ROUTINE, wall(sent).replace(tzinfo=ZoneInfo(zone)), zone)
    assert answer_by.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == wall(due)


@pytest.mark.parametrize("zone", sorted(available_timezones()))
def test_every_zone_has_business_days(zone: str) -> None:
    sent = datetime(2026, 12, 23, 12, 0, tzinfo=UTC)
    assert sent < answer_due_at(Urgency.ROUTINE, sent, zone) < sent + timedelta(days=14)


ZONES = ("Pacific/Honolulu", "America/Los_Angeles", "America/Chicago", "America/New_York", "America/Puerto_Rico",
         "Asia/Kolkata", "Australia/Sydney", "Pacific/Auckland")  # fmt: skip


@given(st.datetimes(wall("2025-01-01T00:00"), wall("2035-01-01T00:00"), timezones=st.just(UTC)), st.sampled_from(ZONES))
def test_a_routine_deadline_leaves_three_whole_business_days_and_no_more(sent: datetime, zone: str) -> None:
    local_sent = sent.astimezone(ZoneInfo(zone)).date()
    local_due = answer_due_at(Urgency.ROUTINE, sent, zone).astimezone(ZoneInfo(zone)).date()
    days = [local_sent + timedelta(days=ahead) for ahead in range(1, (local_due - local_sent).days + 1)]
    free = country_holidays(country_of(zone))
    assert sum(day.weekday() < SATURDAY and day not in free for day in days) == 3
    assert len(days) <= 9


@pytest.mark.rule("R6")
def test_two_years_of_hours_in_every_zone_goes_through_the_ladder_in_order_and_on_its_elapsed_share() -> None:
    """Two years, over both clock changes of both hemispheres and all holidays."""
    referrals = instants = 0
    first, hours = datetime(2026, 1, 1, tzinfo=UTC), 2 * 365 * 24
    for zone in ZONES:
        local, free = ZoneInfo(zone), country_holidays(country_of(zone))
        # Every seventh hour: all hours of the day come round within a week.
        for sent in (first + timedelta(hours=hour) for hour in range(0, hours, 7)):
            for urgency, rule in ANSWER_WITHIN.items():
                due = answer_due_at(urgency, sent, zone)
                if isinstance(rule, Hours):
                    assert (due - sent) == timedelta(hours=rule.count)
                else:
                    assert due.astimezone(local).time() == BUSINESS_DAY_ENDS_AT
                    assert due.astimezone(local).date() not in free
                steps = [sent + (due - sent) * rung.share for rung in LADDER.values()]
                assert sent < steps[0] < steps[1] < steps[2] < steps[3] == due
                referrals += 1
                instants += len(steps)
    print(f"{referrals} referrals, {instants} instants in {len(ZONES)} zones")  # noqa: T201 (a figure)

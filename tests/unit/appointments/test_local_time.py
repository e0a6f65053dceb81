"""What a clock on the wall shows is one instant, or the worker is asked (M13)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referralnet.appointments.local_time import LocalTimeDoesNotExist, LocalTimeOccursTwice, instant_of, offset_of
from referralnet.appointments.scheduling import VisitTime
from referralnet.appointments.tables import Mode
from referralnet.errors import InvalidInput

wall = datetime.fromisoformat
ZONES = ["America/Chicago", "America/New_York", "America/Phoenix", "Pacific/Honolulu", "Australia/Lord_Howe"]


@pytest.mark.rule("M13")
def test_an_ordinary_local_time_is_the_instant_the_wall_clock_means() -> None:
    assert instant_of(wall("2026-03-02T09:00"), "America/Chicago") == datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
    assert instant_of(wall("2026-07-02T09:00"), "America/Chicago") == datetime(2026, 7, 2, 14, 0, tzinfo=UTC)


@pytest.mark.rule("M13")
def test_an_hour_that_is_skipped_is_refused_with_both_neighbours() -> None:
    with pytest.raises(LocalTimeDoesNotExist) as refused:
        instant_of(wall("2026-03-08T02:30"), "America/Chicago")
    assert refused.value.field == "local_start"
    assert "2026-03-08T01:30-06:00 or 2026-03-08T03:30-05:00" in refused.value.message


@pytest.mark.rule("M13")
def test_an_hour_that_comes_twice_is_refused_with_both_meanings() -> None:
    with pytest.raises(LocalTimeOccursTwice) as refused:
        instant_of(wall("2026-11-01T01:30"), "America/Chicago")
    assert refused.value.field == "local_start"
    assert "2026-11-01T01:30-05:00 or 2026-11-01T01:30-06:00" in refused.value.message


@pytest.mark.rule("M13")
def test_the_worker_says_which_of_two_hours_it_is() -> None:
    for written, hour in (("-05:00", 6), ("-06:00", 7)):
        instant = instant_of(wall("2026-11-01T01:30"), "America/Chicago", utc_offset=offset_of(written))
        assert instant == datetime(2026, 11, 1, hour, 30, tzinfo=UTC)


@pytest.mark.rule("M13")
@pytest.mark.parametrize("local", ["2026-11-01T01:30", "2026-07-02T09:00"])
def test_an_offset_that_no_clock_there_shows_is_refused_with_those_that_it_does(local: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        instant_of(wall(local), "America/Chicago", utc_offset=offset_of("+01:00"))
    assert refused.value.field == "utc_offset"
    assert f"{local}-05:00" in refused.value.message


@pytest.mark.rule("M13")
def test_no_offset_makes_an_hour_that_is_skipped() -> None:
    for written in ("-05:00", "-06:00"):
        with pytest.raises(LocalTimeDoesNotExist):
            instant_of(wall("2026-03-08T02:30"), "America/Chicago", utc_offset=offset_of(written))


@pytest.mark.parametrize("written", ["", "5", "-5:00", "UTC", "-05:60", "-25:00", "-05:00\n"])
def test_what_is_no_offset_is_refused(written: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        offset_of(written)
    assert refused.value.field == "utc_offset"


@pytest.mark.rule("M13")
@given(st.datetimes(wall("2025-01-01T00:00"), wall("2032-01-01T00:00")), st.sampled_from(ZONES))
def test_no_local_time_is_guessed(local: datetime, time_zone: str) -> None:
    zone = ZoneInfo(time_zone)
    # Every instant around, a quarter of an hour apart at most: which of them show this wall time?
    middle = local.replace(tzinfo=UTC)
    seconds = local - local.replace(second=0, microsecond=0)
    floor = (middle - seconds).replace(minute=local.minute)
    around = [floor + timedelta(minutes=15 * step) + seconds for step in range(-4 * 15, 4 * 15)]
    meant = [instant for instant in around if instant.astimezone(zone).replace(tzinfo=None) == local]
    if len(meant) == 1:
        assert instant_of(local, time_zone) == meant[0]
        return
    with pytest.raises(LocalTimeOccursTwice if meant else LocalTimeDoesNotExist):
        instant_of(local, time_zone)


@pytest.mark.rule("M13")
@pytest.mark.parametrize("time_zone", ["Chicago", "", "../../etc/passwd", "America/Nowhere"])
def test_a_zone_that_is_not_one_is_refused_by_its_field(time_zone: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        instant_of(wall("2026-03-02T09:00"), time_zone)
    assert refused.value.field == "time_zone"


@pytest.mark.rule("M13")
def test_a_local_time_with_an_offset_is_refused() -> None:
    with pytest.raises(InvalidInput):
        instant_of(datetime(2026, 3, 2, 9, 0, tzinfo=UTC), "America/Chicago")


NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("local_start", "minutes", "field"),
    [
        (wall("2026-03-02T09:00"), 60, "local_start"),
        (wall("2026-03-01T09:00"), 60, "local_start"),
        (wall("2027-03-02T09:01"), 60, "local_start"),
        (wall("2026-03-03T09:00"), 4, "duration_minutes"),
        (wall("2026-03-03T09:00"), 481, "duration_minutes"),
    ],
)
def test_a_visit_is_in_the_next_year_and_of_a_length_people_have(
    local_start: datetime, minutes: int, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        VisitTime(local_start, "America/Chicago", minutes, Mode.PHONE).starts_at(NOW)
    assert refused.value.field == field


@pytest.mark.parametrize("local_start", [wall("2026-03-02T09:01"), wall("2027-03-02T09:00")])
def test_the_first_minute_from_now_and_the_last_of_a_year_are_taken(local_start: datetime) -> None:
    assert VisitTime(local_start, "America/Chicago", 60, Mode.PHONE).starts_at(NOW) > NOW

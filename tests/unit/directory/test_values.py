"""Cells as people write them become values, or a sentence that says why not."""

from __future__ import annotations

from datetime import UTC, datetime

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from referralnet.directory import values
from referralnet.directory.values import UnreadableValue


@pytest.mark.parametrize(
    ("cell", "time"),
    [
        ("9:00", "09:00"),
        ("09:00", "09:00"),
        ("9:00 am", "09:00"),
        ("12:15 a.m.", "00:15"),
        ("12:00 pm", "12:00"),
        ("5:30PM", "17:30"),
        ("24:00", "24:00"),
        ("17:00:00", "17:00"),
        ("09:00-06:00", "09:00-06:00"),
        ("0900Z", "09:00Z"),
    ],
)
def test_opening_times_are_read_in_every_common_form(cell: str, time: str) -> None:
    assert values.time_of_day(cell) == time


@pytest.mark.parametrize("cell", ["noon", "25:00", "24:01", "9:61", "9", ""])
def test_what_is_no_time_is_refused(cell: str) -> None:
    with pytest.raises(UnreadableValue, match="not a time of day"):
        values.time_of_day(cell)


@pytest.mark.parametrize(
    "cell", ["312-555-0142", "(312) 555-0142", "312.555.0142", "3125550142", "+1 312 555 0142", "1-312-555-0142"]
)
def test_one_telephone_number_in_every_shape_is_one_number(cell: str) -> None:
    assert values.telephone(cell) == ("+1 312-555-0142", None)


def test_an_extension_written_into_the_number_is_taken_apart() -> None:
    assert values.telephone("312-555-0142 ext. 17") == ("+1 312-555-0142", "17")


@pytest.mark.parametrize("cell", ["no phone", "n/a", "555", "###"])
def test_what_is_no_telephone_number_is_refused(cell: str) -> None:
    with pytest.raises(UnreadableValue, match="not a telephone number"):
        values.telephone(cell)


@pytest.mark.parametrize(
    ("cell", "code"),
    [("es", "es"), ("ES", "es"), ("es-MX", "es"), ("Spanish", "es"), ("español", "es"), ("Mandarin", "zh")],
)
def test_languages_are_known_by_code_and_by_name(cell: str, code: str) -> None:
    assert values.language_code(cell) == code


def test_a_language_nobody_knows_is_refused() -> None:
    with pytest.raises(UnreadableValue, match="not a language"):
        values.language_code("Klaatu")


@pytest.mark.parametrize(
    ("cell", "days"), [("Sunday", "SU"), ("monday", "MO"), ("MO,TU, we", "MO,TU,WE"), ("2MO,-1FR", "2MO,-1FR")]
)
def test_weekdays_of_old_packages_become_those_of_new_ones(cell: str, days: str) -> None:
    assert values.days(cell) == days


def test_a_day_that_is_none_is_refused() -> None:
    with pytest.raises(UnreadableValue, match="not a weekday"):
        values.days("Caturday")


def test_a_time_without_a_zone_is_utc() -> None:
    assert values.instant("2026-11-23T20:00:00") == datetime(2026, 11, 23, 20, tzinfo=UTC)
    assert values.instant("2026-11-23T14:00:00-06:00") == datetime(2026, 11, 23, 20, tzinfo=UTC)


@pytest.mark.parametrize("cell", ["-1", "1.5", "many", "NaN", "Infinity", "99999999999"])
def test_units_are_counted_in_whole_numbers_from_nought(cell: str) -> None:
    with pytest.raises(UnreadableValue):
        values.whole(cell)


def test_a_coordinate_off_the_globe_is_refused() -> None:
    with pytest.raises(UnreadableValue, match="not a coordinate"):
        values.degrees("418.85")


@given(st.from_regex(r"(\+?1[ .-])?\(?[2-9]\d\d\)?[ .-]?[2-9]\d\d[ .-]?\d{4}", fullmatch=True))
def test_numbers_read_the_short_way_are_what_the_library_would_have_read(cell: str) -> None:
    parsed = phonenumbers.parse(cell, "US")
    international = phonenumbers.PhoneNumberFormat.INTERNATIONAL
    assert values.telephone(cell) == (phonenumbers.format_number(parsed, international), None)

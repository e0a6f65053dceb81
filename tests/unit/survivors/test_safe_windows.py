"""Safe windows are checked when they are kept: one that is wrong is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referralnet.errors import InvalidInput
from referralnet.survivors.safe_windows import WINDOWS_MAX, SafeWindow, check_windows, describe_windows

GOOD = SafeWindow((0, 4), "09:00", "20:00")
clock_times = st.times().map(lambda time: time.strftime("%H:%M"))


def test_windows_are_stored_with_their_weekdays_in_order() -> None:
    stored = check_windows([SafeWindow((4, 0), "22:00", "06:30"), GOOD], wanted=True)
    assert stored == [
        {"weekdays": [0, 4], "start": "22:00", "end": "06:30"},
        {"weekdays": [0, 4], "start": "09:00", "end": "20:00"},
    ]


@pytest.mark.rule("P3")
@pytest.mark.parametrize(
    "wrong",
    [
        SafeWindow((), "09:00", "20:00"),
        SafeWindow((7,), "09:00", "20:00"),
        SafeWindow((-1,), "09:00", "20:00"),
        SafeWindow((1, 1), "09:00", "20:00"),
        SafeWindow((1,), "9:00", "20:00"),
        SafeWindow((1,), "09:00", "24:00"),
        SafeWindow((1,), "09:60", "20:00"),
        SafeWindow((1,), "09:00", "20:00:00"),
        SafeWindow((1,), "0\u0669:0\u0660", "20:00"),
        SafeWindow((1,), "09:00", "09:00"),
        SafeWindow((1,), "", ""),
    ],
)
def test_a_window_that_cannot_be_is_named_by_its_number(wrong: SafeWindow) -> None:
    with pytest.raises(InvalidInput, match="Window 2:") as refused:
        check_windows([GOOD, wrong], wanted=True)
    assert refused.value.field == "safe_windows"


@pytest.mark.rule("M2")
def test_texts_want_a_window_and_no_texts_want_none() -> None:
    with pytest.raises(InvalidInput, match="no text could ever go out"):
        check_windows([], wanted=True)
    assert check_windows([], wanted=False) == []


def test_there_is_a_most() -> None:
    assert len(check_windows([GOOD] * WINDOWS_MAX, wanted=True)) == WINDOWS_MAX
    with pytest.raises(InvalidInput, match=f"At most {WINDOWS_MAX}"):
        check_windows([GOOD] * (WINDOWS_MAX + 1), wanted=True)


@given(days=st.sets(st.integers(0, 6), min_size=1), start=clock_times, end=clock_times)
def test_every_pair_of_different_times_is_kept_as_it_was_said(days: set[int], start: str, end: str) -> None:
    window = SafeWindow(tuple(days), start, end)
    if start == end:
        with pytest.raises(InvalidInput):
            check_windows([window], wanted=True)
    else:
        assert check_windows([window], wanted=True) == [{"weekdays": sorted(days), "start": start, "end": end}]


def test_windows_read_as_a_line() -> None:
    stored = check_windows([GOOD, SafeWindow((6,), "10:00", "12:00")], wanted=True)
    assert describe_windows(stored) == "Mon, Fri 09:00-20:00; Sun 10:00-12:00"

"""Numbers, texts and codes, as people write them and as they are kept."""

from __future__ import annotations

from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referralnet.errors import InvalidInput
from referralnet.survivors.checking import coded, plain_text, plain_text_or_none
from referralnet.survivors.phone_numbers import normalise_phone
from referralnet.survivors.vocabulary import sender_labels, spoken_languages, text_languages, time_zones


class Size(StrEnum):
    SMALL = "small"
    LARGE = "large"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("(312) 555-0142", "+13125550142"),
        ("312.555.0142", "+13125550142"),
        ("1 312 555 0142", "+13125550142"),
        ("+1 312 555 0142", "+13125550142"),
        ("+52 55 1234 5678", "+525512345678"),
        ("  +34 612 345 678 ", "+34612345678"),
    ],
)
def test_a_number_is_kept_in_one_form_however_it_was_written(written: str, kept: str) -> None:
    assert normalise_phone(written) == kept
    assert normalise_phone(kept) == kept


@pytest.mark.rule("P3")
@pytest.mark.parametrize(
    "written", ["", "call me", "911", "555-0142", "+1 312 555 014", "312 555 0142 ext. 7", "+999 1234"]
)
def test_what_cannot_be_texted_is_refused_by_its_field(written: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        normalise_phone(written)
    assert refused.value.field == "phone"
    assert written not in str(refused.value) or not written


def test_the_same_name_is_the_same_characters() -> None:
    composed, apart = "Inés", "Ine\u0301s"
    assert composed != apart
    assert plain_text(f"  {apart} ", field="name", length_max=10) == composed


@pytest.mark.rule("P3")
@pytest.mark.parametrize("value", ["", "   ", "a" * 11, "a\x00b", "a\nb", "a\x1bb"])
def test_a_line_that_cannot_be_is_refused_by_its_field(value: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        plain_text(value, field="name", length_max=10)
    assert refused.value.field == "name"


def test_a_note_may_have_lines() -> None:
    assert plain_text("a\nb", field="note", length_max=10, lines=True) == "a\nb"
    assert plain_text_or_none(" \n ", field="note", length_max=10, lines=True) is None


@given(st.text())
def test_any_text_is_kept_or_refused_and_never_crashes(value: str) -> None:
    try:
        kept = plain_text(value, field="name", length_max=50)
    except InvalidInput:
        return
    assert 0 < len(kept) <= 50
    assert plain_text(kept, field="name", length_max=50) == kept


@pytest.mark.rule("P3")
def test_an_unknown_code_is_told_which_there_are() -> None:
    assert coded(Size, "small", field="size") is Size.SMALL
    with pytest.raises(InvalidInput, match="Use one of: small, large") as refused:
        coded(Size, "medium", field="size")
    assert refused.value.field == "size"


def test_what_may_be_chosen_is_what_is_published() -> None:
    assert text_languages() == {"en", "es"}
    assert "calendar" in sender_labels()
    assert {"America/Chicago", "America/Puerto_Rico", "Pacific/Honolulu"} <= time_zones()
    assert not {"UTC", "EST", "Etc/GMT+5", "localtime", ""} & time_zones()
    assert {"en", "es", "ht", "zh", "tl", "quc"} <= spoken_languages()

"""A case label opens without a second factor, so it says nothing of her."""

from __future__ import annotations

import pytest

from referralnet.errors import InvalidInput
from referralnet.survivors.case_labels import check_label, made_label

NAMES = ("Inés", "García-López", "Lu")


@pytest.mark.parametrize("label", ["Blue kite 7", "maple-482", "Ñandú 12", "Lu"])
def test_neutral_words_are_taken(label: str) -> None:
    assert check_label(f" {label} ", NAMES) == label


@pytest.mark.parametrize(
    "label",
    ["", "Ines 4", "case-garcia", "LÓPEZ", "xgarciax", "g-a-r-c-i-a", "1996", "12 34", "a" * 25, "a  b", "a@b", "a\nb"],
)
def test_a_name_a_date_or_a_number_is_not(label: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_label(label, NAMES)
    assert refused.value.field == "case_label"
    assert "arcia" not in refused.value.message


def test_a_made_label_is_out_of_chance_and_would_be_taken() -> None:
    made = {made_label() for _ in range(200)}
    assert len(made) > 150
    assert all(check_label(label, NAMES) == label for label in made)

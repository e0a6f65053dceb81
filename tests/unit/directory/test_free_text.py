"""What people type is understood as far as the taxonomy knows it, in English and in Spanish."""

from __future__ import annotations

import pytest

from referralnet.directory.free_text import understand
from referralnet.directory.taxonomy import above, meanings


def test_a_question_in_a_hurry_becomes_a_kind_a_time_a_language_and_a_child() -> None:
    asked = understand("shelter tonight Spanish child")
    assert asked.categories == ("shelter_and_housing",)
    assert asked.languages == ("es",)
    assert asked.takes_children
    assert asked.available_tonight
    assert asked.words == "shelter"


def test_the_same_question_in_spanish_is_understood() -> None:
    asked = understand("refugio esta noche con mis hijos")
    assert (asked.categories, asked.takes_children, asked.available_tonight) == (("shelter_and_housing",), True, True)
    assert asked.words == "refugio con mis"


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("T visa", "t_visa"),
        ("U-visa", "u_visa"),
        ("vacatur", "vacatur"),
        ("expungement", "expungement"),
        ("rape kit", "forensic_exam"),
        ("SANE", "forensic_exam"),
        ("motel voucher", "hotel_stay"),
        ("vale de hotel", "hotel_stay"),
        ("visado T", "t_visa"),
        ("I-918", "u_visa"),
        ("anular condena", "vacatur"),
        ("borrar antecedentes", "expungement"),
        ("sellar antecedentes", "sealing"),
        ("intérprete", "spoken_interpretation"),
        ("Emergency shelter", "emergency_shelter"),
    ],
)
def test_words_of_the_field_name_their_category(text: str, category: str) -> None:
    expected = {category} | above(category)
    assert understand(text).categories[0] in expected


def test_the_longest_phrase_wins_over_its_parts() -> None:
    assert understand("order of protection").categories == ("protective_order",)


def test_a_closer_kind_leaves_out_the_wider_one_above_it() -> None:
    assert understand("lawyer for a T visa").categories == ("t_visa",)
    assert above("t_visa") == {"immigration_legal", "legal"}


def test_names_nobody_defined_stay_words_in_their_order() -> None:
    asked = understand("Lantern House, Chicago!")
    assert asked.words == "Lantern House Chicago"
    assert asked.categories == ()


def test_every_meaning_is_one_that_search_knows() -> None:
    kinds = {meaning.kind for meaning in meanings().values()}
    assert kinds == {"category", "language", "takes_children", "available_tonight"}

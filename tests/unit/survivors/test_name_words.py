"""Names are compared as people mean them: accents, hyphens, particles and near spellings do not hide anybody."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest

from referralnet.survivors.name_words import familiar, plain_words, sound
from referralnet.survivors.nicknames import CANONICAL
from referralnet.survivors.resembling import near_dates

SAME_SOUND = (
    "jimenez gimenez, ximena jimena, gonzales gonzalez, vasquez vazquez, vasquez basques, yesenia jessenia,"
    " yesenia llesenia, catherine kathryn, stephen steven, hernandez ernandez, zoila soila, sofia sophia, hector ector,"
    " marisol marizol, guadalupe guadelupe, nicole nikol, jacqueline yaquelin, brayan bryan, katerina caterina,"
    " mohammed muhamad, evelyn ivelin, esteban estevan, cecilia sesilia, quiroz kiros, rodriguez rodrigues,"
    " aaliyah aliya, svetlana swetlana, jhon john, geraldine jeraldin, marcella marcela, yolanda jolanda"
)
OTHER_SOUND = "maria mario, ana ema, luis lisa, rosa ruiz, marta merida, carla carol, sara zoe, garcia gorge, alma elmo"


def pairs(listed: str) -> list[tuple[str, ...]]:
    return [tuple(pair.split()) for pair in listed.split(",")]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("María-José de la Peña", ["maria", "jose", "pena"]),
        ("O'Brien O\u2019Brien", ["obrien"]),
        ("GARCÍA LÓPEZ", ["garcia", "lopez"]),
        ("Muñoz y Muñoz", ["munoz"]),
        ("Van", ["van"]),
        ("de la", ["de", "la"]),
        ("李 发明", ["李", "发明"]),
        ("Straße", ["strasse"]),
        ("-", []),
        ("  ", []),
    ],
)
def test_a_name_becomes_its_plain_words(name: str, words: list[str]) -> None:
    assert plain_words(name) == words


@pytest.mark.parametrize("pair", pairs(SAME_SOUND), ids="-".join)
def test_spellings_of_one_name_sound_alike(pair: tuple[str, str]) -> None:
    assert sound(pair[0]) == sound(pair[1])
    assert sound(pair[0])


@pytest.mark.parametrize("pair", pairs(OTHER_SOUND), ids="-".join)
def test_other_names_do_not(pair: tuple[str, str]) -> None:
    assert sound(pair[0]) != sound(pair[1])


@pytest.mark.parametrize("word", ["李", "li", "юлия", ""])
def test_what_cannot_be_told_by_sound_has_none(word: str) -> None:
    assert sound(word) is None


def test_familiar_forms_lead_to_one_name_and_each_form_to_one_alone() -> None:
    assert familiar("lupita") == familiar("guadalupe") == "guadalupe"
    assert familiar("quetzalina") is None
    assert [form for form in CANONICAL if plain_words(form) != [form]] == []
    first_names = Counter(CANONICAL.values())
    assert [name for name in first_names if CANONICAL[name] != name] == []


def test_a_date_is_near_where_it_is_written_for_another() -> None:
    assert set(near_dates(date(1996, 5, 4))) == {
        date(1996, 5, 3), date(1996, 5, 5), date(1996, 4, 5), date(1995, 5, 4), date(1997, 5, 4),
    }  # fmt: skip
    assert date(1996, 2, 29) not in near_dates(date(1996, 2, 29))
    assert len(near_dates(date(1996, 2, 29))) == 2
    assert len(near_dates(date(2001, 3, 3))) == 4

"""A label that texts open with tells nothing: no forbidden word, no person, no agency of the directory, no place."""

from __future__ import annotations

import pytest

from referralnet.database.transactions import Database
from referralnet.messaging.label_wording import faults_of_label
from tests.factories.directory import Keeper


@pytest.mark.rule("M3")
@pytest.mark.parametrize(
    ("words", "faults"),
    [
        ("Calendar", set()),
        ("Mi agenda", set()),
        ("Week-ahead 2", set()),
        ("  ", {("empty", None)}),
        ("A very long label", {("too_long", None)}),
        ("Court dates", {("forbidden_word", "court")}),
        ("Mi abogada", {("forbidden_word", "abogada")}),
        ("see t.co", {("link", None), ("not_plain", None)}),
        ("{date}", {("not_plain", None)}),
        ("Lupe", {("person", "lupe")}),
        ("Lantern notes", {("agency", "lantern")}),
        ("Lantern House", {("agency", "lantern"), ("agency", "lantern house"), ("forbidden_word", "house")}),
    ],
)
async def test_what_speaks_against_a_label_is_named(
    app: Database, keeper: Keeper, words: str, faults: set[tuple[str, str | None]]
) -> None:
    async with app.transaction(keeper.intake) as session:
        found = await faults_of_label(session, words)
    assert {(one.fault.value, one.word) for one in found} >= faults
    assert bool(found) == bool(faults)
    assert all(one.in_words.endswith(".") for one in found)


@pytest.mark.rule("M3")
async def test_a_town_of_the_directory_is_a_place(app: Database, keeper: Keeper) -> None:
    async with app.transaction(keeper.intake) as session:
        found = await faults_of_label(session, "Chicago dates")
    assert ("place", "chicago") in {(one.fault.value, one.word) for one in found}

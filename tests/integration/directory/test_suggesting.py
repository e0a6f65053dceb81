"""Half a name is enough, in either language and with a slip of the finger; a place has no name here (D1)."""

from __future__ import annotations

from pathlib import Path

import pytest

from referralnet.database.acting import Member, Nobody
from referralnet.database.transactions import Database
from referralnet.directory.search import DirectoryQuery, search
from referralnet.directory.suggesting import Suggestion, suggest_names
from referralnet.errors import InvalidInput
from tests.factories.directory import EVENING, Keeper, import_folder, write_shelter
from tests.integration.directory.test_confidential import confidential_facts


async def suggest(app: Database, member: Member | Nobody, typed: str, **options: object) -> list[Suggestion]:
    async with app.transaction(member) as session:
        return await suggest_names(session, typed, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("typed", "name", "how"),
    [
        ("lan", "Lantern House", "begins"),
        ("LANTERN h", "Lantern House", "begins"),
        ("madre", "Casa Madreselva", "word_begins"),
        ("lantren house", "Lantern House", "similar"),
        ("lantren ho", "Lantern House", "similar"),
        ("ayuda leagl", "Ayuda legal", "similar"),
        ("ayuda leg", "Ayuda legal", "begins"),
        ("t vi", "T visa", "begins"),
        ("inmigracion", "Ayuda legal de inmigración", "word_begins"),
    ],
)
async def test_a_name_is_found_by_what_is_typed_so_far(
    app: Database, stranger: Member, typed: str, name: str, how: str
) -> None:
    found = {row.name: row.how for row in await suggest(app, stranger, typed)}
    assert found.get(name) == how


async def test_a_category_has_its_code_and_an_organization_its_id(
    app: Database, stranger: Member, keeper: Keeper
) -> None:
    (term, *_rest) = await suggest(app, stranger, "vacat", kinds=("category",))
    assert (term.kind, term.code, term.id) == ("category", "vacatur", None)
    (house,) = await suggest(app, stranger, "lantern house", kinds=("organization",))
    assert house.id == keeper.organization_id


async def test_one_term_stands_once_in_the_language_of_whoever_asks(app: Database, stranger: Member) -> None:
    for language, name in (("en", "T visa"), ("es", "Visa T")):
        found = await suggest(app, stranger, "visa", kinds=("category",), language=language)
        assert [row.name for row in found if row.code == "t_visa"] == [name]


@pytest.mark.parametrize("typed", ["", "   ", "%", "_", "\\", "a%' or 1=1", "\x00", "ñ" * 80, "x" * 80])
async def test_whatever_is_typed_is_no_pattern_and_at_most_ten_are_told(
    app: Database, stranger: Member, typed: str
) -> None:
    assert len(await suggest(app, stranger, typed)) <= 10


@pytest.mark.rule("P3")
@pytest.mark.parametrize(
    ("typed", "options", "field"),
    [
        ("x" * 81, {}, "typed"),
        ("x", {"first": 11}, "first"),
        ("x", {"first": 0}, "first"),
        ("x", {"kinds": ("place",)}, "kinds"),
    ],
)
async def test_what_cannot_be_asked_is_named(
    app: Database, stranger: Member, typed: str, options: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await suggest(app, stranger, typed, **options)
    assert refused.value.field == field


@pytest.mark.rule("D1")
async def test_no_place_has_a_name_to_complete_and_no_word_of_one_mends_anything(
    owner: Database, app: Database, stranger: Member, keeper: Keeper, tmp_path: Path
) -> None:
    await import_folder(owner, write_shelter(tmp_path / "mill"))
    for fact in ("The house at the mill", "Millrace", "17 Mill", "Rockford 61104", "61104", *confidential_facts()):
        told = {row.name for row in await suggest(app, stranger, fact)}
        assert not {name for name in told if fact.lower() in name.lower() or "mill" in name.lower()}, fact
    async with app.transaction(stranger) as session:
        assert await search(session, DirectoryQuery(words="Millrase"), now=EVENING) == []


@pytest.mark.rule("A2")
async def test_nobody_is_told_no_name(app: Database, keeper: Keeper) -> None:
    assert await suggest(app, Nobody(), "lan") == []


@pytest.mark.parametrize(
    ("typed", "service", "before", "term"),
    [
        ("sheltr", "Tonight at Lantern House", "sheltr", "shelter_and_housing"),
        ("Lantren", "Tonight at Lantern House", "lantren", "lantern"),
        ("vacatr", "Vacatur for Survivors", "vacatr", "vacatur"),
        ("intreprete", "On-Site Interpreters, Central Illinois", "intreprete", "interpretation"),
    ],
)
async def test_a_slip_of_the_finger_is_mended_and_told(
    app: Database, stranger: Member, typed: str, service: str, before: str, term: str
) -> None:
    async with app.transaction(stranger) as session:
        found = await search(session, DirectoryQuery(words=typed, first=100), now=EVENING)
    hits = {hit.service_name: hit for hit in found}
    assert (before, term) in {(match.mended_from, match.term) for match in hits[service].matched}


async def test_a_word_that_a_listing_uses_is_not_taken_for_a_slip(app: Database, stranger: Member) -> None:
    async with app.transaction(stranger) as session:
        hits = await search(session, DirectoryQuery(words="dentures"), now=EVENING)
    assert {match.mended_from for hit in hits for match in hit.matched} == {None}


async def test_each_hit_says_which_words_kinds_and_languages_matched(app: Database, stranger: Member) -> None:
    query = DirectoryQuery(words="refuge Spanish", categories=("emergency_shelter",), languages=("en",))
    async with app.transaction(stranger) as session:
        hits = await search(session, query, now=EVENING)
    matched = {(match.how, match.term, match.typed) for hit in hits for match in hit.matched}
    assert {("category", "emergency_shelter", None), ("language", "en", None), ("spoken", "es", "spanish")} <= matched
    assert ("word", "refuge", "refuge") in matched

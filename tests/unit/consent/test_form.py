"""The published form and the table of categories: what a survivor reads is what the program does."""

from __future__ import annotations

import hashlib
import re

import pytest

from referralnet import published
from referralnet.consent.categories import DISCLOSED, Category
from referralnet.consent.form import form_languages, published_form
from referralnet.consent.proposing import TERM_DAYS_DEFAULT, TERM_DAYS_MAX
from referralnet.database.tables import Base
from referralnet.errors import InvalidInput
from referralnet.survivors.facts import Fact
from referralnet.survivors.vocabulary import text_languages

CATEGORY_WORDS = {
    "en": ("names", "number", "need", "safety", "legal", "immigration", "health"),
    "es": ("nombres", "número", "necesita", "seguridad", "legales", "migratoria", "salud"),
}


@pytest.mark.rule("C9")
def test_there_is_a_form_in_every_language_we_text_in() -> None:
    assert set(form_languages()) >= text_languages()
    assert set(form_languages()) == set(CATEGORY_WORDS)


@pytest.mark.rule("C9")
@pytest.mark.parametrize("language", CATEGORY_WORDS)
def test_a_form_has_a_version_and_the_hash_of_its_file(language: str) -> None:
    form = published_form(language)
    content = published.path("notifications", "forms", f"release.{language}.txt").read_bytes()
    assert form.hash == hashlib.sha256(content).digest()
    assert re.fullmatch(r"20[0-9]{2}-(0[1-9]|1[0-2])", form.version)
    assert not form.text.startswith("Version")


def test_all_languages_are_of_one_version() -> None:
    assert len({published_form(language).version for language in form_languages()}) == 1


@pytest.mark.rule("C8")
@pytest.mark.parametrize(("language", "words"), [("en", "You do not have to sign"), ("es", "No tiene que firmar")])
def test_the_form_says_that_nobody_has_to_sign(language: str, words: str) -> None:
    assert words in published_form(language).text


@pytest.mark.parametrize("language", CATEGORY_WORDS)
def test_the_form_names_every_category_and_the_term(language: str) -> None:
    form = published_form(language).text
    lines = [line for line in form.splitlines() if line.startswith("- ")]
    for word in CATEGORY_WORDS[language]:
        assert any(word in line for line in lines), word
    assert len(CATEGORY_WORDS[language]) == len(Category)
    assert str(TERM_DAYS_DEFAULT) in form
    assert TERM_DAYS_MAX == 365
    assert {"en": "one year", "es": "un año"}[language] in form


@pytest.mark.parametrize("language", ["", "xx", "EN", "../en", "en.txt"])
def test_there_is_no_form_in_any_other_language(language: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        published_form(language)
    assert refused.value.field == "form_language"


@pytest.mark.rule("C1")
def test_each_fact_is_disclosed_under_one_category_or_none() -> None:
    assert set(DISCLOSED) == set(Category)
    listed = [fact for facts in DISCLOSED.values() for fact in facts]
    assert sorted(listed) == sorted(set(listed)) == sorted(Fact)


@pytest.mark.rule("C1")
@pytest.mark.rule("C5")
def test_what_two_agencies_share_has_no_column_for_a_survivor() -> None:
    for table in ("release", "disclosure", "disclosure_item"):
        assert not any("survivor" in column.name or "lookup" in column.name for column in Base.metadata.tables[table].c)

"""What the papers say, in both languages, and what they say to nobody: they are carried home."""

from __future__ import annotations

import tomllib
from datetime import timedelta
from typing import Any

import pytest

from referralnet import published
from referralnet.audit.recording import Action
from referralnet.consent.categories import Category
from referralnet.consent.compelled import Mandate
from referralnet.consent.copies import Because
from referralnet.consent.form import form_languages, published_form
from referralnet.consent.minors import Purpose, Signer
from referralnet.consent.releases import Ended, Method, ReleaseStatus
from referralnet.database.acting import AgencyKind
from referralnet.errors import InvalidInput
from referralnet.identity.agencies import AgencyRow
from referralnet.messaging.neutrality import findings
from referralnet.papers.accounting_paper import print_accounting
from referralnet.papers.release_paper import print_release
from referralnet.papers.sheet import BOX
from referralnet.papers.wording import paper_languages, words_in
from referralnet.referrals.accounting import Line, Standing
from tests.factories.papers import BOTH, NOW, line, printed_release, read_pdf, text_of

LANGUAGES = ("en", "es")
# What would say to whoever finds the paper what became of her, or who keeps it.
NEVER = (
    "referralnet", "traffick", "exploit", "abus", "violen", "victim", "survivor", "rescue", "shelter",
    "trata", "víctima", "sobrevivi", "rescat", "albergue", "refugio", "maltrat",
)  # fmt: skip
EVERY_ACT = (
    Action.DISCLOSURE_MADE, Action.DISCLOSURE_READ, Action.REFERRAL_NOTED, Action.REFERRAL_NOTES_READ,
    Action.ACT_CONFIRMED, Action.HANDOFF_MADE, Action.CALL_LOGGED,
)  # fmt: skip


def release(language: str, **changes: Any) -> bytes:
    return print_release(printed_release(**changes), words_in(language), NOW)


def accounting(language: str, *lines: Line) -> bytes:
    custodian = AgencyRow(lines[0].release_id if lines and lines[0].release_id else printed_release().row.id,
                          "Lakeside Center", AgencyKind.VICTIM_SERVICES, "America/Chicago")  # fmt: skip
    return print_accounting(lines, custodian, words_in(language), NOW)


@pytest.mark.rule("C9")
@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "en",
            ["Permission to share information", "Lakeside Center", "Lantern House", "A safe place to stay",
             "From November 23, 2026 until February 21, 2027.", "It is in force.",
             "By you, on paper, on November 23, 2026.", "Version 2026-11, in Spanish.", "You did not have to sign.",
             "say so, write it, or send us a text", "No help that you get here depends on it.", "Page 1 of 1"],
        ),
        (
            "es",
            ["Permiso para compartir información", "Lakeside Center", "Lantern House", "Un lugar seguro donde quedarse",
             "Desde el 23 de noviembre de 2026 hasta el 21 de febrero de 2027.", "Está vigente.",
             "Por usted, en papel, el 23 de noviembre de 2026.", "Versión 2026-11, en español.", "No tenía que firmar.",
             "dígalo, escríbalo o mándenos un mensaje de texto", "Página 1 de 1"],
        ),
    ],
)  # fmt: skip
def test_her_copy_of_a_release_says_what_she_agreed_to_and_what_stays_hers(language: str, said: list[str]) -> None:
    text = text_of(release(language))
    for words in said:
        assert words in text, words
    content = words_in(language).content["categories"]
    assert {category for category in Category if content[category] in text} == set(BOTH)
    assert published_form("es").hash.hex() in text.replace(" ", "")


@pytest.mark.parametrize("language", LANGUAGES)
def test_categories_are_called_what_the_form_calls_them(language: str) -> None:
    form = " ".join(published_form(language).text.split())
    content = words_in(language).content["categories"]
    assert [category for category in Category if content[category] not in form] == []


@pytest.mark.parametrize(
    ("changes", "standing"),
    [
        ({"status": ReleaseStatus.PROPOSED, "signed_at": None, "method": None, "signer": None}, "proposed"),
        ({"starts_at": NOW + timedelta(days=2)}, "early"),
        ({"expires_at": NOW}, "expired"),
        *(
            ({"status": ReleaseStatus.INACTIVE, "ended_at": NOW, "ended_via": ended}, said)
            for ended, said in (
                (Ended.ORAL, "withdrawn"), (Ended.WRITTEN, "withdrawn"), (Ended.TEXT, "withdrawn"),
                (Ended.EXPIRY, "expired"), (Ended.RENEWAL, "replaced"), (Ended.NARROWING, "replaced"),
                (Ended.DECLINED, "declined"), (Ended.ERROR, "ended"), (Ended.BLOCKED, "ended"),
            )
        ),
    ],
)  # fmt: skip
def test_it_says_how_it_stands(changes: dict[str, Any], standing: str) -> None:
    words = words_in("es")
    text = text_of(release("es", **changes))
    today = words.day(NOW, "America/Chicago").replace("\u00a0", " ")
    said = {key: words.say("standing", key, date=today) for key in words.content["standing"]}
    assert [key for key, sentence in said.items() if sentence in text] == [standing]


@pytest.mark.parametrize("signer", Signer)
@pytest.mark.parametrize(
    ("method", "kind", "how"),
    [
        (Method.WRITTEN, None, "written"), (Method.WITNESSED, None, "witnessed"), (Method.ELECTRONIC, "path", "drawn"),
        (Method.ELECTRONIC, "image", "drawn"), (Method.ELECTRONIC, "typed", "typed"),
        (Method.ELECTRONIC, "not_kept", "electronic"), (Method.WRITTEN, "earlier", "written"),
    ],
)  # fmt: skip
def test_it_says_who_signed_and_how(signer: Signer, method: Method, kind: str | None, how: str) -> None:
    words = words_in("en")
    text = text_of(release("en", signer=signer, method=method, signature_kind=kind))
    signed = words.say("signer", signer, how=words.say("how", how), date="")
    assert signed.rstrip(". ") in text


@pytest.mark.rule("C11")
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_accounting_tells_each_line_with_its_day_and_the_permission(language: str) -> None:
    words = words_in(language)
    lines = [line(number, act, why="court_order") for number, act in enumerate(EVERY_ACT, 1)]
    text = text_of(accounting(language, *lines))
    for one in lines:
        why = words.say("mandate", "court_order")
        assert words.say("act", one.act, by=one.by, to=one.to, why=why) in text, one.act
    day = words.day(NOW - timedelta(days=31), "America/Chicago", short=True).replace("\u00a0", " ")
    assert text.count(words.say("accounting", "under", date=day)) == len(lines)
    assert words.say("accounting", "disagrees") not in text


@pytest.mark.rule("C11")
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("standing", [Standing.MISSING_IN_TABLES, Standing.MISSING_IN_TRAIL])
def test_a_line_on_which_the_books_differ_says_so_to_her(language: str, standing: Standing) -> None:
    text = text_of(accounting(language, line(1), line(2, standing=standing)))
    assert text.count(words_in(language).say("accounting", "disagrees")) == 1


@pytest.mark.rule("C11")
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_accounting_of_nothing_says_so_and_one_of_sixty_lines_has_them_all(language: str) -> None:
    words = words_in(language)
    assert words.say("accounting", "nothing") in text_of(accounting(language))
    content = accounting(language, *(line(number, to=f"Lantern {number:02}x") for number in range(1, 61)))
    text, pages = text_of(content), len(read_pdf(content).pages)
    assert [number for number in range(1, 61) if f"Lantern {number:02}x" not in text] == []
    assert pages > 2
    assert text.count(words.say("accounting", "what_happened")) == pages, "the headings come again"
    assert words.say("sheet", "page", page=pages, pages=pages) in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_neither_the_file_nor_its_words_say_what_we_do(language: str) -> None:
    words = words_in(language)
    everything = [line(number, act, why=why, categories=tuple(Category))
                  for number, (act, why) in enumerate([(act, why) for act in EVERY_ACT
                  for why in (None, *Because, *Mandate)], 1)]  # fmt: skip
    for content in (
        release(language, categories=frozenset(Category)),
        accounting(language, *everything),
        accounting(language),
    ):
        text = text_of(content).casefold()
        assert [word for word in NEVER if word in text] == []
        pdf = read_pdf(content)
        about = dict(pdf.metadata or {})
        assert set(about) == {"/Title", "/CreationDate", "/Producer"}
        assert {str(about["/Title"]), str(about["/Producer"])} == {words.say("sheet", "title")}
        assert str(pdf.root_object["/Lang"]) == language
        assert pdf.xmp_metadata is None
    assert findings(words.say("sheet", "title")) == []
    assert findings(words.say("sheet", "file").removesuffix(".pdf")) == []


def test_a_paper_is_dated_by_the_clock_it_is_given_and_by_no_other() -> None:
    assert release("en") == release("en")
    about = read_pdf(release("en")).metadata
    assert about is not None
    assert about.creation_date == NOW


@pytest.mark.parametrize("language", LANGUAGES)
def test_letters_that_cannot_be_printed_are_boxes_and_the_page_says_what_a_box_is(language: str) -> None:
    note = words_in(language).say("sheet", "letters")
    plain = text_of(release(language, recipient="Casa Ñandú ¿Qué? Łódź Надежда Ελπίδα Hạnh"))
    assert "Casa Ñandú ¿Qué? Łódź Надежда Ελπίδα Hạnh" in plain
    assert note not in plain
    for content in (
        release(language, recipient="\u674e\u6c0f \u0628\u064a\u062a \u202eHope"),
        accounting(language, line(1, to="\u674e\u6c0f \u0628\u064a\u062a \u202eHope")),
    ):
        text = text_of(content)
        assert f"{BOX * 2} {BOX * 3} Hope" in text
        assert note in text


@pytest.mark.parametrize("name", ["Wort " * 1500, "x" * 5000, "", "<b>*_`${agency}%s{0}\\n</b>"])
def test_no_name_breaks_a_paper(name: str) -> None:
    start = " ".join(name.split())[:40].strip()
    assert start in text_of(release("en", custodian=name, recipient=name))
    assert start[:20] in text_of(accounting("es", line(1, to=name, by=name), line(2)))


def test_every_word_stands_in_every_language_and_every_code_has_one() -> None:
    assert paper_languages() == form_languages() == LANGUAGES
    contents = [tomllib.loads(published.path("notifications", "papers", f"{one}.toml").read_text("utf-8"))
                for one in LANGUAGES]  # fmt: skip
    first, second = ({(table, key) for table, keys in content.items() if isinstance(keys, dict) for key in keys}
                     for content in contents)  # fmt: skip
    assert first == second
    for table, codes in (("categories", Category), ("short", Category), ("purpose", Purpose), ("signer", Signer),
                         ("how", Method), ("mandate", Mandate), ("why", Because), ("act", EVERY_ACT)):  # fmt: skip
        assert {str(code) for code in codes} <= set(contents[0][table]), table
    assert set(contents[0]["act"]) == {str(act) for act in EVERY_ACT}


def test_a_language_there_are_no_papers_in_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput) as refused:
        words_in("../en")
    assert refused.value.field == "language"

"""The console speaks English and Spanish: no phrase is left out, and each page follows its reader."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from babel.messages.catalog import Message as Entry
from babel.messages.pofile import read_po
from jinja2.ext import babel_extract

import referralnet
from referralnet import console
from referralnet.appointments.tables import AppointmentStatus, Mode
from referralnet.consent.categories import Category
from referralnet.console import forms, phrases, told, words
from referralnet.console.languages import CATALOGUES, LANGUAGES, catalogue, choose_language
from referralnet.console.navigation import MEMBERS, STRANGERS
from referralnet.console.pages import capacity, listing
from referralnet.console.words import Words
from referralnet.database.acting import AgencyKind, Role
from referralnet.directory.freshness import FRESH_FOR
from referralnet.directory.opening_hours import OpenSpan
from referralnet.directory.ranking import REASONS
from referralnet.directory.search_query import ACCESSIBILITY, COSTS, GENDERS
from referralnet.errors import Refusal
from referralnet.identity.task_kinds import TASK_KINDS
from referralnet.messaging.permission import Withheld
from referralnet.messaging.wording import Message
from referralnet.referrals.calling import CallAnswer
from referralnet.referrals.handing_over import HandoffKind
from referralnet.referrals.lifecycle import CloseReason, Event, Outcome, RejectReason, Status
from referralnet.survivors.facts import Fact
from referralnet.survivors.needs import AgeBand, Urgency
from tests.factories.identity import MadeMember
from tests.surface.console.conftest import OpenBrowser

TEMPLATES = Path(words.__file__).parent / "templates"
FOR_TRYING = {"explorer.html", "graphiql.html", "phone.html"}
"""English alone: they are for newcomers to the program, and do not exist in production."""
OF_PROGRAMS = (
    "partners", "cli", "directory.undoing", "directory.custody", "directory.exporting", "directory.import_lock",
    "referrals.changes",
)  # fmt: skip
"""Where refusals come from that no page tells."""
CODES = (
    *Status, *Role, *AgencyKind, *ACCESSIBILITY, *COSTS, *GENDERS, *Urgency, *RejectReason, *CloseReason, *Outcome,
    *AppointmentStatus, *Withheld, *AgeBand, *Mode, *CallAnswer, *HandoffKind, *Category, *Fact, *Message,
)  # fmt: skip


def refusals() -> dict[str, type[Refusal]]:
    """Every refusal that a page may tell, by its code."""
    for module in pkgutil.walk_packages(referralnet.__path__, "referralnet."):
        if not module.name.endswith("__main__") and ".migrations." not in module.name:
            importlib.import_module(module.name)
    ours = {code: kind for code, kind in Refusal.registry.items() if kind.__module__.startswith("referralnet.")}
    return {code: kind for code, kind in ours.items() if not kind.__module__[12:].startswith(OF_PROGRAMS)}


def spanish() -> list[Entry]:
    """Every message of the Spanish files."""
    found: list[Entry] = []
    for path in sorted((CATALOGUES / "es").glob("*.po")):
        with path.open("rb") as file:
            found += [message for message in read_po(file, locale="es") if message.id]
    return found


def of_templates() -> Iterator[str]:
    for file in sorted(TEMPLATES.rglob("*.html")):
        if file.name not in FOR_TRYING:
            with file.open("rb") as template:
                yield from [_first(message) for _, _, message, _ in babel_extract(template, _CALLS, (), _LIKE_OURS)]


_CALLS = ("_", "gettext", "ngettext")
_LIKE_OURS = {"trim_blocks": "true", "lstrip_blocks": "true"}


def _first(message: str | tuple[str | None, ...] | None) -> str:
    """A message, of a plural one the singular."""
    return message[0] or "" if isinstance(message, tuple) else message or ""


def of_code() -> Iterator[str]:
    yield from (*phrases.PLAIN.values(), *phrases.HAPPENED.values(), *phrases.REASONS.values())
    yield from (kind.words for kind in TASK_KINDS.values())
    yield from (*phrases.UNITS.values(), *phrases.NARROWS_BY.values(), *told.SENTENCES.values())
    yield from phrases.WAYS.values()
    yield from (*listing.ON_SHEET.values(), capacity.WRONG_COUNT)
    yield from (name for _, name, *_ in (*MEMBERS, *STRANGERS))
    yield from (phrases.PLAIN.get(code, code.replace("_", " ")) for code in CODES)
    yield from (phrases.REFUSED.get(code, refusal.sentence()) for code, refusal in refusals().items())
    for name in sorted(module.name for module in pkgutil.walk_packages(console.__path__, "referralnet.console.")):
        yield from getattr(importlib.import_module(name), "PHRASES", ())
    for module in (forms, words):
        source = inspect.getsource(module)
        yield from re.findall(r'(?:FormRefused|self\.said)\(\s*"([^"]+)"', source)
        yield from re.findall(r'self\.said\("([^"]+)" if .* else "[^"]+"\)', source)
        yield from re.findall(r'self\.said\("[^"]+" if .* else "([^"]+)"\)', source)


def test_no_phrase_is_without_its_spanish() -> None:
    wanted = {*of_templates(), *of_code()}
    assert len(wanted) > 200
    known = catalogue("es")
    assert sorted(phrase for phrase in wanted if known.ugettext(phrase) == phrase and phrase not in SAME) == []


SAME = {"Error", "No", "Plan"}
"""The same word in both."""


def test_the_catalogue_holds_nothing_that_no_page_says() -> None:
    ids = [message.id[0] if isinstance(message.id, tuple) else message.id for message in spanish()]
    assert [phrase for phrase, times in Counter(ids).items() if times > 1] == []
    assert set(ids) - {*of_templates(), *of_code()} == set()
    assert not any(message.fuzzy for message in spanish())


@pytest.mark.parametrize(
    "name",
    sorted(str(file.relative_to(TEMPLATES)) for file in TEMPLATES.rglob("*.html") if file.name not in FOR_TRYING),
)
def test_no_template_has_words_of_its_own_that_nobody_translates(name: str) -> None:
    text = (TEMPLATES / name).read_text()
    text = re.sub(r"\{% block kind %\}.*?\{% endblock %\}", " ", text)
    text = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<!doctype html>", " ", text, flags=re.DOTALL)
    shown = re.sub(r"<[^>]*>|[\w-]+=\"[^\"]*\"", " ", text)
    assert re.findall(r"[^\W\d_]{2,}", shown) == []
    assert re.findall(r'(?:aria-label|placeholder|title|alt)="\s*[^\W\d_]+', text) == []


def test_what_is_filled_in_is_named_the_same_in_both() -> None:
    def names(texts: str | Iterable[str] | None) -> set[frozenset[str]]:
        each = [texts] if isinstance(texts, str) else list(texts or ())
        return {frozenset(re.findall(r"%\((\w+)\)s", text)) for text in each}

    for message in spanish():
        assert names(message.id) == names(message.string), message.id


@pytest.mark.parametrize(
    ("chosen", "accepted", "language"),
    [
        (None, "", "en"),
        (None, "es-US,es;q=0.9,en;q=0.8", "es"),
        (None, "en;q=0.5, es;q=0.9", "es"),
        (None, "fr-FR, es;q=0.1, en;q=0.2", "en"),
        (None, "es;q=0", "en"),
        ("en", "es", "en"),
        ("xx", "es", "es"),
        (None, ";;;,=,*" * 100, "en"),
    ],
)
def test_the_language_is_the_chosen_one_or_what_the_browser_asks_for(
    chosen: str | None, accepted: str, language: str
) -> None:
    assert choose_language(chosen, accepted) == language


async def test_a_page_is_in_the_language_that_was_chosen_and_stays_where_it_was(
    browser: OpenBrowser, member: MadeMember
) -> None:
    page = browser()
    await page.sign_in(member)
    assert '<html lang="en">' in (await page.get("/directory?words=bed")).text
    answer = await page.post("/language", page="/directory?words=bed", language="es", back="/directory?words=bed")
    assert (answer.status_code, answer.headers["location"]) == (303, "/directory?words=bed")
    shown = (await page.get("/directory?words=bed")).text
    assert '<html lang="es">' in shown
    assert "Salir ya" in shown
    assert 'value="en" lang="en">English</button>' in shown


@pytest.mark.parametrize("back", ["https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example", "", "x"])
async def test_choosing_a_language_leads_to_no_other_site(browser: OpenBrowser, back: str) -> None:
    answer = await browser().post("/language", page="/sign-in", language="es", back=back)
    assert answer.headers["location"] == "/"


async def test_a_browser_that_asks_for_spanish_gets_it_before_anybody_chose(browser: OpenBrowser) -> None:
    answer = await browser().client.get("/sign-in", headers={"accept-language": "es-MX,es;q=0.9"})
    assert answer.headers["content-language"] == "es"
    assert "Contraseña" in answer.text


def test_dates_numbers_and_hours_are_local() -> None:
    instant = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
    assert Words("en").local(instant, "America/Chicago") == "Mon, Mar 2, 9:00 AM"
    assert Words("es").local(instant, "America/Chicago") == "lun 2 mar, 9:00 a.m."
    assert [Words(language).number(1234.56) for language in LANGUAGES] == ["1,234.6", "1,234.6"]
    assert Words("es").category("emergency_shelter") != Words("en").category("emergency_shelter")
    assert Words("es").language_name("pl") == "polaco"


NINE_TO_FIVE = tuple(OpenSpan(day * 1440 + 540, day * 1440 + 1020) for day in range(5))


@pytest.mark.parametrize(
    ("spans", "told_as"),
    [
        (NINE_TO_FIVE, [("Mon to Fri", "9:00 AM to 5:00 PM"), ("Sat to Sun", "closed")]),
        ((OpenSpan(0, 10_080),), [("Mon to Sun", "day and night")]),
        (tuple(OpenSpan(d * 1440, d * 1440 + 1439) for d in range(7)), [("Mon to Sun", "day and night")]),
        (
            (OpenSpan(4 * 1440 + 1080, 5 * 1440 + 120),),
            [("Mon to Thu", "closed"), ("Fri", "6:00 PM to 2:00 AM"), ("Sat to Sun", "closed")],
        ),
    ],
)
def test_hours_are_told_by_day(spans: tuple[OpenSpan, ...], told_as: list[tuple[str, str]]) -> None:
    assert Words("en").hours(spans) == told_as


def test_every_reason_unit_event_and_status_has_words() -> None:
    assert {reason.code for reason in REASONS} == set(phrases.REASONS)
    assert set(FRESH_FOR) == set(phrases.UNITS)
    assert {event.value for event in Event} == set(phrases.HAPPENED)

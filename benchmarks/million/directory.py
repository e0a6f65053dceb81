"""What is asked of the directory: searches, counts, names, matches, and what anybody asks over HSDS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks.made_directory import LANGUAGES
from benchmarks.million.drawing import BUSY, DEEP, NOW, PAGE, Call, Known, Question, kind, misspelled, word, zip_code
from referralnet.database.acting import PublicReader
from referralnet.directory.matching import Wanted, match
from referralnet.directory.projection import PublicQuery, count_public, find_public, public_page
from referralnet.directory.search import DirectoryQuery, search
from referralnet.directory.search_facets import search_facets
from referralnet.directory.suggesting import suggest_names
from referralnet.hsds.resources import SKIPPED_MAX

Draw = Callable[[Random], DirectoryQuery]


def _near(kilometers: float, **more: Any) -> Draw:
    drawn = {name: value for name, value in more.items() if callable(value)}
    fixed = {name: value for name, value in more.items() if name not in drawn}
    return lambda chance: DirectoryQuery(
        zip_code=zip_code(chance),
        within_kilometers=kilometers,
        **fixed,
        **{name: value(chance) for name, value in drawn.items()},
    )


SEARCHES: dict[str, Draw] = {
    "everything": lambda _: DirectoryQuery(),
    "a word": lambda chance: DirectoryQuery(words=word(chance)),
    "two words": lambda chance: DirectoryQuery(words=f"{word(chance)} {word(chance)}"),
    "a misspelled word": lambda chance: DirectoryQuery(words=misspelled(chance)),
    "a kind": lambda chance: DirectoryQuery(categories=(kind(chance),)),
    "a language": lambda chance: DirectoryQuery(languages=(chance.choice(LANGUAGES),)),
    "a language that is said": lambda chance: DirectoryQuery(languages=(chance.choice(LANGUAGES),), only_stated=True),
    "open at a time": lambda chance: DirectoryQuery(open_at=NOW + timedelta(hours=chance.randrange(168))),
    "free, for women, of an age": lambda chance: DirectoryQuery(
        costs=("free",), gender="women", age=chance.randrange(10, 80)
    ),
    "a ZIP code": lambda chance: DirectoryQuery(zip_code=zip_code(chance)),
    "within 25 km": _near(25.0),
    "within 50 km": _near(50.0),
    "within 300 km": _near(300.0),
    "a word within 50 km": _near(50.0, words=word),
    "a word within 300 km": _near(300.0, words=word),
    "a kind and a word within 50 km": _near(50.0, words=word, categories=lambda chance: (kind(chance),)),
    "accepting now": lambda _: DirectoryQuery(accepting_now=True),
    "accepting now within 25 km": _near(25.0, accepting_now=True),
    "accepting now within 50 km": _near(50.0, accepting_now=True),
    "accepting now within 300 km": _near(300.0, accepting_now=True),
    "a kind, accepting now within 300 km": _near(300.0, accepting_now=True, categories=lambda chance: (kind(chance),)),
    "a word, accepting now within 300 km": _near(300.0, accepting_now=True, words=word),
    "tonight within 300 km": _near(300.0, available_tonight=True),
    "counted in a week": lambda _: DirectoryQuery(capacity_confirmed_since=NOW - timedelta(days=7)),
    "counted in a week within 300 km": _near(300.0, capacity_confirmed_since=NOW - timedelta(days=7)),
}
"""What members search for."""
COUNTED = (
    "everything", "a word", "a kind", "within 300 km", "a word within 300 km", "accepting now",
    "accepting now within 300 km", "open at a time",
)  # fmt: skip


def members(known: Known) -> Iterator[Question]:
    """Searches by their first page and their last, their counts, names, and matches for a need."""
    for name, query in SEARCHES.items():
        yield Question(f"search: {name}", BUSY, lambda chance, query=query: _search(query(chance)))  # type: ignore[misc]
    for name in ("everything", "a word within 300 km"):
        yield Question(f"search, further: {name}", BUSY, lambda chance, name=name: _further(SEARCHES[name], chance))  # type: ignore[misc]
    for name in COUNTED:
        yield Question(f"counts: {name}", BUSY, lambda chance, name=name: _count(SEARCHES[name](chance)))  # type: ignore[misc]
    yield Question(
        "search: an organization", BUSY,
        lambda chance: _search(DirectoryQuery(organization_id=chance.choice(known.organizations))),
    )  # fmt: skip
    typed: dict[str, Callable[[Random], str]] = {
        "two letters": lambda chance: word(chance)[:2],
        "four letters": lambda chance: word(chance)[:4],
        "a word and a letter": lambda chance: f"{word(chance)} {word(chance)[0]}",
        "a misspelled word": misspelled,
    }
    for name, typing in typed.items():
        yield Question(f"names: {name}", BUSY, lambda chance, typing=typing: _suggest(typing(chance)))  # type: ignore[misc]
    for urgency in ("urgent", "routine"):
        yield Question(f"match a need: {urgency}", BUSY, lambda chance, urgency=urgency: _match(chance, urgency))  # type: ignore[misc]


def _search(query: DirectoryQuery) -> Call:
    return lambda session: search(session, query, now=NOW)


def _further(query: Draw, chance: Random) -> Call:
    """Behind some rank: every page behind the first costs the same, for at most 500 are ranked."""
    return _search(replace(query(chance), after=(chance.randrange(120), BUSY.member_id)))


def _count(query: DirectoryQuery) -> Call:
    return lambda session: search_facets(session, query, now=NOW)


def _suggest(typed: str) -> Call:
    return lambda session: suggest_names(session, typed)


def _match(chance: Random, urgency: str) -> Call:
    region = f"US-{chance.choice(('IL', 'CA', 'TX', 'NY', 'VT'))}" if chance.random() < 0.5 else zip_code(chance)[:3]
    wanted = Wanted(
        kind(chance),
        urgency,
        region,
        chance.choice(LANGUAGES),
        chance.randint(1, 4),
        "25_59",
        (),
        chance.random() < 0.5,
    )
    return lambda session: match(session, wanted, now=NOW)


def public(known: Known) -> Iterator[Question]:
    """A count and a page of fifty objects, as one request reads both; deep pages by cursor and by number."""
    asked: dict[str, tuple[str, Callable[[Random], PublicQuery]]] = {
        "services": ("service", lambda _: PublicQuery()),
        "services with a word": ("service", lambda chance: PublicQuery(search=word(chance))),
        "services with a word that all have": ("service", lambda _: PublicQuery(search="center")),
        "services of an organization": (
            "service", lambda chance: PublicQuery(organization_id=chance.choice(known.organizations)),
        ),
        "services changed in a day": ("service", lambda _: PublicQuery(modified_after=NOW - timedelta(days=1))),
        "services changed in a year": ("service", lambda _: PublicQuery(modified_after=NOW - timedelta(days=365))),
        "organizations": ("organization", lambda _: PublicQuery()),
        "organizations with a word": ("organization", lambda chance: PublicQuery(search=word(chance))),
        "places": ("service_at_location", lambda _: PublicQuery()),
        "places with a word": ("service_at_location", lambda chance: PublicQuery(search=word(chance))),
        "places that cover a ZIP code": (
            "service_at_location", lambda chance: PublicQuery(postcode=zip_code(chance)),
        ),
    }  # fmt: skip
    for kilometers in (25, 50, 300):
        asked[f"places within {kilometers} km"] = (
            "service_at_location",
            lambda chance, meters=kilometers * 1000.0: PublicQuery(postcode=zip_code(chance), proximity_meters=meters),  # type: ignore[misc]
        )
    for name, (table, query) in asked.items():
        yield Question(
            f"public: {name}",
            PublicReader(),
            lambda chance, table=table, query=query: _public(table, query(chance)),  # type: ignore[misc]
        )
    yield Question(
        f"public: services, page {DEEP}",
        PublicReader(),
        lambda _: _public("service", PublicQuery(), offset=SKIPPED_MAX),
    )
    yield Question(
        f"public: services, page {DEEP} by cursor", PublicReader(),
        lambda chance: _public("service", PublicQuery(), after=chance.choice(known.services)),
    )  # fmt: skip


def _public(table: str, query: PublicQuery, **page: Any) -> Call:
    async def call(session: AsyncSession) -> None:
        found = await find_public(session, table, query)
        await count_public(session, table, found)
        await public_page(session, f"{table}_listed", found, limit=PAGE, now=NOW, **page)

    return call

"""The indexed search finds what docs/search.md says, in its order, as a plain reading of every listing finds it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import text

from referralnet.database.acting import Member, Operator
from referralnet.database.transactions import Database
from referralnet.directory import search_facets as search_facets_module
from referralnet.directory import search_reach
from referralnet.directory.search import DirectoryHit, DirectoryQuery, search
from referralnet.directory.search_facets import search_facets
from referralnet.directory.search_sql import ready_search
from tests.factories.directory import EVENING, Keeper
from tests.factories.random_directory import RandomDirectory
from tests.factories.search_reference import Ranked, is_hidden_as_promised, ranked

SEED = 20_261_126
LISTINGS = 220
"""Few enough that no bound is met: what lies beyond one is left out on purpose."""


@pytest_asyncio.fixture(scope="module")
async def directory(owner: Database, keeper: Keeper) -> RandomDirectory:
    """The example, and listings of its organizations that say anything."""
    made = RandomDirectory(SEED, EVENING)
    async with owner.transaction(Operator()) as session:
        found = await session.execute(text("select id, agency_id from organization order by source_id"))
        await made.fill(session, [(row.id, row.agency_id) for row in found], LISTINGS)
        await session.execute(text("analyze directory_entry"))
    return made


async def all_pages(app: Database, member: Member, query: DirectoryQuery) -> list[DirectoryHit]:
    """Every hit, page by page."""
    found: list[DirectoryHit] = []
    async with app.transaction(member) as session:
        while page := await search(session, query, now=EVENING):
            found += page
            query = replace(query, after=page[-1].position)
    return found


def as_distances(hits: list[DirectoryHit]) -> list[float]:
    """Of public places, the nearest first."""
    return sorted(hit.distance_kilometers for hit in hits if hit.distance_kilometers is not None)


def as_ranked(hits: list[DirectoryHit]) -> list[Ranked]:
    return [
        Ranked(hit.service_at_location_id, hit.position[0], frozenset((*hit.reasons_for, *hit.reasons_against)))
        for hit in hits
    ]


@pytest.mark.rule("D1")
@pytest.mark.rule("D2")
@pytest.mark.rule("D3")
@pytest.mark.parametrize("part", range(4))
async def test_hits_stand_in_the_order_of_the_documented_formula(
    app: Database, owner: Database, stranger: Member, directory: RandomDirectory, part: int
) -> None:
    questions = RandomDirectory(SEED + part, EVENING)
    sizes = []
    for _ in range(25):
        query = questions.question()
        async with owner.transaction(Operator()) as session:
            expected = await ranked(session, query, now=EVENING)
        hits = await all_pages(app, stranger, query)
        assert as_ranked(hits) == expected, query
        assert all(is_hidden_as_promised(hit) for hit in hits), query
        sizes.append(len(hits))
    assert sum(size > 5 for size in sizes) > 9, "the questions are too narrow to prove anything"


async def test_counts_are_those_of_the_same_listings(
    app: Database, owner: Database, stranger: Member, directory: RandomDirectory
) -> None:
    questions = RandomDirectory(SEED - 1, EVENING)
    for _ in range(30):
        query = questions.question()
        async with owner.transaction(Operator()) as session:
            expected: list[UUID] = [hit.id for hit in await ranked(session, query, now=EVENING)]
        async with app.transaction(stranger) as session:
            found = await search_facets(session, query, now=EVENING)
        assert (found.total, found.at_least) == (len(expected), False), query


@pytest.mark.parametrize(
    "query",
    [
        DirectoryQuery(zip_code="60601", within_kilometers=300.0),
        DirectoryQuery(zip_code="60601", within_kilometers=300.0, words="lantern"),
        DirectoryQuery(available_tonight=True),
        DirectoryQuery(words="lantern"),
        DirectoryQuery(accepting_now=True),
    ],
)
async def test_what_lies_beyond_a_bound_is_the_farthest_the_least_free_or_the_least_standing(
    app: Database, owner: Database, stranger: Member, directory: RandomDirectory, monkeypatch: pytest.MonkeyPatch,
    query: DirectoryQuery,
) -> None:  # fmt: skip
    """With a bound of twelve, each way still brings its twelve best."""
    async with owner.transaction(Operator()) as session:
        whole = {hit.id: hit for hit in await ranked(session, query, now=EVENING)}
    distances = as_distances(await all_pages(app, stranger, query))
    monkeypatch.setattr(search_reach, "REACHED_MAX", 12)
    ready_search.cache_clear()
    hits = await all_pages(app, stranger, query)
    ready_search.cache_clear()
    found = {hit.service_at_location_id for hit in hits}
    assert found < whole.keys()
    if query.within_kilometers:
        assert as_distances(hits) == distances[:12]
        assert any(hit.confidential for hit in hits), "hidden places are reached beside the nearest, not behind them"
    if query.available_tonight or query.accepting_now:
        assert sum("open_units" in hit.reasons_for or "open_units_confirmed" in hit.reasons_for for hit in hits) >= 6
    if query.words and not query.within_kilometers:
        members = sum("network_member" in hit.reasons for hit in whole.values())
        assert sum("network_member" in hit.reasons_for for hit in hits) == min(members, 12)
        assert len(hits) == min(members, 12) + min(len(whole) - members, 12)


@pytest.mark.parametrize("place", [{}, {"zip_code": "60601", "within_kilometers": 300.0}])
@pytest.mark.parametrize("bound", [3, 12, 2_000])
async def test_counts_say_that_more_match_where_a_way_has_met_its_bound(
    app: Database, owner: Database, stranger: Member, directory: RandomDirectory, monkeypatch: pytest.MonkeyPatch,
    place: dict[str, Any], bound: int,
) -> None:  # fmt: skip
    query = DirectoryQuery(words="lantern", **place)
    async with owner.transaction(Operator()) as session:
        whole = len(await ranked(session, query, now=EVENING))
    for module in (search_reach, search_facets_module):
        monkeypatch.setattr(module, "REACHED_MAX", bound)
    search_facets_module._statement.cache_clear()
    async with app.transaction(stranger) as session:
        found = await search_facets(session, query, now=EVENING)
    search_facets_module._statement.cache_clear()
    assert found.at_least == (bound < whole)
    assert found.total < whole if found.at_least else found.total == whole

"""Counts tell what there is to narrow by, agree with what the search finds, and lead to no hidden door (D1, D2, D5)."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path

import pytest

from referralnet.database.acting import Member, Nobody
from referralnet.database.transactions import Database
from referralnet.directory import search_facets as facets_module
from referralnet.directory import search_reach as reach_module
from referralnet.directory.places import UnknownZip
from referralnet.directory.search import DirectoryQuery, search
from referralnet.directory.search_facets import Facets, search_facets
from referralnet.errors import Refusal
from tests.factories.directory import EVENING, Keeper, import_folder, write_shelter
from tests.integration.directory.test_confidential import confidential_facts

BEDS = DirectoryQuery(categories=("shelter_and_housing",))
QUERIES = [
    DirectoryQuery(),
    BEDS,
    DirectoryQuery(words="shelter tonight Spanish child"),
    DirectoryQuery(zip_code="61101", within_kilometers=20),
    DirectoryQuery(costs=("free",), gender="women", open_at=EVENING),
]


async def count(app: Database, member: Member | Nobody, query: DirectoryQuery, **options: object) -> Facets:
    async with app.transaction(member) as session:
        return await search_facets(session, query, now=EVENING, **options)  # type: ignore[arg-type]


def as_counts(found: Facets, kind: str) -> dict[str, int]:
    return {row.code: row.count for row in found.counts[kind]}


@pytest.mark.parametrize("query", QUERIES)
async def test_each_count_is_that_of_the_search_narrowed_by_it(
    app: Database, stranger: Member, query: DirectoryQuery
) -> None:
    found = await count(app, stranger, query)
    async with app.transaction(stranger) as session:
        hits = await search(session, replace(query, first=100), now=EVENING)
        assert found.total == len(hits)
        assert not found.at_least
        for code, number in as_counts(found, "category").items():
            assert number == sum(code in hit.categories for hit in hits), code
        for code, number in as_counts(found, "language").items():
            assert number == sum(code in hit.languages for hit in hits), code
        for area, number in (as_counts(found, "county") | as_counts(found, "state")).items():
            narrowed = await search(session, replace(query, areas=(area,), first=100), now=EVENING)
            assert number == len(narrowed), area
        accepting = await search(session, replace(query, accepting_now=True, first=100), now=EVENING)
        assert as_counts(found, "accepting_now").get("true", 0) == len(accepting)


async def test_categories_are_those_one_level_below_what_was_asked(app: Database, stranger: Member) -> None:
    top = await count(app, stranger, DirectoryQuery())
    assert {"legal", "medical", "shelter_and_housing"} <= set(as_counts(top, "category"))
    assert "t_visa" not in as_counts(top, "category")
    below = await count(app, stranger, DirectoryQuery(categories=("immigration_legal",)), language="es")
    assert {"t_visa", "u_visa"} <= set(as_counts(below, "category"))
    assert "Visa T" in {row.name for row in below.counts["category"]}


async def test_counts_are_bounded_and_say_so(app: Database, stranger: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facets_module, "REACHED_MAX", 5)
    monkeypatch.setattr(reach_module, "REACHED_MAX", 5)
    facets_module._statement.cache_clear()
    found = await count(app, stranger, DirectoryQuery())
    facets_module._statement.cache_clear()
    assert (found.total, found.at_least) == (5, True)


@pytest.mark.rule("D5")
async def test_a_stale_count_is_not_counted_as_accepting(app: Database, stranger: Member) -> None:
    async with app.transaction(stranger) as session:
        later = await search_facets(session, DirectoryQuery(), now=EVENING + timedelta(days=30))
    assert as_counts(later, "accepting_now") == {"true": 0}


@pytest.mark.rule("D1")
@pytest.mark.parametrize("query", QUERIES)
async def test_no_count_holds_a_street_a_point_a_zip_code_or_a_city(
    app: Database, stranger: Member, query: DirectoryQuery
) -> None:
    found = await count(app, stranger, query)
    told = json.dumps(asdict(found))
    assert set(found.counts) == set(facets_module.KINDS)
    assert [fact for fact in (*confidential_facts(), "point:", "zip") if fact in told] == []


@pytest.mark.rule("D1")
@pytest.mark.rule("D3")
async def test_moving_a_hidden_house_and_its_ramp_moves_no_count(
    owner: Database, app: Database, stranger: Member, tmp_path: Path
) -> None:
    found = []
    for latitude, longitude, zip_code, said in (
        ("42.2700", "-89.0900", "61104", "A ramp."),
        ("37.0051", "-89.1765", "62914", "Stairs."),
    ):
        location = {"id": "l1", "organization_id": "o1", "location_type": "physical"}
        place = {"id": "d1", "location_id": "l1", "address_1": "1 Far", "city": "X", "postal_code": zip_code}
        folder = write_shelter(
            tmp_path / "moving-facets",
            locations=[location | {"latitude": latitude, "longitude": longitude}],
            addresses=[place | {"state_province": "IL", "country": "US", "address_type": "physical"}],
            accessibility=[{"id": "w1", "location_id": "l1", "description": said}],
        )
        await import_folder(owner, folder)
        near = DirectoryQuery(words="Quiet Door", zip_code="61104", within_kilometers=25)
        found.append([await count(app, stranger, query) for query in (near, DirectoryQuery())])
    assert found[0][0].total == 1
    assert found[0] == found[1]


@pytest.mark.rule("D1")
@pytest.mark.parametrize("field", ["zip_code", "within_kilometers"])
async def test_an_error_of_counts_repeats_nothing_that_was_asked(app: Database, stranger: Member, field: str) -> None:
    wrong = DirectoryQuery(zip_code="00000" if field == "zip_code" else "60601", within_kilometers=-1)
    if field == "zip_code":
        wrong = replace(wrong, within_kilometers=None)
    with pytest.raises((UnknownZip, Refusal)) as refused:
        await count(app, stranger, wrong)
    assert refused.value.field == field
    assert "60601" not in refused.value.message
    assert "00000" not in refused.value.message


@pytest.mark.rule("A2")
async def test_nobody_counts_nothing(app: Database, keeper: Keeper) -> None:
    found = await count(app, Nobody(), DirectoryQuery())
    assert found.total == 0
    assert {row.count for rows in found.counts.values() for row in rows} <= {0}

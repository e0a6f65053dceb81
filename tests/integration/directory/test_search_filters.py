"""A filter leaves out whoever says otherwise; whoever says nothing ranks below, or is left out where that is asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from referralnet.database.acting import Member
from referralnet.database.transactions import Database
from referralnet.directory.search import DirectoryHit, DirectoryQuery, search
from referralnet.errors import InvalidInput
from tests.factories.directory import EVENING, Keeper, Rows, import_folder, write_shelter

SAYING = ("Yes Place", "No Place", "Silent Place")
MONDAY_NOON = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)


def rows_of(said: str, number: int) -> dict[str, Rows]:
    """One public listing that says yes, says no, or says nothing of all that can be asked."""
    own = {"id": f"s{number}", "organization_id": "o1", "name": f"{SAYING[number]} pottery", "status": "active"}
    if said == "yes":
        own |= {"minimum_age": "10", "maximum_age": "60", "eligibility_description": "Fishermen and their families."}
    if said == "no":
        own |= {"minimum_age": "90"}
    terms = {"yes": ["serves_women"], "no": ["serves_men", "adults_only"], "silent": []}[said]
    hours = {"yes": ("09:00", "17:00"), "no": ("20:00", "22:00")}.get(said)
    size = {"yes": "6", "no": "2"}.get(said)
    at = {"link_id": f"s{number}", "link_entity": "service"}
    attributes = [{"id": f"t{number}{term}", "taxonomy_term_id": term} | at for term in [*terms, "job_training"]]
    if size:
        attributes.append({"id": f"h{number}", "taxonomy_term_id": "household_size", "value": size} | at)
    door = [{"id": f"w{number}", "location_id": f"l{number}", "description": "Step-free."}] if said == "yes" else []
    cost = {"yes": [{"option": "Free"}], "no": [{"option": "Visit", "amount": "30"}]}.get(said, [])
    weekly = {"id": f"h{number}", "service_id": f"s{number}", "byday": "MO,TU"}
    return {
        "services": [own],
        "locations": [{"id": f"l{number}", "organization_id": "o1", "location_type": "physical"}],
        "service_at_location": [{"id": f"a{number}", "service_id": f"s{number}", "location_id": f"l{number}"}],
        "addresses": [
            {"id": f"d{number}", "location_id": f"l{number}", "address_1": "1 Open Road", "city": "Chicago"}
            | {"state_province": "IL", "postal_code": "60601", "country": "US", "address_type": "physical"}
        ],
        "attributes": attributes,
        "accessibility": door,
        "cost_options": [{"id": f"c{number}", "service_id": f"s{number}"} | option for option in cost],
        "schedules": [weekly | {"opens_at": hours[0], "closes_at": hours[1]}] if hours else [],
        "languages": [{"id": f"g{number}", "service_id": f"s{number}", "code": "es"}] if said == "yes" else [],
        "service_areas": [{"id": f"r{number}", "service_id": f"s{number}", "extent": "IL", "extent_type": "state"}]
        if said == "yes"
        else [],
        "service_capacity": [
            {"id": f"k{number}", "service_id": f"s{number}", "unit_id": "u1"}
            | {"available": "2" if said == "yes" else "0", "updated": "2026-11-23T20:00:00Z"}
        ]
        if said != "silent"
        else [],
    }


@pytest_asyncio.fixture(scope="module")
async def places(owner: Database, keeper: Keeper, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Three listings of one organization, alike but for what they say."""
    tables: dict[str, Rows] = {"phones": [], "units": [{"id": "u1", "name": "bed"}]}
    for number, said in enumerate(("yes", "no", "silent")):
        for table, rows in rows_of(said, number).items():
            tables.setdefault(table, []).extend(rows)
    folder: Path = tmp_path_factory.mktemp("packages") / "saying"
    await import_folder(owner, write_shelter(folder, **tables))


async def ask(app: Database, member: Member, **wishes: object) -> dict[str, DirectoryHit]:
    """Hits among the three, by the first word of their name, best first."""
    async with app.transaction(member) as session:
        hits = await search(session, DirectoryQuery(words="pottery", **wishes), now=EVENING)  # type: ignore[arg-type]
    return {hit.service_name.split()[0]: hit for hit in hits}


SILENCE_STAYS = [
    ({"gender": "women"}, "serves_gender", "gender_not_stated"),
    ({"household_size": 4}, "household_fits", "household_not_stated"),
    ({"costs": ("free",)}, "cost_fits", "cost_not_stated"),
    ({"open_at": MONDAY_NOON}, "open_then", "hours_not_stated"),
]


@pytest.mark.parametrize(("wish", "reason_for", "reason_against"), SILENCE_STAYS)
async def test_who_says_otherwise_is_left_out_and_who_says_nothing_stands_below(
    app: Database, stranger: Member, places: None, wish: dict[str, object], reason_for: str, reason_against: str
) -> None:
    hits = await ask(app, stranger, **wish)
    assert list(hits) == ["Yes", "Silent"]
    assert reason_for in hits["Yes"].reasons_for
    assert reason_against in hits["Silent"].reasons_against
    assert list(await ask(app, stranger, **wish, only_stated=True)) == ["Yes"]


async def test_every_place_is_there_when_nothing_is_asked(app: Database, stranger: Member, places: None) -> None:
    assert set(await ask(app, stranger)) == {"Yes", "No", "Silent"}


@pytest.mark.parametrize(
    ("wish", "found"),
    [
        ({"age": 20}, {"Yes", "Silent"}),
        ({"takes_children": True}, {"Yes", "Silent"}),
        ({"accepting_now": True}, {"Yes"}),
        ({"capacity_confirmed_since": EVENING - timedelta(hours=6)}, {"Yes", "No"}),
        ({"capacity_confirmed_since": EVENING - timedelta(hours=1)}, set()),
        ({"areas": ("state:IL",)}, {"Yes"}),
        ({"areas": ("county:IL/cook",)}, set()),
        ({"eligibility_words": "fishermen family"}, {"Yes"}),
        ({"eligibility_words": "pottery"}, set()),
        ({"agency_id": UUID(int=7)}, set()),
        ({"organization_id": UUID(int=7)}, set()),
        ({"accessibility": ("step_free",), "only_stated": True}, {"Yes"}),
        ({"accessibility": ("step_free", "low_vision"), "only_stated": True}, set()),
        ({"languages": ("es",), "only_stated": True}, {"Yes"}),
        ({"languages": ("pl",), "only_stated": True}, set()),
        ({"open_at": MONDAY_NOON + timedelta(hours=9)}, {"No", "Silent"}),
    ],
)
async def test_each_filter_finds_whom_it_names(
    app: Database, stranger: Member, places: None, wish: dict[str, object], found: set[str]
) -> None:
    assert set(await ask(app, stranger, **wish)) == found


async def test_ways_in_and_languages_rank_and_are_said(app: Database, stranger: Member, places: None) -> None:
    hits = await ask(app, stranger, accessibility=("step_free",), languages=("es",))
    assert next(iter(hits)) == "Yes"
    assert {"accessible", "speaks_language"} <= set(hits["Yes"].reasons_for)
    assert {"accessibility_not_stated", "language_not_spoken"} <= set(hits["Silent"].reasons_against)


async def test_a_keepers_listings_are_found_by_agency_and_by_organization(
    app: Database, stranger: Member, keeper: Keeper
) -> None:
    async with app.transaction(stranger) as session:
        by_agency = await search(session, DirectoryQuery(agency_id=keeper.agency_id), now=EVENING)
        by_organization = await search(session, DirectoryQuery(organization_id=keeper.organization_id), now=EVENING)
    assert {hit.organization_name for hit in by_agency} == {"Lantern House"}
    assert by_agency == by_organization


@pytest.mark.rule("D5")
async def test_accepting_now_believes_no_stale_count(app: Database, stranger: Member, places: None) -> None:
    query = DirectoryQuery(words="pottery", accepting_now=True)
    async with app.transaction(stranger) as session:
        assert await search(session, query, now=EVENING + timedelta(hours=30)) == []


@pytest.mark.rule("P3")
@pytest.mark.parametrize(
    ("query", "field"),
    [
        (DirectoryQuery(gender="x"), "gender"),
        (DirectoryQuery(household_size=0), "household_size"),
        (DirectoryQuery(age=-1), "age"),
        (DirectoryQuery(costs=("cheap",)), "costs"),
        (DirectoryQuery(accessibility=("lift",)), "accessibility"),
        (DirectoryQuery(areas=("state:IL",) * 51), "areas"),
        (DirectoryQuery(open_at=datetime(2026, 11, 23, 18, 0)), "open_at"),  # noqa: DTZ001 (that is what is refused)
    ],
)
async def test_what_cannot_be_asked_is_named(
    app: Database, stranger: Member, query: DirectoryQuery, field: str
) -> None:
    async with app.transaction(stranger) as session:
        with pytest.raises(InvalidInput) as refused:
            await search(session, query, now=EVENING)
    assert refused.value.field == field


async def test_an_unknown_keeper_finds_nothing(app: Database, stranger: Member, places: None) -> None:
    async with app.transaction(stranger) as session:
        assert await search(session, DirectoryQuery(agency_id=uuid4()), now=EVENING) == []

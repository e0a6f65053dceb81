"""A count says where its service is, so that what is free elsewhere is passed over: it hides nothing that is near."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import text

from referralnet.database.acting import Member, Operator
from referralnet.database.transactions import Database
from referralnet.directory.listing_change import CountedUnit, ListingChange
from referralnet.directory.matching import Wanted, match
from referralnet.directory.search import DirectoryQuery, search
from referralnet.directory.search_reach import NEAR_MAX
from referralnet.encryption.keyring import Keyring
from tests.factories.directory import EVENING, Keeper, Rows, import_folder, write_shelter
from tests.factories.listings import change_listing, make_listing

CHICAGO, AURORA, SPRINGFIELD, PEORIA = "60601", "60505", "62701", "61602"
COUNTIES = ("Cook", "Will", "Kane", "Lake", "DuPage", "McHenry")
# Where each service is by ZIP codes, and which counties it covers. A hidden place has no ZIP code here.
SERVICES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "In Chicago": ((CHICAGO,), ("Cook",)),
    "In Springfield": ((SPRINGFIELD,), ("Sangamon",)),
    "At two places": ((SPRINGFIELD, CHICAGO), ()),
    "Covering some": ((CHICAGO,), ("Macon", "Peoria", "Sangamon")),
    "Covering much": ((CHICAGO,), COUNTIES),
    "Hidden": ((), ("Cook",)),
    "Nowhere said": ((), ()),
}
SHELTER = Wanted("emergency_shelter", "urgent", "606", "en", 1, "25_59", (), False)


def package(services: dict[str, tuple[tuple[str, ...], tuple[str, ...]]]) -> dict[str, Rows]:
    """Rows of services that each have a bed free, counted the same afternoon."""
    tables: dict[str, Rows] = {name: [] for name in (
        "services", "locations", "service_at_location", "addresses", "service_areas", "service_capacity", "attributes",
    )} | {"phones": [], "units": [{"id": "u1", "name": "bed"}]}  # fmt: skip
    for number, (name, (zip_codes, counties)) in enumerate(services.items()):
        own = f"s{number}"
        tables["services"].append({"id": own, "organization_id": "o1", "name": name, "status": "active"})
        for at, zip_code in enumerate(zip_codes or ("",)):
            place = f"l{number}{at}"
            tables["locations"].append({"id": place, "organization_id": "o1", "location_type": "physical"})
            tables["service_at_location"].append({"id": f"a{place}", "service_id": own, "location_id": place})
            if zip_code:
                street = {"address_1": "1 Open Road", "city": "Somewhere", "state_province": "IL", "country": "US"}
                told = {"id": f"d{place}", "location_id": place, "postal_code": zip_code, "address_type": "physical"}
                tables["addresses"].append(told | street)
            if name == "Hidden":
                tagged = {"link_id": place, "link_entity": "location", "taxonomy_term_id": "confidential_location"}
                tables["attributes"].append({"id": f"h{place}"} | tagged)
        for county in counties:
            extent = {"extent": f"{county} County, IL", "extent_type": "county"}
            tables["service_areas"].append({"id": f"r{number}{county}", "service_id": own} | extent)
        counted = {"unit_id": "u1", "available": "1", "updated": "2026-11-23T20:00:00Z"}
        tables["service_capacity"].append({"id": f"k{number}", "service_id": own} | counted)
        kind = {"link_id": own, "link_entity": "service", "taxonomy_term_id": "emergency_shelter"}
        tables["attributes"].append({"id": f"t{number}"} | kind)
    return tables


@pytest_asyncio.fixture
async def folder(owner: Database, keeper: Keeper, tmp_path: Path) -> Path:
    """The services above, of a package of its own that is brought in anew for each test."""
    folder = write_shelter(tmp_path / "near-and-far", **package(SERVICES))
    await import_folder(owner, folder)
    return folder


async def said(owner: Database) -> dict[str, list[str] | None]:
    """What the count of each of these services says of where it is."""
    statement = text("""
        select service.name, counted.near from service_capacity counted join service on service.id = counted.service_id
         where service.package = 'near-and-far'
    """)
    async with owner.transaction(Operator()) as session:
        return {row.name: row.near for row in await session.execute(statement)}


async def free_within(app: Database, member: Member, kilometers: float, zip_code: str = CHICAGO) -> set[str]:
    """Which of these services are found where something is free so near."""
    query = DirectoryQuery(accepting_now=True, zip_code=zip_code, within_kilometers=kilometers, first=100)
    async with app.transaction(member) as session:
        return {hit.service_name for hit in await search(session, query, now=EVENING)} & set(SERVICES)


async def test_a_count_says_what_its_entries_say(owner: Database, folder: Path) -> None:
    near = await said(owner)
    assert near["Hidden"] == ["county:IL/cook"], "of a hidden place the area it covers, and no more"
    chicago, springfield = near["In Chicago"], near["In Springfield"]
    assert chicago is not None
    assert springfield is not None
    assert [code for code in chicago if not code.startswith("point:")] == ["county:IL/cook"]
    points = {code for code in (*chicago, *springfield) if code.startswith("point:")}
    assert near["At two places"] == sorted(points)
    some = near["Covering some"]
    assert some is not None
    assert len(some) == NEAR_MAX, "as many codes as a search looks at"
    assert near["Covering much"] is None, "a count tells a few codes"
    assert near["Nowhere said"] is None, "and none where one of its entries says nothing"


@pytest.mark.parametrize(
    ("kilometers", "found"),
    [
        (25.0, {"In Chicago", "At two places", "Covering some", "Covering much", "Hidden"}),
        (100.0, {"In Chicago", "At two places", "Covering some", "Covering much", "Hidden"}),
        (450.0, {"In Chicago", "At two places", "Covering some", "Covering much", "Hidden", "In Springfield"}),
    ],
)
async def test_what_is_free_is_found_however_it_is_looked_for(
    app: Database, owner: Database, stranger: Member, folder: Path, kilometers: float, found: set[str]
) -> None:
    assert await free_within(app, stranger, kilometers) == found
    async with owner.transaction(Operator()) as session:
        await session.execute(text("update service_capacity set near = null"))
    unsaid = await free_within(app, stranger, kilometers)
    async with owner.transaction(Operator()) as session:
        await session.execute(text("update directory_entry set area = area"))
    assert unsaid == found, "a count that says nothing is looked at"


async def test_a_need_is_matched_with_what_is_free_in_its_region(app: Database, stranger: Member, folder: Path) -> None:
    async with app.transaction(stranger) as session:
        found = await match(session, SHELTER, first=100, now=EVENING)
    free = {one.service_name for one in found if "open_units_confirmed" in one.reasons_for} & set(SERVICES)
    assert free == set(SERVICES) - {"In Springfield"}


async def test_whoever_moves_is_found_at_the_new_place(
    app: Database, owner: Database, stranger: Member, folder: Path
) -> None:
    moved = SERVICES | {"In Chicago": ((PEORIA,), ("Peoria",)), "In Springfield": ((AURORA,), ("Kane",))}
    write_shelter(folder, **package(moved))
    await import_folder(owner, folder)
    here = await free_within(app, stranger, 100.0)
    assert "In Springfield" in here
    assert "In Chicago" not in here
    assert "In Chicago" in await free_within(app, stranger, 100.0, PEORIA)


@pytest.mark.rule("D1")
async def test_a_place_that_is_hidden_or_leaves_is_told_no_longer(owner: Database, folder: Path) -> None:
    tables = package(SERVICES | {"At two places": ((SPRINGFIELD,), ())})
    tables["services"] = [row for row in tables["services"] if row["name"] != "In Springfield"]
    gone = {"id": "hidden", "link_id": "l00", "link_entity": "location", "taxonomy_term_id": "confidential_location"}
    tables["attributes"].append(gone)
    before = await said(owner)
    write_shelter(folder, **tables)
    await import_folder(owner, folder)
    after = await said(owner)
    assert after["In Chicago"] == ["county:IL/cook"], "hidden now: no cell of where it was"
    assert len(before["At two places"] or ()) == 2
    assert len(after["At two places"] or ()) == 1
    assert after["In Springfield"] is None


async def test_a_count_that_becomes_another_services_says_where_that_is(owner: Database, folder: Path) -> None:
    before = await said(owner)
    async with owner.transaction(Operator()) as session:
        await session.execute(
            text("""
            update service_capacity counted set service_id = other.id
              from service own, service other
             where own.id = counted.service_id and own.name = 'In Chicago' and own.package = 'near-and-far'
               and other.name = 'In Springfield' and other.package = 'near-and-far'
        """)
        )
    assert (await said(owner))["In Springfield"] == before["In Springfield"]


async def test_a_count_that_an_agency_begins_says_so_at_once(
    app: Database, owner: Database, keyring: Keyring, tmp_path: Path
) -> None:
    kept = await make_listing(owner, keyring, tmp_path, "Begins To Count", service_capacity=[])
    await change_listing(app, kept, ListingChange(capacity=(CountedUnit("bed", 2, 4),)), actor=kept.intake)
    statement = text("select near from service_capacity where service_id = :service")
    async with owner.transaction(Operator()) as session:
        assert await session.scalar(statement, {"service": kept.service_id}) == ["county:IL/winnebago"]


async def test_the_whole_country_is_asked_without_a_place(app: Database, stranger: Member, folder: Path) -> None:
    query = replace(DirectoryQuery(accepting_now=True), first=100)
    async with app.transaction(stranger) as session:
        found = {hit.service_name for hit in await search(session, query, now=EVENING)}
    assert set(SERVICES) <= found

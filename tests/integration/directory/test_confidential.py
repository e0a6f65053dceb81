"""Where a confidential shelter is stays with its own agency, whatever is asked of the database (D1, D2, D3)."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referralnet.database.acting import Custodian, Dispatcher, Member, Nobody
from referralnet.database.transactions import Database
from referralnet.directory.search import DirectoryQuery, search
from referralnet.encryption.keyring import Keyring
from referralnet.published import path
from tests.factories.directory import EVENING, Keeper, import_folder, make_keeper, write_shelter

PLACED = (
    "location",
    "address",
    "phone",
    "schedule",
    "language",
    "service_area",
    "accessibility",
    "attribute",
    "contact",
)


def confidential_facts() -> list[str]:
    """Streets and coordinates of the example's confidential places, as the CSV files have them."""

    def rows(folder: str, name: str) -> list[dict[str, str]]:
        with path("providers", folder, name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    marks = {row["id"] for row in rows("taxonomy", "taxonomy_terms.csv") if row["code"] == "confidential_location"}
    hidden = {row["link_id"] for row in rows("example", "attributes.csv") if row["taxonomy_term_id"] in marks}
    facts = [row["address_1"] for row in rows("example", "addresses.csv") if row["location_id"] in hidden]
    for row in rows("example", "locations.csv"):
        if row["id"] in hidden:
            facts += [row["latitude"], row["longitude"], row["name"]]
    return facts


async def everything_readable(database: Database, member: Member) -> str:
    """All that the member can read of the directory, as one text."""
    told = []
    async with database.transaction(member) as session:
        for table in (*PLACED, "organization", "service", "directory_listing", "service_capacity", "url"):
            rows = await session.execute(text(f"select to_jsonb(t)::text from {table} t"))
            told += list(rows.scalars())
    return "\n".join(told)


@pytest.mark.rule("D1")
async def test_nothing_a_member_of_another_agency_can_read_tells_a_confidential_place(
    app: Database, stranger: Member
) -> None:
    told = await everything_readable(app, stranger)
    facts = confidential_facts()
    assert len(facts) > 20
    assert [fact for fact in facts if fact in told] == []


@pytest.mark.rule("D1")
async def test_counts_and_joins_show_no_confidential_row(app: Database, stranger: Member) -> None:
    async with app.transaction(stranger) as session:
        for table in PLACED:
            assert await session.scalar(text(f"select count(*) from {table} where confidential")) == 0
        reached = await session.scalar(
            text("""
                select count(*) from directory_listing entry
                  join service_at_location at on at.id = entry.service_at_location_id
                  join location on location.id = at.location_id
                 where entry.confidential
            """)
        )
        assert reached == 0
        assert await session.scalar(text("select count(*) from directory_listing where confidential")) == 8


@pytest.mark.rule("D1")
async def test_a_shelters_own_agency_reads_its_own_place_and_no_other(app: Database, keeper: Keeper) -> None:
    async with app.transaction(keeper.intake) as session:
        rows = await session.execute(
            text("select organization_id from location where confidential and latitude is not null")
        )
        assert {row.organization_id for row in rows} == {keeper.organization_id}
        streets = await session.scalars(text("select address_1 from address where confidential"))
        assert set(streets) == {"455 Willow Lantern Court"}


@pytest.mark.rule("D1")
async def test_the_worker_reads_no_confidential_place_but_in_its_agencys_custody(
    worker: Database, keeper: Keeper
) -> None:
    async with worker.transaction(Dispatcher()) as session:
        assert await session.scalar(text("select count(*) from address where confidential")) == 0
        assert await session.scalar(text("select count(*) from address")) > 0
    async with worker.transaction(Custodian(keeper.agency_id)) as session:
        assert await session.scalar(text("select count(*) from address where confidential")) == 2


@pytest.mark.rule("D1")
@pytest.mark.parametrize(
    "statement",
    [
        "select description from service_at_location",
        "select * from service_at_location",
        "select * from directory_entry",
        "update location set confidential = false",
        "update organization set agency_id = null",
        "delete from attribute",
    ],
)
async def test_a_member_cannot_go_round_by_another_table(app: Database, stranger: Member, statement: str) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        async with app.transaction(stranger) as session:
            await session.execute(text(statement))


@pytest.mark.rule("D1")
@pytest.mark.rule("D2")
async def test_search_tells_what_a_confidential_service_does_and_a_front_door_alone(
    app: Database, stranger: Member
) -> None:
    async with app.transaction(stranger) as session:
        hits = await search(session, DirectoryQuery(words="lantern house tonight"), now=EVENING)
    shelter = next(hit for hit in hits if hit.service_name == "Tonight at Lantern House")
    assert shelter.confidential
    assert (shelter.address, shelter.place_note, shelter.distance_kilometers) == (None, None, None)
    assert shelter.area is not None
    assert "Cook County" in shelter.area
    assert shelter.phone is not None
    async with app.transaction(stranger) as session:
        front = await session.scalars(text("select number from phone where location_id is null"))
        assert shelter.phone in set(front)


@pytest.mark.rule("D2")
async def test_even_its_own_agency_finds_the_front_door_in_search(
    owner: Database, app: Database, keyring: Keyring, tmp_path: Path
) -> None:
    organization = [{"id": "o1", "name": "Hedgerow", "description": "A house."}]
    await import_folder(owner, write_shelter(tmp_path / "hedgerow", organizations=organization))
    own = await make_keeper(owner, keyring, "Hedgerow")
    async with app.transaction(own.intake) as session:
        (hit,) = await search(session, DirectoryQuery(words="Hedgerow"), now=EVENING)
        house = text("select number from phone where package = 'hedgerow' and confidential")
        assert list(await session.scalars(house)) == ["+1 815-555-0171"]
    assert (hit.phone, hit.address) == ("+1 815-555-0170", None)


@pytest.mark.rule("D3")
async def test_moving_a_confidential_house_moves_no_search_result(
    owner: Database, app: Database, stranger: Member, tmp_path: Path
) -> None:
    query = DirectoryQuery(words="Quiet Door", zip_code="61104", within_kilometers=25)
    found = []
    for latitude, longitude, zip_code in (("42.2700", "-89.0900", "61104"), ("37.0051", "-89.1765", "62914")):
        location = {"id": "l1", "organization_id": "o1", "location_type": "physical"}
        place = {"id": "d1", "location_id": "l1", "address_1": "1 Far", "city": "X", "postal_code": zip_code}
        folder = write_shelter(
            tmp_path / "moving",
            locations=[location | {"latitude": latitude, "longitude": longitude}],
            addresses=[place | {"state_province": "IL", "country": "US", "address_type": "physical"}],
        )
        await import_folder(owner, folder)
        async with app.transaction(stranger) as session:
            found.append(await search(session, query, now=EVENING))
    assert len(found[0]) == 1
    assert found[0] == found[1]


@pytest.mark.rule("D1", "D3")
async def test_the_search_table_refuses_a_point_of_a_confidential_place(owner: Database, keeper: Keeper) -> None:
    async with owner.engine.connect() as connection:
        for change in ("latitude = 41.9, longitude = -87.6", "cells = array['point:1:2']", "place_note = 'behind'"):
            with pytest.raises(DBAPIError, match="confidential_has_no_point"):
                await connection.execute(text(f"update directory_entry set {change} where confidential"))
            await connection.rollback()


@pytest.mark.rule("D1")
async def test_a_package_that_lost_its_marks_reveals_nothing(
    owner: Database, app: Database, stranger: Member, tmp_path: Path
) -> None:
    await import_folder(owner, write_shelter(tmp_path / "marks"))
    result = await import_folder(owner, write_shelter(tmp_path / "marks", attributes=[]))
    assert any("stay confidential" in row.message for row in result.problems.rows)
    async with app.transaction(stranger) as session:
        streets = await session.scalars(text("select address_1 from address"))
        assert "17 Millrace Lane" not in set(streets)
        listed = text("select confidential from directory_listing where package = 'marks'")
        assert list(await session.scalars(listed)) == [True]


@pytest.mark.rule("D1")
async def test_marking_the_service_hides_its_place_as_well(
    owner: Database, app: Database, stranger: Member, tmp_path: Path
) -> None:
    mark = {"id": "t1", "link_id": "s1", "link_entity": "service", "taxonomy_term_id": "confidential_location"}
    await import_folder(owner, write_shelter(tmp_path / "by-service", attributes=[mark]))
    async with app.transaction(stranger) as session:
        for table in ("location", "address"):
            rows = await session.scalar(text(f"select count(*) from {table} where package = 'by-service'"))
            assert rows == 0


@pytest.mark.rule("D1")
@pytest.mark.parametrize(
    ("extent", "extent_type"),
    [("61104", "postcode"), ("17 Millrace Lane, IL", "county"), ("Millrace, Rockford, IL", "")],
)
async def test_an_area_finer_than_a_county_is_not_shown_of_a_hidden_place(
    owner: Database, app: Database, stranger: Member, tmp_path: Path, extent: str, extent_type: str
) -> None:
    area = {"id": "r1", "service_id": "s1", "name": "Around the mill", "extent": extent, "extent_type": extent_type}
    await import_folder(owner, write_shelter(tmp_path / "fine", service_areas=[area]))
    async with app.transaction(stranger) as session:
        listed = text("select area, cells, counties from directory_listing where package = 'fine'")
        assert tuple((await session.execute(listed)).one()) == (None, [], [])


@pytest.mark.rule("D1")
async def test_a_public_text_that_tells_the_hidden_street_is_reported(owner: Database, tmp_path: Path) -> None:
    service = {"id": "s1", "organization_id": "o1", "name": "Beds", "status": "active"}
    told = [service | {"description": "Ring at 17 millrace lane."}]
    result = await import_folder(owner, write_shelter(tmp_path / "telling", services=told))
    assert [row.message for row in result.problems.rows if "tells the street" in row.message]


@pytest.mark.rule("A2")
async def test_without_anybody_acting_there_is_no_directory(app: Database, keeper: Keeper) -> None:
    async with app.transaction(Nobody()) as session:
        assert await search(session, DirectoryQuery(), now=EVENING) == []
        for table in ("directory_listing", "organization", "service", "service_capacity", *PLACED):
            assert await session.scalar(text(f"select count(*) from {table}")) == 0

"""Nothing public tells a hidden place: by no endpoint, format, id, filter, count, date or ETag (D1, D2, D3, D4)."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import text

from referralnet.database.acting import Nobody, Operator, PublicReader
from referralnet.database.transactions import Database
from referralnet.directory.columns import record_id
from referralnet.directory.projection import CONDITIONS
from tests.factories.directory import import_folder
from tests.factories.hsds import CANARIES, LISTS, STREET, ZIP, canaries_in, every_object, write_canaries

EVERYTHING = [
    f"/hsds/{name}?per_page=100&{how}"
    for name in LISTS
    for how in ("", "format=ndjson")
] + [
    f"/hsds/{name}?full=true{how}"
    for name in ("services", "organizations", "service_at_locations")
    for how in ("&per_page=100", "&format=ndjson")
] + ["/hsds/organizations?full_service=true&per_page=100", "/hsds/services?minimal=true"]  # fmt: skip


def own_id(table: str, source_id: str) -> UUID:
    return record_id("canaries", table, source_id)


async def every_answer(http: httpx2.AsyncClient) -> dict[str, tuple[str, str]]:
    """Of every endpoint and form, the body and the ETag."""
    answers = {}
    for path in EVERYTHING:
        answer = await http.get(path)
        assert answer.status_code == 200, path
        answers[path] = (answer.text, answer.headers.get("etag", ""))
    return answers


@pytest.mark.rule("D1")
@pytest.mark.rule("D4")
async def test_no_canary_of_a_hidden_place_is_in_any_answer(http: httpx2.AsyncClient) -> None:
    answers = await every_answer(http)
    assert {path: canaries_in(body) for path, (body, _tag) in answers.items()} == {path: [] for path in answers}
    assert all("Quiet Beds" in answers[path][0] for path in EVERYTHING if path.startswith("/hsds/services?f"))


@pytest.mark.rule("D1")
async def test_an_id_that_is_guessed_right_is_answered_as_one_that_is_nobodys(
    owner: Database, http: httpx2.AsyncClient
) -> None:
    nobodys = await http.get(f"/hsds/services/{own_id('service', 'none')}")
    assert nobodys.status_code == 404
    async with owner.transaction(Operator()) as session:
        query = text(
            "select id from service_at_location where location_id in (select id from location where confidential)"
        )
        hidden = list(await session.scalars(query))
    assert len(hidden) == 9
    for place in hidden:
        guessed = await http.get(f"/hsds/service_at_locations/{place}")
        assert (guessed.status_code, guessed.content) == (404, nobodys.content)
        after = await http.get(f"/hsds/service_at_locations?after={place}&per_page=1")
        assert str(place) not in after.text


@pytest.mark.rule("D1")
@pytest.mark.parametrize(
    "question",
    [
        f"services?search={STREET}",
        f"services?search={ZIP}",
        "services?search=canary",
        f"organizations?search={STREET}",
        f"organizations?search={ZIP}",
        f"service_at_locations?search={STREET}",
        f"service_at_locations?search={ZIP}",
        "service_at_locations?search=Quiet Beds",
        f"service_at_locations?organization_id={own_id('organization', 'o1')}&search=Beds",
        "taxonomy_terms?search=confidential",
    ],
)
async def test_no_filter_finds_what_is_hidden(http: httpx2.AsyncClient, question: str) -> None:
    answer = (await http.get(f"/hsds/{question}")).json()
    assert (answer["total_items"], answer["contents"]) == (0, [])


@pytest.mark.rule("D3")
async def test_no_distance_to_a_hidden_place_is_asked_or_answered(http: httpx2.AsyncClient) -> None:
    places: list[dict[str, str]] = []
    for meters in (1_000, 50_000, 500_000):
        near = await http.get(f"/hsds/service_at_locations?postcode=61104&proximity={meters}&per_page=100")
        places = [one["location"] for one in near.json()["contents"]]
        assert near.json()["total_items"] == len(places)
        assert all(place["name"] != "Canary house" for place in places)
    assert places


@pytest.mark.rule("D1")
@pytest.mark.rule("D3")
async def test_moving_a_hidden_house_changes_no_byte_and_no_etag(
    owner: Database, http: httpx2.AsyncClient, canary_folder: Path
) -> None:
    before = await every_answer(http)
    moved = [
        {"id": "l1", "organization_id": "o1", "location_type": "physical", "name": "Canary barn"}
        | {"latitude": "37.0051", "longitude": "-89.1765", "description": "Canary blue door"},
        {"id": "l2", "organization_id": "o1", "location_type": "physical", "name": "The kitchen"}
        | {
            "latitude": "42.2500",
            "longitude": "-89.0500",
            "description": f"Ring at {STREET.lower()}, or ask in {ZIP}.",
        },
    ]
    result = await import_folder(owner, write_canaries(canary_folder, locations=moved))
    assert result.counts["location"].updated == 1
    assert await every_answer(http) == before
    await import_folder(owner, write_canaries(canary_folder))


@pytest.mark.rule("D2")
async def test_a_hidden_service_is_told_by_what_it_does_its_county_and_its_front_door(http: httpx2.AsyncClient) -> None:
    service = (await http.get(f"/hsds/services/{own_id('service', 's1')}")).json()
    assert (service["name"], service["eligibility_description"]) == ("Quiet Beds", "Anybody")
    (area,) = service["service_areas"]
    assert (area["name"], area["extent"]) == ("Winnebago County", "Winnebago County, IL")
    assert [phone["number"] for phone in service["organization"]["phones"]] == ["+1 815-555-0190"]
    assert [language["code"] for language in service["languages"]] == ["es"]
    assert not {"service_at_locations", "contacts", "capacities"} & service.keys()
    found = (await http.get("/hsds/services?search=shelter&per_page=100")).json()["contents"]
    assert {"Tonight at Lantern House", "Juniper Night Rooms"} <= {one["name"] for one in found}


@pytest.mark.rule("D1")
async def test_what_is_told_of_a_public_place_of_the_same_organization_leaves_the_street_out(
    http: httpx2.AsyncClient,
) -> None:
    kitchen = (await http.get(f"/hsds/services/{own_id('service', 's2')}")).json()
    (place,) = kitchen["service_at_locations"]
    assert place["location"]["addresses"][0]["address_1"] == "5 Kitchen Row"
    assert "description" not in place.keys() | place["location"].keys() | kitchen.keys()


@pytest.mark.rule("D1")
async def test_a_place_that_is_marked_disappears_from_every_answer(
    owner: Database, http: httpx2.AsyncClient, tmp_path: Path
) -> None:
    open_house = write_canaries(tmp_path / "turning", attributes=[])
    await import_folder(owner, open_house)
    assert canaries_in((await http.get("/hsds/service_at_locations?full=true&format=ndjson")).text) == list(CANARIES)
    await import_folder(owner, write_canaries(tmp_path / "turning"))
    answers = await every_answer(http)
    assert not [path for path, (body, _tag) in answers.items() if canaries_in(body)]


@pytest.mark.rule("D1")
@pytest.mark.rule("A2")
async def test_a_reader_without_a_name_has_the_published_views_and_nothing_else(owner: Database, app: Database) -> None:
    tables = text("""
        select relname from pg_class where relkind in ('r', 'v') and relnamespace = 'public'::regnamespace
           and has_any_column_privilege('referralnet_app', oid, 'select')
    """)
    views = text("select relname from pg_class where relkind = 'v' and relnamespace = 'published'::regnamespace")
    async with owner.transaction(Operator()) as session:
        names = list(await session.scalars(tables))
    async with app.transaction(PublicReader()) as session:
        # A bare count takes no column, so that a table of which some columns are granted can be counted as well.
        readable = {name for name in names if await session.scalar(text(f"select count(*) from {name}"))}
    assert len(names) > 30
    # Which steps a referral may take is the same for everybody, and published.
    assert readable <= {"referral_transition"}
    async with app.transaction(Nobody()) as session:
        for view in await session.scalars(views):
            assert not await session.scalar(text(f"select count(*) from published.{view}"))


@pytest.mark.rule("D1")
async def test_what_lies_behind_the_published_views_is_nobodys(owner: Database, app: Database) -> None:
    async with owner.transaction(Operator()) as session:
        open_to_app = text("""
            select relname from pg_class where relnamespace = 'publishing'::regnamespace
               and has_table_privilege('referralnet_app', pg_class.oid, 'select')
        """)
        assert list(await session.scalars(open_to_app)) == []
        without_barrier = text("""
            select relname from pg_class where relkind = 'v' and relnamespace = 'published'::regnamespace
               and not coalesce(reloptions @> array['security_barrier=true'], false)
        """)
        without = set(await session.scalars(without_barrier))
        rows = text("""
            select table_name from information_schema.columns
             where table_schema = 'published' and table_name like '%_row'
             group by table_name having array_agg(column_name::text) = array['id']
        """)
        assert without == {"entry", *await session.scalars(rows)}


@pytest.mark.rule("D1")
@pytest.mark.parametrize("table", CONDITIONS)
async def test_the_ids_that_pages_are_made_of_are_those_of_what_is_published(
    app: Database, http: httpx2.AsyncClient, table: str
) -> None:
    async with app.transaction(PublicReader()) as session:
        rows = set(await session.scalars(text(f"select id from published.{table}_row")))
        assert rows
        assert rows == set(await session.scalars(text(f"select id from published.{table}")))
    async with app.transaction(Nobody()) as session:
        assert not await session.scalar(text(f"select count(*) from published.{table}_row"))


async def test_ids_of_the_hidden_are_in_no_answer(owner: Database, http: httpx2.AsyncClient) -> None:
    async with owner.transaction(Operator()) as session:
        hidden = set()
        for table in ("location", "address", "phone", "contact", "schedule", "language", "accessibility", "attribute"):
            hidden |= set(map(str, await session.scalars(text(f"select id from {table} where confidential"))))
    told = {
        one["id"]
        for path in EVERYTHING
        if "ndjson" not in path
        for one in every_object((await http.get(path)).json())
        if "id" in one
    }
    assert len(hidden) > 40  # by the fixture alone; other tests of this module hide more
    assert len(told) > 500
    assert hidden & told == set()

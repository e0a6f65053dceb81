"""Packages of HSDS 1.x and 2.0, and documents of 3.1 in JSON, become the same rows as a tabular package of 3.1."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import text

from referralnet.database.acting import Operator
from referralnet.database.transactions import Database
from referralnet.directory.problems import PackageUnreadable
from tests.factories.directory import import_folder, write_shelter, write_table

SPECIFICATION = Path(__file__).parents[4] / "shared" / "reference" / "hsds-3.1-dev"


async def rows(owner: Database, statement: str) -> list[tuple[object, ...]]:
    async with owner.transaction(Operator()) as session:
        return [tuple(row) for row in await session.execute(text(statement))]


async def test_a_package_of_2_0_comes_in_whole(owner: Database, tmp_path: Path) -> None:
    folder = write_shelter(tmp_path / "old", addresses=[], attributes=[], phones=[], service_capacity=[], units=[])
    street = {"id": "1", "location_id": "l1", "address_1": "1 Main St", "city": "Rockford", "state_province": "IL"}
    write_table(folder, "physical_addresses.csv", [street])
    write_table(folder, "postal_addresses.csv", [street | {"address_1": "PO Box 9"}])
    write_table(folder, "service_taxonomy.csv", [{"id": "1", "service_id": "s1", "taxonomy_id": "emergency_shelter"}])
    other = {"id": "1", "link_id": "o1", "link_type": "organization", "taxonomy_term_id": "legal"}
    write_table(folder, "other_attributes.csv", [other])
    holiday = {"id": "1", "service_id": "s1", "closed": "TRUE", "start_date": "2026-12-25", "end_date": "2026-12-26"}
    write_table(folder, "holiday_schedules.csv", [holiday])
    regular = {"id": "1", "service_id": "s1", "weekday": "Monday", "opens_at": "9am", "closes_at": "17:00"}
    write_table(folder, "regular_schedules.csv", [regular])
    write_table(folder, "payments_accepted.csv", [{"id": "1", "service_id": "s1", "payment": "Cash"}])
    write_table(folder, "required_documents.csv", [{"id": "1", "service_id": "s1", "document": "None"}])
    phones = [{"id": "p1", "location_id": "l1", "number": "815-555-0170", "language": "en; Spanish"}]
    write_table(folder, "phones.csv", phones)
    write_table(
        folder, "accessibility_for_disabilities.csv", [{"id": "1", "location_id": "l1", "accessibility": "Ramp"}]
    )
    result = await import_folder(owner, folder)
    assert result.problems.rows == []
    mine = "where package = 'old'"
    assert await rows(owner, f"select address_1, address_type from address {mine} order by 1") == [
        ("1 Main St", "physical"),
        ("PO Box 9", "postal"),
    ]
    assert await rows(owner, f"select link_entity from attribute {mine} order by 1") == [
        ("organization",),
        ("service",),
    ]
    assert await rows(owner, f"select byday, opens_at, valid_from::text, notes from schedule {mine} order by 1") == [
        ("MO", "09:00", None, None),
        (None, None, "2026-12-25", "Closed"),
    ]
    assert await rows(owner, f"select option from cost_option {mine}") == [("Cash",)]
    assert await rows(owner, f"select description from accessibility {mine}") == [("Ramp",)]
    spoken = f"select name, phone_id is not null from language {mine} order by 1"
    assert await rows(owner, spoken) == [("Spanish", True), ("en", True)]
    assert not (await import_folder(owner, folder)).changed


SERVICE = {
    "id": "s1",
    "name": "Beds",
    "status": "active",
    "minimum_age": 18,
    "organization": {"id": "o1", "name": "Quiet Door", "description": "A house."},
    "program": {"id": "g1", "name": "Nights", "description": ""},
    "phones": [{"id": "p1", "number": "815-555-0170", "languages": [{"id": "n1", "code": "es"}]}],
    "funding": [{"id": "f1", "source": "County"}],
    "capacities": [
        {"id": "c1", "available": 2, "updated": "2026-11-23T20:00:00Z", "unit": {"id": "u1", "name": "bed"}}
    ],
    "attributes": [{"id": "t1", "taxonomy_term_id": "emergency_shelter"}],
    "metadata": [
        {"id": "m1", "last_action_date": "2026-01-01", "last_action_type": "update", "field_name": "name"}
        | {"previous_value": "", "replacement_value": "Beds", "updated_by": "Ann"}
    ],
    "service_at_locations": [
        {
            "id": "a1",
            "location": {
                "id": "l1",
                "location_type": "physical",
                "latitude": 42.27,
                "addresses": [
                    {"id": "d1", "address_1": "1 Main St", "city": "Rockford", "state_province": "IL"}
                    | {"postal_code": "61104", "country": "US", "address_type": "physical"}
                ],
            },
            "schedules": [{"id": "h1", "byday": "MO", "opens_at": "09:00", "closes_at": "17:00"}],
        }
    ],
}
ORGANIZATION = {
    "id": "o1",
    "name": "Quiet Door",
    "website": "https://example.org",
    "organization_identifiers": [{"id": "i1", "identifier_type": "EIN", "identifier": "12"}],
    "additional_websites": [{"id": "w1", "url": "https://example.org/es"}],
}


@pytest.mark.parametrize("form", ["list", "page", "lines", "one", "folder"])
async def test_json_documents_become_rows_of_every_table_they_hold(owner: Database, tmp_path: Path, form: str) -> None:
    package = f"json-{form}"
    path = tmp_path / f"{package}.json"
    both = [SERVICE, ORGANIZATION]
    if form == "list":
        path.write_text(json.dumps(both, indent=1))
    elif form == "page":
        path.write_text(json.dumps({"total_items": 2, "contents": both, "page_number": 1}))
    elif form == "lines":
        path.write_text("".join(f"{json.dumps(one)}\n" for one in both), encoding="utf-16")
    elif form == "one":
        path.write_text(json.dumps(SERVICE))
    else:
        path = tmp_path / package
        path.mkdir()
        (path / "services.ndjson").write_text(json.dumps(SERVICE))
        (path / "organizations.json").write_text(json.dumps([ORGANIZATION]))
    result = await import_folder(owner, path, name=package)
    told_twice = ["another row has this id"] if form == "folder" else []
    assert [row.message for row in result.problems.rows] == told_twice
    read = {table: count.read for table, count in result.counts.items() if count.read}
    tables = "organization program service location service_at_location address phone schedule language funding unit"
    expected = dict.fromkeys([*tables.split(), "service_capacity", "attribute", "metadata"], 1)
    if form != "one":
        expected |= {"organization_identifier": 1, "url": 1}
    assert read == expected
    assert result.version == "3.x"
    said = await rows(owner, f"select website, description from organization where package = '{package}'")
    # Of one file the record is put together; of two files the first one's stands, and that is told.
    full, first = ("https://example.org", "A house."), ("https://example.org", None)
    assert said == [{"one": (None, "A house."), "folder": first}.get(form, full)]
    assert not (await import_folder(owner, path, name=package)).changed


@pytest.mark.skipif(not SPECIFICATION.is_dir(), reason="the specification is not beside the checkout")
@pytest.mark.parametrize("name", ["service_full", "organization_full", "service_at_location_full", "service_list"])
async def test_the_specifications_own_documents_come_in(owner: Database, name: str) -> None:
    result = await import_folder(owner, SPECIFICATION / "examples" / f"{name}.json", name=name)
    assert result.rows_read > 0
    assert not (await import_folder(owner, SPECIFICATION / "examples" / f"{name}.json", name=name)).changed


async def test_our_own_tabular_json_comes_in_as_the_tables_it_names(owner: Database, tmp_path: Path) -> None:
    path = tmp_path / "ours.json"
    path.write_text(
        json.dumps(
            {
                "organizations.csv": [{"id": "o1", "name": "=Door"}],
                "services.csv": [{"id": "s1", "organization_id": "o1", "name": "Beds", "status": "active"}],
            }
        )
    )
    result = await import_folder(owner, path)
    assert result.problems.rows == []
    assert result.counts["service"].inserted == 1


@pytest.mark.rule("D6")
@pytest.mark.parametrize("broken", ['[{"id": "o1", "name": "A"}', "{", '{"id": 1 "name"}', "[" * 100_000, '{"a":}'])
async def test_broken_json_leaves_nothing_behind(owner: Database, tmp_path: Path, broken: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text(broken)
    with pytest.raises(PackageUnreadable, match=r"broken\.json: line 1"):
        await import_folder(owner, path)
    assert await rows(owner, "select id from organization where package = 'broken'") == []

"""Every object and column of HSDS 3.1 is kept, and what hangs on a hidden place is as hidden as the place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import text

from referralnet.database.acting import Member, Operator
from referralnet.database.transactions import Database
from referralnet.directory.columns import columns_of
from referralnet.directory.custody import PLACE_OF
from referralnet.directory.formats import FILES
from referralnet.encryption.keyring import Keyring
from tests.factories.directory import import_folder, make_keeper, write_shelter, write_table

SPECIFICATION = Path(__file__).parents[4] / "shared" / "reference" / "hsds-3.1-dev"


@pytest.mark.skipif(not SPECIFICATION.is_dir(), reason="the specification is not beside the checkout")
def test_every_object_and_column_of_the_specification_has_its_place() -> None:
    described = json.loads((SPECIFICATION / "datapackage.json").read_bytes())["resources"]
    wanted = {table["name"]: {field["name"] for field in table["schema"]["fields"]} for table in described}
    for table, fields in wanted.items():
        schema = json.loads((SPECIFICATION / "schema" / f"{table}.json").read_bytes())["properties"]
        fields |= {name for name, said in schema.items() if said.get("type") not in {None, "array", "object"}}
    kept = {table: {"id", *(column.name for column in columns_of(table))} for table in FILES}
    assert kept == wanted


@pytest.mark.skipif(not SPECIFICATION.is_dir(), reason="the specification is not beside the checkout")
async def test_the_specifications_own_example_comes_in(owner: Database) -> None:
    result = await import_folder(owner, SPECIFICATION / "examples" / "csv", name="specification")
    for table in ("funding", "organization_identifier", "meta_table_description", "program", "url"):
        assert result.counts[table].read == 1, table
    # Its one row of history names no record of the example.
    assert [row.column for row in result.problems.rows if row.file == "metadata.csv"] == ["resource_id"]
    second = await import_folder(owner, SPECIFICATION / "examples" / "csv", name="specification")
    assert not second.changed


async def test_funding_identifiers_table_descriptions_and_history_are_kept(owner: Database, tmp_path: Path) -> None:
    folder = write_shelter(tmp_path / "whole")
    write_table(folder, "funding.csv", [{"id": "f1", "organization_id": "o1", "source": "County"}])
    identifier = {"id": "i1", "organization_id": "o1", "identifier_type": "EIN", "identifier": "12-3456789"}
    write_table(folder, "organization_identifiers.csv", [identifier])
    write_table(folder, "meta_table_descriptions.csv", [{"id": "m1", "name": "services", "language": "en"}])
    history = {"id": "h1", "resource_id": "s1", "resource_type": "services", "last_action_date": "2026-01-02"}
    history |= {"last_action_type": "update", "field_name": "name", "updated_by": "Ann"}
    write_table(folder, "metadata.csv", [history])
    result = await import_folder(owner, folder)
    assert result.problems.rows == []
    async with owner.transaction(Operator()) as session:
        kept = text("select resource_type, updated_by, previous_value from metadata where package = 'whole'")
        assert list((await session.execute(kept)).one()) == ["service", "Ann", None]
        for table in ("funding", "organization_identifier", "meta_table_description"):
            assert await session.scalar(text(f"select count(*) from {table} where package = 'whole'")) == 1


@pytest.mark.rule("D1")
@pytest.mark.parametrize("table", ["contact", "phone", "schedule", "language", "accessibility", "address", "location"])
async def test_whatever_hangs_on_a_hidden_place_through_another_row_is_hidden_too(
    owner: Database, app: Database, keyring: Keyring, stranger: Member, tmp_path: Path, table: str
) -> None:
    package = f"hidden-{table}"
    at = {"id": "x1", "location_id": "l1"}
    rows = {
        "contact": ("contacts", at | {"name": "Night desk"}),
        "phone": ("phones", at | {"number": "815-555-0171"}),
        "schedule": ("schedules", at | {"byday": "MO", "opens_at": "09:00", "closes_at": "17:00"}),
        "language": ("languages", at | {"code": "es"}),
        "accessibility": ("accessibility", at | {"description": "Ramp behind the mill"}),
    }
    link = {"address": "d1", "location": "l1"}.get(table, "x1")
    folder = write_shelter(tmp_path / package, **({rows[table][0]: [rows[table][1]]} if table in rows else {}))
    marks = [
        {"id": "t1", "link_id": "l1", "link_entity": "location", "taxonomy_term_id": "confidential_location"},
        {"id": "t3", "link_id": link, "link_entity": table, "taxonomy_term_id": "emergency_shelter", "label": "Mill"},
    ]
    write_table(folder, "attributes.csv", marks)
    history = {"id": "h1", "resource_id": link, "resource_type": table, "last_action_date": "2026-01-02"}
    history |= {"last_action_type": "update", "field_name": "name", "previous_value": "Mill", "updated_by": "Ann"}
    write_table(folder, "metadata.csv", [history])
    assert (await import_folder(owner, folder)).problems.rows == []
    keeper = await make_keeper_of(owner, keyring, package)
    for actor, seen in ((stranger, 0), (keeper, 1)):
        async with app.transaction(actor) as session:
            for hanging, condition in (("attribute", "label is not null"), ("metadata", "true")):
                found = text(f"select count(*) from {hanging} where package = :package and {condition}")
                assert await session.scalar(found, {"package": package}) == seen


async def make_keeper_of(owner: Database, keyring: Keyring, package: str) -> Member:
    name = f"Quiet Door of {package}"
    async with owner.transaction(Operator()) as session:
        statement = text("update organization set name = :name where package = :package")
        await session.execute(statement, {"name": name, "package": package})
    return (await make_keeper(owner, keyring, name)).intake


@pytest.mark.rule("D1")
async def test_a_row_that_names_a_place_which_is_not_kept_does_not_become_public(
    owner: Database, tmp_path: Path
) -> None:
    phones = [{"id": "p1", "organization_id": "o1", "location_id": "lost", "number": "815-555-0171"}]
    result = await import_folder(owner, write_shelter(tmp_path / "lost", phones=phones))
    assert result.counts["phone"].read == 0
    assert [(row.file, row.column) for row in result.problems.rows] == [("phones.csv", "location_id")]


def test_every_table_with_the_marks_of_a_place_has_its_way_to_the_place() -> None:
    from referralnet.directory.columns import table_of

    marked = {table for table in FILES if "confidential" in table_of(table).columns}
    assert set(PLACE_OF) == marked - {"location"}

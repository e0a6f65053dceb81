"""The newest import of a package can be taken back whole, and is not where something stands on it; history tells it."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from referralnet.database.acting import Member, Operator
from referralnet.database.transactions import Database
from referralnet.directory.formats import FILES
from referralnet.directory.undoing import (
    ChangedSinceImport,
    ImportNotRemembered,
    LaterImport,
    Undone,
    undo_import,
)
from referralnet.encryption.keyring import Keyring
from referralnet.errors import NotFound, Refusal
from tests.factories.directory import EVENING, Rows, import_folder, make_keeper, write_shelter

HIDDEN = [{"id": "t1", "link_id": "l1", "link_entity": "location", "taxonomy_term_id": "confidential_location"}]


def services(*names: str) -> Rows:
    return [{"id": name, "organization_id": "o1", "name": f"The {name}", "status": "active"} for name in names]


async def newest(owner: Database, package: str) -> UUID:
    async with owner.transaction(Operator()) as session:
        statement = "select id from directory_import where package = :package order by finished_at desc limit 1"
        return UUID(str(await session.scalar(text(statement), {"package": package})))


async def undo(owner: Database, import_id: UUID | None) -> Undone:
    async with owner.transaction(Operator()) as session:
        return await undo_import(session, import_id, now=EVENING)


async def held(owner: Database, package: str) -> dict[str, list[str]]:
    """Every row of the package and of its search rows, as text."""
    tables: dict[str, list[str]] = {}
    async with owner.transaction(Operator()) as session:
        for table in [*FILES, "directory_entry"]:
            statement = text(f"select t::text from {table} t where package = :package order by 1")
            tables[table] = list(await session.scalars(statement, {"package": package}))
    return tables


@pytest.mark.rule("D6")
async def test_a_second_import_taken_back_leaves_every_row_as_it_was(owner: Database, tmp_path: Path) -> None:
    folder = write_shelter(tmp_path / "back", services=services("s1", "stays", "changes", "goes"))
    await import_folder(owner, folder)
    before = await held(owner, "back")
    changed = services("s1", "stays", "changes", "comes")
    changed[2]["name"] = "Another name"
    again = await import_folder(owner, write_shelter(folder, services=changed, phones=[]))
    assert (again.counts["service"].inserted, again.counts["service"].updated, again.counts["service"].gone) == (1,) * 3
    undone = await undo(owner, None)
    assert (undone.package, undone.removed, undone.restored) == ("back", 1, 4)
    assert await held(owner, "back") == before
    original = write_shelter(folder, services=services("s1", "stays", "changes", "goes"))
    assert not (await import_folder(owner, original)).changed


@pytest.mark.rule("D6")
async def test_a_first_import_taken_back_leaves_nothing_and_can_come_again(owner: Database, tmp_path: Path) -> None:
    folder = write_shelter(tmp_path / "first")
    told = await import_folder(owner, folder)
    undone = await undo(owner, await newest(owner, "first"))
    assert undone.removed == told.rows_read
    assert not any((await held(owner, "first")).values())
    assert (await import_folder(owner, folder)).counts == told.counts


async def test_an_import_below_a_later_one_is_refused_and_so_is_one_no_longer_remembered(
    owner: Database, tmp_path: Path
) -> None:
    folder = write_shelter(tmp_path / "stack", services=services("s1"))
    await import_folder(owner, folder)
    await import_folder(owner, write_shelter(folder, services=services("s1", "second")))
    second = await newest(owner, "stack")
    await import_folder(owner, write_shelter(folder, services=services("s1", "second", "third")))
    with pytest.raises(LaterImport):
        await undo(owner, second)
    await undo(owner, await newest(owner, "stack"))
    with pytest.raises(ImportNotRemembered):
        await undo(owner, second)
    with pytest.raises(NotFound):
        await undo(owner, UUID(int=7))


@pytest.mark.parametrize("what", ["edited", "linked", "held"])
async def test_an_import_that_something_stands_on_is_refused_and_stays(
    owner: Database, keyring: Keyring, tmp_path: Path, what: str
) -> None:
    folder = write_shelter(tmp_path / what, organizations=[{"id": "o1", "name": f"Door {what}"}])
    await import_folder(owner, folder)
    if what == "edited":
        await import_folder(owner, write_shelter(folder, services=services("s1", "s2")))
        async with owner.transaction(Operator()) as session:
            await session.execute(text("update service set name = 'x' where package = 'edited' and source_id = 's2'"))
    elif what == "linked":
        await make_keeper(owner, keyring, "Door linked")
    else:
        async with owner.transaction(Operator()) as session:
            await session.execute(text("update service_capacity set held = 1 where package = 'held'"))
    before = await held(owner, what)
    with pytest.raises(ChangedSinceImport):
        await undo(owner, await newest(owner, what))
    assert await held(owner, what) == before


@pytest.mark.rule("D1")
async def test_taking_back_the_import_that_hid_a_place_does_not_show_it(owner: Database, tmp_path: Path) -> None:
    folder = write_shelter(tmp_path / "rehidden", attributes=[])
    await import_folder(owner, folder)
    await import_folder(owner, write_shelter(folder, attributes=HIDDEN))
    await undo(owner, await newest(owner, "rehidden"))
    async with owner.transaction(Operator()) as session:
        statement = text("select confidential from location where package = 'rehidden'")
        assert list(await session.scalars(statement)) == [True]


async def test_the_history_says_which_field_was_changed_from_what_to_what(owner: Database, tmp_path: Path) -> None:
    folder = write_shelter(tmp_path / "told", services=services("s1", "goes"))
    await import_folder(owner, folder)
    assert await history(owner, "told") == []
    changed = services("s1")
    changed[0]["name"] = "New"
    await import_folder(owner, write_shelter(folder, services=changed))
    assert await history(owner, "told") == [
        ("delete", "id", "goes", None, "import of told"),
        ("update", "name", "The s1", "New", "import of told"),
    ]
    await import_folder(owner, write_shelter(folder, services=changed + services("goes")))
    assert ("create", "id", None, "goes", "import of told") in await history(owner, "told")
    assert (await import_folder(owner, folder)).counts["metadata"].gone == 0
    await undo(owner, await newest(owner, "told"))
    assert len(await history(owner, "told")) == 2


async def history(owner: Database, package: str) -> list[tuple[object, ...]]:
    async with owner.transaction(Operator()) as session:
        statement = """
            select last_action_type, field_name, previous_value, replacement_value, updated_by from metadata
             where package = :package order by 1, 2
        """
        return [tuple(row) for row in await session.execute(text(statement), {"package": package})]


@pytest.mark.rule("D1")
async def test_of_a_hidden_place_the_history_tells_no_value_and_strangers_nothing(
    owner: Database, app: Database, stranger: Member, tmp_path: Path
) -> None:
    folder = write_shelter(tmp_path / "discreet", attributes=HIDDEN)
    await import_folder(owner, folder)
    moved = {"id": "d1", "location_id": "l1", "address_1": "18 Millrace Lane", "city": "Rockford"}
    moved |= {"state_province": "IL", "postal_code": "61104", "country": "US", "address_type": "physical"}
    at = [{"id": "a1", "service_id": "s1", "location_id": "l1", "description": "Beside the mill"}]
    await import_folder(owner, write_shelter(folder, attributes=HIDDEN, addresses=[moved], service_at_location=at))
    assert await history(owner, "discreet") == [
        ("update", "address_1", None, None, "import of discreet"),
        ("update", "description", None, None, "import of discreet"),
    ]
    async with app.transaction(stranger) as session:
        assert await session.scalar(text("select count(*) from metadata where package = 'discreet'")) == 0


def test_every_refusal_says_what_to_do() -> None:
    for refusal in (LaterImport, ImportNotRemembered, ChangedSinceImport):
        assert issubclass(refusal, Refusal)
        assert refusal.code.isupper()

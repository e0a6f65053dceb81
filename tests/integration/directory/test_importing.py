"""An import is all or nothing, tells what it did, and does nothing the second time (D6)."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from referralnet.database.acting import Operator
from referralnet.database.transactions import Database
from referralnet.directory.capacity import confirm_capacity
from referralnet.directory.importing import import_package, import_taxonomy
from referralnet.directory.merging import Counts
from referralnet.directory.problems import PackageUnreadable, Severity
from tests.factories.directory import EVENING, import_example, import_folder, write_shelter, write_table

REAL_PACKAGE = Path(__file__).parents[4] / "shared" / "data" / "illinois-legal-aid-hsds-1.1"


async def count(owner: Database, table: str, package: str) -> int:
    async with owner.transaction(Operator()) as session:
        statement = text(f"select count(*) from {table} where package = :package and gone_at is null")
        return int(await session.scalar(statement, {"package": package}) or 0)


@pytest.mark.rule("D6")
async def test_the_example_comes_in_clean_and_a_second_run_changes_nothing(owner: Database) -> None:
    first = await import_example(owner)
    assert first.problems.rows == []
    assert first.counts["organization"] == Counts(read=41, inserted=41)
    assert first.entries_changed == 58
    second = await import_example(owner)
    assert not second.changed
    assert second.counts["organization"].unchanged == 41
    assert second.rows_read == first.rows_read
    async with owner.transaction(Operator()) as session:
        imports = text("select count(*) from directory_import where package = 'referralnet-example'")
        assert await session.scalar(imports) == 1


@pytest.mark.rule("D6")
@pytest.mark.skipif(not REAL_PACKAGE.is_dir(), reason="the real package is not beside the checkout")
async def test_a_real_old_package_comes_in_with_its_dirt_told_and_a_second_run_changes_nothing(owner: Database) -> None:
    first = await import_folder(owner, REAL_PACKAGE)
    assert first.version == "1.x"
    assert first.counts["location"].inserted == 520
    assert first.counts["service"].inserted == 429
    assert first.counts["organization"].inserted > 33  # stand-ins for those that services name and nobody describes
    for severity in Severity:
        assert first.problems.count(severity) > 0
    assert all(row.file and row.message for row in first.problems.rows)
    kept_or_told = first.counts["phone"].inserted + sum(
        row.file == "phones.csv" and row.line > 1 and row.severity is Severity.KEPT_OUT for row in first.problems.rows
    )
    assert kept_or_told == 520
    second = await import_folder(owner, REAL_PACKAGE)
    assert not second.changed
    assert second.problems.rows == first.problems.rows


@pytest.mark.rule("D6")
@pytest.mark.parametrize("broken", ["not_utf_8", "no_column"])
async def test_a_package_that_breaks_half_way_leaves_nothing_behind(
    owner: Database, tmp_path: Path, broken: str
) -> None:
    folder = write_shelter(tmp_path / broken)
    if broken == "not_utf_8":
        (folder / "attributes.csv").write_bytes(b"id,link_id,link_entity,taxonomy_term_id\nt1,l1,\xff,x\n")
    else:
        write_table(folder, "attributes.csv", [{"id": "t1", "link_id": "l1"}])
    with pytest.raises(PackageUnreadable, match=r"attributes\.csv"):
        await import_folder(owner, folder)
    for table in ("organization", "service", "location", "phone", "service_capacity"):
        assert await count(owner, table, broken) == 0


@pytest.mark.rule("D6")
async def test_a_dry_run_tells_what_would_happen_and_writes_nothing(owner: Database, tmp_path: Path) -> None:
    folder = write_shelter(tmp_path / "dry")
    told = await import_folder(owner, folder, dry_run=True)
    assert told.counts["service"].inserted == 1
    assert await count(owner, "service", "dry") == 0
    assert (await import_folder(owner, folder)).counts == told.counts


@pytest.mark.rule("D6")
async def test_an_import_tells_new_changed_same_and_gone_rows(owner: Database, tmp_path: Path) -> None:
    services = [
        {"id": name, "organization_id": "o1", "name": name, "status": "active"}
        for name in ("s1", "stays", "changes", "goes")
    ]
    folder = write_shelter(tmp_path / "told", services=services)
    await import_folder(owner, folder)
    services[2]["name"] = "changed"
    services[3]["id"] = "comes"
    result = await import_folder(owner, write_shelter(folder, services=services))
    assert result.counts["service"] == Counts(read=4, inserted=1, updated=1, gone=1)
    assert result.counts["service"].unchanged == 2
    services[3]["id"] = "goes"
    again = await import_folder(owner, write_shelter(folder, services=services))
    assert again.counts["service"] == Counts(read=4, updated=1, gone=1)


async def test_what_is_gone_is_not_found_any_more_and_is_kept_for_those_that_name_it(
    owner: Database, tmp_path: Path
) -> None:
    folder = write_shelter(tmp_path / "closing")
    await import_folder(owner, folder)
    await import_folder(owner, write_shelter(folder, service_at_location=[]))
    async with owner.transaction(Operator()) as session:
        entries = text("select count(*) from directory_entry where package = 'closing'")
        assert await session.scalar(entries) == 0
        kept = text("select gone_at from service_at_location where package = 'closing'")
        assert list(await session.scalars(kept)) == [EVENING]


async def test_an_older_count_in_a_package_does_not_undo_what_the_agency_counted(
    owner: Database, tmp_path: Path
) -> None:
    folder = write_shelter(tmp_path / "counted")
    await import_folder(owner, folder)
    async with owner.transaction(Operator()) as session:
        capacity = await session.scalar(text("select id from service_capacity where package = 'counted'"))
        await confirm_capacity(session, Operator(), capacity, 7, now=EVENING)
    assert not (await import_folder(owner, folder)).changed
    newer = [{"id": "c1", "service_id": "s1", "unit_id": "u1", "available": "1", "updated": "2026-11-25T00:00:00Z"}]
    assert (await import_folder(owner, write_shelter(folder, service_capacity=newer))).changed
    async with owner.transaction(Operator()) as session:
        counted = text("select available from service_capacity where package = 'counted'")
        assert list(await session.scalars(counted)) == [1]


async def test_two_packages_with_the_same_ids_do_not_meet(owner: Database, tmp_path: Path) -> None:
    folder = write_shelter(tmp_path / "same")
    await import_folder(owner, folder, name="first")
    result = await import_folder(owner, folder, name="second")
    assert result.counts["organization"].inserted == 1
    assert await count(owner, "organization", "first") == 1


async def test_a_changed_taxonomy_reaches_what_was_imported_before(owner: Database, tmp_path: Path) -> None:
    await import_folder(owner, write_shelter(tmp_path / "classified"))
    async with owner.transaction(Operator()) as session:
        await session.execute(text("update taxonomy_term set name = 'Old name' where code = 'emergency_shelter'"))
        await session.execute(text("update directory_entry set categories = '{}' where package = 'classified'"))
        result = await import_taxonomy(session, now=EVENING)
        assert result.counts["taxonomy_term"].updated == 2
        categories = text("select categories from directory_entry where package = 'classified'")
        found = (await session.scalars(categories)).one()
    assert set(found) == {"emergency_shelter", "shelter_and_housing"}


async def test_progress_is_told_table_by_table(owner: Database, tmp_path: Path) -> None:
    told: dict[str, int] = {}
    async with owner.transaction(Operator()) as session:
        await import_package(
            session,
            write_shelter(tmp_path / "watched"),
            now=EVENING,
            progress=lambda table, rows: told.update({table: told.get(table, 0) + rows}),
        )
    assert told["phone"] == 2
    assert told["service"] == 1


async def test_files_that_hsds_does_not_have_are_told_with_their_rows(owner: Database, tmp_path: Path) -> None:
    folder = write_shelter(tmp_path / "moody")
    write_table(folder, "moods.csv", [{"id": "f1", "mood": "A"}, {"id": "f2", "mood": "B"}])
    result = await import_folder(owner, folder)
    assert [row.message for row in result.problems.rows] == ["2 rows read and not kept: HSDS has no such file"]

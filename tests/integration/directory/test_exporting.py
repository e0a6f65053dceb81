"""An export holds the public projection, says what it left out, loses nothing of it, and comes back the same (D4)."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path

import pytest
from sqlalchemy import text

from referralnet.database.acting import PublicReader
from referralnet.database.transactions import Database
from referralnet.directory.exporting import ExportResult, Format, PathTaken, export_directory
from referralnet.directory.formats import FILES
from referralnet.errors import NotFound
from referralnet.published import path as published_path
from tests.databases import Server
from tests.factories.directory import EVENING, import_example, import_folder, write_shelter
from tests.factories.hsds import CANARIES, canaries_in, row_faults, write_canaries

EXAMPLE = "referralnet-example"


async def export(owner: Database, path: Path, *, form: Format = Format.CSV, package: str | None = None) -> ExportResult:
    async with owner.transaction(PublicReader()) as session:
        return await export_directory(session, path, form=form, package=package, now=EVENING)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.glob("*.csv"))}


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


@pytest.fixture(scope="module")
def canaries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_canaries(tmp_path_factory.mktemp("packages") / "canaries")


@pytest.fixture(scope="module", autouse=True)
async def directory(owner: Database, canaries: Path) -> None:
    await import_example(owner)
    await import_folder(owner, canaries)


async def test_the_example_comes_back_the_same_from_an_export(
    owner: Database, postgres: Server, tmp_path: Path
) -> None:
    """Into an empty database, under its own name: the second export is the first, byte for byte."""
    await export(owner, tmp_path / "first", package=EXAMPLE)
    async with postgres.fresh_database() as urls:
        other = Database(urls.owner)
        try:
            result = await import_folder(other, tmp_path / "first")
            assert [str(problem) for problem in result.problems.rows] == []
            assert (await import_folder(other, tmp_path / "first")).changed is False
            await export(other, tmp_path / "second", package=EXAMPLE)
        finally:
            await other.close()
    assert contents(tmp_path / "second") == contents(tmp_path / "first")
    assert len(contents(tmp_path / "first")) > 12


async def test_a_package_keeps_the_ids_it_came_by(owner: Database, tmp_path: Path) -> None:
    await export(owner, tmp_path / "out", package=EXAMPLE)
    came = {row["id"]: row for row in rows_of(published_path("providers", "example", "services.csv"))}
    went = {row["id"]: row for row in rows_of(tmp_path / "out" / "services.csv")}
    assert went.keys() == came.keys()
    assert all(row["organization_id"] == came[own]["organization_id"] for own, row in went.items())


async def test_the_whole_directory_goes_out_under_our_ids_and_every_reference_is_there(
    owner: Database, tmp_path: Path
) -> None:
    result = await export(owner, tmp_path / "out")
    tables = {stem: rows_of(tmp_path / "out" / name) for stem, (name, *_) in FILES.items() if result.rows.get(stem)}
    assert {stem: len(rows) for stem, rows in tables.items()} == {k: n for k, n in result.rows.items() if n}
    ids = {stem: {row["id"] for row in rows} for stem, rows in tables.items()}
    described = json.loads((tmp_path / "out" / "datapackage.json").read_text("utf-8"))
    for resource in described["resources"]:
        assert list(rows_of(tmp_path / "out" / resource["path"])[0]) == [
            f["name"] for f in resource["schema"]["fields"]
        ]
        for key in resource["schema"]["foreignKeys"]:
            named = {row[key["fields"]] for row in tables[resource["name"]]} - {""}
            assert named <= ids.get(key["reference"]["resource"], set()), (resource["name"], key)
    assert {row["link_id"] for row in tables["attribute"]} <= set().union(*ids.values())


@pytest.mark.parametrize("package", [None, EXAMPLE, "canaries"])
async def test_every_row_of_a_json_export_is_valid_by_the_specification(
    owner: Database, tmp_path: Path, package: str | None
) -> None:
    result = await export(owner, tmp_path / "out.json", form=Format.JSON, package=package)
    told = json.loads((tmp_path / "out.json").read_text("utf-8"))
    tables = {name: table for table, (name, *_) in FILES.items()}
    assert {tables[name]: len(rows) for name, rows in told.items()} == {k: n for k, n in result.rows.items() if n}
    wrong = [fault for name, rows in told.items() for row in rows for fault in row_faults(tables[name], row)]
    assert wrong == []


@pytest.mark.rule("D1")
@pytest.mark.rule("D4")
@pytest.mark.parametrize("package", [None, "canaries"])
@pytest.mark.parametrize("form", list(Format))
async def test_no_canary_of_a_hidden_place_is_in_any_file(
    owner: Database, canaries: Path, tmp_path: Path, form: Format, package: str | None
) -> None:
    everything = "".join(file.read_text("utf-8") for file in canaries.iterdir())
    assert canaries_in(everything) == list(CANARIES)
    await export(owner, tmp_path / "out", form=form, package=package)
    files = [tmp_path / "out"] if form is Format.JSON else list((tmp_path / "out").iterdir())
    # An id that a package gave is its own word for a row; in these packages no id tells anything.
    assert {file.name: canaries_in(file.read_text("utf-8").replace("canaries", "")) for file in files} == {
        file.name: [] for file in files
    }


@pytest.mark.rule("D4")
async def test_an_export_says_how_many_it_left_out_and_redacted(owner: Database, tmp_path: Path) -> None:
    result = await export(owner, tmp_path / "out", package="canaries")
    assert result.left_out == {
        "location": 1, "service_at_location": 1, "address": 1, "contact": 2, "phone": 2, "schedule": 1, "language": 1,
        "service_area": 1, "accessibility": 1, "service_capacity": 1, "attribute": 3, "url": 1,
    }  # fmt: skip
    assert result.redacted_services == 2
    described = json.loads((tmp_path / "out" / "datapackage.json").read_text("utf-8"))
    assert (described["left_out"], described["redacted_services"]) == (result.left_out, 2)


@pytest.mark.rule("D2")
async def test_a_hidden_service_goes_out_by_what_it_does_and_its_county(owner: Database, tmp_path: Path) -> None:
    await export(owner, tmp_path / "out", package="canaries")
    (service,) = [row for row in rows_of(tmp_path / "out" / "services.csv") if row["id"] == "s1"]
    assert (service["name"], service["eligibility_description"]) == ("Quiet Beds", "Anybody")
    assert [row["extent"] for row in rows_of(tmp_path / "out" / "service_areas.csv")] == ["Winnebago County, IL"]
    assert [row["number"] for row in rows_of(tmp_path / "out" / "phones.csv")] == ["+1 815-555-0190"]


async def test_formulas_are_guarded_and_come_back_as_they_were(
    owner: Database, postgres: Server, tmp_path: Path
) -> None:
    hostile = {"description": "=cmd|' /C calc'!A0", "alternate_name": "@SUM(1)", "email": "''=x", "legal_status": "- a"}
    organization = [{"id": "o1", "name": '+Plus, "quoted"\nsecond line'} | hostile]
    folder = write_shelter(tmp_path / "hostile", organizations=organization)
    await import_folder(owner, folder)
    await export(owner, tmp_path / "out", package="hostile")
    (row,) = rows_of(tmp_path / "out" / "organizations.csv")
    assert (row["description"], row["name"][:2]) == ("'=cmd|' /C calc'!A0", "'+")
    assert [row["number"][0] for row in rows_of(tmp_path / "out" / "phones.csv")] == ["+"]
    kept = (organization[0]["name"], *hostile.values())
    async with postgres.fresh_database() as urls:
        other = Database(urls.owner)
        try:
            await import_folder(other, tmp_path / "out", name="hostile")
            for database in (owner, other):
                async with database.transaction(PublicReader()) as session:
                    columns = "name, description, alternate_name, email, legal_status"
                    stored = await session.execute(
                        text(f"select {columns} from organization where package = 'hostile'")
                    )
                    assert tuple(stored.one()) == tuple(value.replace("''", "'") for value in kept)
        finally:
            await other.close()


async def test_a_zip_holds_the_same_files(owner: Database, tmp_path: Path) -> None:
    await export(owner, tmp_path / "out", package=EXAMPLE)
    await export(owner, tmp_path / "out.zip", package=EXAMPLE)
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        packed = {name: archive.read(name) for name in archive.namelist() if name.endswith(".csv")}
    assert packed == contents(tmp_path / "out")


async def test_an_export_overwrites_nothing_and_leaves_no_half(owner: Database, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    with pytest.raises(PathTaken):
        await export(owner, taken)
    with pytest.raises(NotFound):
        await export(owner, tmp_path / "other", package="no such: 'package'")

    def stop(_table: str, _rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        async with owner.transaction(PublicReader()) as session:
            await export_directory(session, tmp_path / "half", now=EVENING, form=Format.JSON, progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]

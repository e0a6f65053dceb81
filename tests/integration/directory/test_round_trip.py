"""Import, export and import again gives the same directory, in CSV and in JSON, and the exports are valid HSDS 3.1."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, Phase, given, settings
from sqlalchemy import text

from referralnet.database.acting import Operator, PublicReader
from referralnet.database.transactions import Database
from referralnet.directory.columns import ANY_TABLE, columns_of
from referralnet.directory.exporting import Format, export_directory
from referralnet.directory.formats import FILES
from referralnet.directory.importing import ImportResult
from referralnet.directory.public_shapes import PUBLIC_TABLES
from referralnet.published import path as published_path
from tests.databases import Server
from tests.factories.directory import EVENING, Rows, import_folder, write_table
from tests.factories.hsds import SPECIFICATION, row_faults
from tests.factories.packages import valid_packages

SHARED_PACKAGE = SPECIFICATION.parents[1] / "data" / "illinois-legal-aid-hsds-1.1"
TERMS = {"taxonomy", "taxonomy_term"}
"""An export brings the terms that it uses, so that it stands by itself."""
Contents = dict[str, dict[str, tuple[object, ...]]]


@pytest_asyncio.fixture(scope="module")
async def elsewhere(postgres: Server) -> AsyncIterator[Database]:
    """A second network, whose directory is empty."""
    async with postgres.fresh_database() as urls:
        database = Database(urls.owner)
        yield database
        await database.close()


async def contents(database: Database, package: str) -> Contents:
    """Every row of a package by table and the id it came by, with what it names by the id that one came by."""
    found: Contents = {}
    async with database.transaction(Operator()) as session:
        for table in PUBLIC_TABLES:
            told = ", ".join(
                f"(select source_id from {column.reference} named where named.id = t.{column.name})"
                if column.reference and column.reference != ANY_TABLE
                else f"t.{column.name}"
                for column in columns_of(table)
            )
            statement = f"select source_id, {told} from {table} t where package = :package and gone_at is null"
            rows = await session.execute(text(statement), {"package": package})
            found[table] = {row[0]: tuple(row[1:]) for row in rows}
    return found


async def export_both(database: Database, folder: Path, package: str) -> tuple[Path, Path]:
    """The package as a folder of CSV and as one JSON file."""
    folder.mkdir()
    for form in Format:
        async with database.transaction(PublicReader()) as session:
            await export_directory(session, folder / f"out.{form}", form=form, package=package, now=EVENING)
    return folder / "out.csv", folder / "out.json"


def told_in(result: ImportResult) -> list[str]:
    """What an import had to say, but of text that looks like a formula, which is kept as it is."""
    return [str(problem) for problem in result.problems.rows if "formula" not in problem.message]


async def go_round(owner: Database, elsewhere: Database, folder: Path, package: str) -> None:
    """Out of one network as CSV and into the other; the JSON changes nothing there; out again, it is the same."""
    tables, one_file = await export_both(owner, folder / "first", package)
    assert told_in(await import_folder(elsewhere, tables, name=package)) == []
    from_json = await import_folder(elsewhere, one_file, name=package)
    assert (told_in(from_json), from_json.changed) == ([], False)
    again, _ = await export_both(elsewhere, folder / "second", package)
    assert {file.name: file.read_bytes() for file in again.glob("*.csv")} == {
        file.name: file.read_bytes() for file in tables.glob("*.csv")
    }
    if SPECIFICATION.exists():
        told = json.loads(one_file.read_text("utf-8"))
        names = {files[0]: table for table, files in FILES.items()}
        assert [fault for name, rows in told.items() for row in rows for fault in row_faults(names[name], row)] == []


@pytest.mark.rule("D4")
@pytest.mark.rule("D6")
@pytest.mark.slow
@given(tables=valid_packages())
# A failing package is shown as it was made: each step of making it smaller would take seconds of a database.
@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
async def test_a_valid_package_of_every_table_goes_round_and_nothing_of_it_is_lost(
    owner: Database, elsewhere: Database, tmp_path: Path, tables: dict[str, Rows]
) -> None:
    package = f"made-{uuid4().hex}"
    folder = tmp_path / package
    folder.mkdir()
    for table, rows in tables.items():
        write_table(folder, FILES[table][0], rows)
    first = await import_folder(owner, folder)
    assert told_in(first) == []
    assert {table: count.read for table, count in first.counts.items()} == {t: len(rows) for t, rows in tables.items()}
    assert not (await import_folder(owner, folder)).changed
    await go_round(owner, elsewhere, folder, package)
    here, there = await contents(owner, package), await contents(elsewhere, package)
    for table, kept in here.items():
        assert {own: there[table].get(own) for own in kept} == kept, table
        assert table in TERMS or there[table].keys() == kept.keys()


@pytest.mark.parametrize(
    "package",
    [
        pytest.param(published_path("providers", "example"), id="the example"),
        pytest.param(SHARED_PACKAGE, id="a real one of 1.x"),
        pytest.param(SPECIFICATION / "examples" / "csv", id="the specification's own"),
    ],
)
async def test_what_is_public_of_a_package_goes_round(
    owner: Database, elsewhere: Database, tmp_path: Path, package: Path
) -> None:
    if not package.is_dir():
        pytest.skip("the package is not beside the checkout")
    await import_folder(owner, package, name=package.parent.name)
    await go_round(owner, elsewhere, tmp_path, package.parent.name)

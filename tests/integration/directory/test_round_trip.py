"""Whatever valid package comes in is clean, whole, and the same the second time."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings

from referralnet.database.transactions import Database
from tests.factories.directory import Rows, import_folder, write_table
from tests.factories.packages import valid_packages


@pytest.mark.rule("D6")
@pytest.mark.slow
@given(tables=valid_packages())
@settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_a_valid_package_comes_in_clean_and_unchanged_the_second_time(
    owner: Database, tmp_path: Path, tables: dict[str, Rows]
) -> None:
    package = f"made-{uuid4().hex}"
    folder = tmp_path / package
    folder.mkdir()
    for stem, rows in tables.items():
        write_table(folder, f"{stem}.csv", rows)
    first = await import_folder(owner, folder)
    assert [row for row in first.problems.rows if "formula" not in row.message] == []
    assert first.rows_read == sum(len(rows) for rows in tables.values())
    assert not (await import_folder(owner, folder)).changed

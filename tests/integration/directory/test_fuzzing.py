"""Broken packages of every kind: each comes in with its dirt told, or is refused and leaves nothing (D6)."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from referralnet.database.acting import Operator
from referralnet.database.transactions import Database
from referralnet.directory.formats import ALSO, FILES, FOLDED, FORMS
from referralnet.directory.problems import PackageUnreadable
from tests.factories.directory import import_folder, write_shelter

EXAMPLES = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
NAMES = sorted({"id", "name", "status", "organization_id", "service_id", "location_id", "link_id", "link_entity"})
NAMES += ["taxonomy_term_id", "parent_id", "number", "byday", "opens_at", "extent", "extent_type", "available"]
NAMES += ["updated", "unit_id", "latitude", "minimum_age", "language", "code", "resource_id", "resource_type", "amount"]
IDS = ["o1", "s1", "l1", "a1", "p1", "u1", "1", "", " ", "o1,o2", "service", "services", "location", "state", "+"]
TIMES = ["9:00", "24:00", "25:00", "9am-5pm", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2026-02-30"]
NUMBERS = ["1e999999999", "-1e400", "NaN", "Infinity", "0x10", "\uff11\uff12", "1_0", "9" * 400, "0." + "0" * 90 + "1"]
SPOILED = ["####", "=cmd|' /C calc'!A0", "@SUM(1)", "'=1", "\x00", "a\x00", "Ni\u00c3\u00b1os", "\u00c3", "\ufffd"]
LONG = ["x" * 700, "\u00e9" * 3_000, "y" * 25_000, "x" * 300 + ", IL"]
PLACES = ["County, IL", "IL", "confidential_location", "emergency_shelter", "\u202e", "\x1f=", "\u00e2\u20ac\u0153"]
CELLS = st.sampled_from([*IDS, *TIMES, *NUMBERS, *SPOILED, *LONG, *PLACES]) | st.text(
    st.characters(codec="utf-8"), max_size=12
)
FILE_NAMES = sorted({file for files in FILES.values() for file in files} | set(FORMS) | set(ALSO) | set(FOLDED))
TABLES = st.tuples(
    st.lists(st.sampled_from(NAMES) | st.text(max_size=4), min_size=1, max_size=9),
    st.lists(st.lists(CELLS, max_size=12), max_size=6),
)


async def import_or_refuse(owner: Database, path: Path) -> None:
    """Import it twice: the second run changes nothing. Where it is refused, nothing is there."""
    package = f"fuzz-{uuid4()}"
    try:
        first = await import_folder(owner, path, name=package)
    except PackageUnreadable:
        async with owner.transaction(Operator()) as session:
            for table in ("organization", "service", "location", "directory_import"):
                found = text(f"select count(*) from {table} where package = :package")
                assert await session.scalar(found, {"package": package}) == 0
        return
    assert all(row.file and row.message for row in first.problems.rows)
    second = await import_folder(owner, path, name=package)
    assert not second.changed
    assert second.problems.counts == first.problems.counts


def quoted(cells: list[str]) -> str:
    doubled = [cell.replace('"', '""') for cell in cells]
    return ",".join(f'"{cell}"' if '"' in cell or "," in cell else cell for cell in doubled)


@pytest.fixture
def fresh(tmp_path: Path) -> Callable[[], Path]:
    return lambda: tmp_path / uuid4().hex


@pytest.mark.rule("D6")
@pytest.mark.slow
@given(
    tables=st.dictionaries(st.sampled_from(FILE_NAMES), TABLES, min_size=1, max_size=5), mark=st.sampled_from("\n\r")
)
@EXAMPLES
async def test_tables_of_any_columns_and_cells(
    owner: Database, fresh: Callable[[], Path], tables: dict[str, Any], mark: str
) -> None:
    folder = write_shelter(fresh())
    for name, (header, rows) in tables.items():
        lines = [quoted(header), *(quoted(row) for row in rows)]
        (folder / name).write_bytes(mark.join(lines).encode(errors="replace"))
    await import_or_refuse(owner, folder)


@pytest.mark.rule("D6")
@pytest.mark.slow
@given(name=st.sampled_from(FILE_NAMES), content=st.binary(max_size=200), at=st.integers(0, 400), data=st.data())
@EXAMPLES
async def test_bytes_cut_out_and_put_in_anywhere(
    owner: Database, fresh: Callable[[], Path], name: str, content: bytes, at: int, data: st.DataObject
) -> None:
    folder = write_shelter(fresh())
    path = data.draw(st.sampled_from(sorted(folder.iterdir())))
    held = path.read_bytes()
    path.write_bytes(held[:at] + content + held[at + data.draw(st.integers(0, 9)) :])
    if data.draw(st.booleans()):
        (folder / name).write_bytes(content)
    await import_or_refuse(owner, folder)


@pytest.mark.rule("D6")
@pytest.mark.slow
@given(encoding=st.sampled_from(["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252"]))
@EXAMPLES
async def test_any_encoding(owner: Database, fresh: Callable[[], Path], encoding: str) -> None:
    folder = write_shelter(fresh())
    for path in folder.iterdir():
        path.write_bytes(path.read_text("utf-8").encode(encoding))
    await import_or_refuse(owner, folder)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | CELLS,
    lambda inside: (
        st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from([*NAMES, "phones"]), inside, max_size=5)
    ),
    max_leaves=12,
)
KEYS = [
    *NAMES,
    "organization",
    "location",
    "services",
    "phones",
    "languages",
    "attributes",
    "metadata",
    "unit",
    "contents",
]


@pytest.mark.rule("D6")
@pytest.mark.slow
@given(document=st.dictionaries(st.sampled_from(KEYS), JSON, max_size=9) | JSON, cut=st.integers(0, 300))
@EXAMPLES
async def test_documents_of_any_shape_whole_and_cut(
    owner: Database, fresh: Callable[[], Path], document: object, cut: int
) -> None:
    folder = fresh()
    folder.mkdir()
    whole = json.dumps(document)
    (folder / "services.json").write_text(whole if cut > 150 else whole[:-cut])
    await import_or_refuse(owner, folder)


@pytest.mark.rule("D6")
@pytest.mark.slow
@given(at=st.integers(0, 3_000), content=st.binary(min_size=1, max_size=8))
@EXAMPLES
async def test_a_zip_that_was_damaged_on_its_way(
    owner: Database, fresh: Callable[[], Path], at: int, content: bytes
) -> None:
    folder = write_shelter(fresh())
    zipped = folder.with_suffix(".zip")
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)
    held = zipped.read_bytes()
    zipped.write_bytes(held[:at] + content + held[at + len(content) :])
    await import_or_refuse(owner, zipped)

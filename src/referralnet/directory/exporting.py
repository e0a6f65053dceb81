"""Export the public projection as an HSDS 3.1 package of CSV files, or as one JSON file of the same tables (D4).

Rows go from the database to the file as they come: memory stays flat however many there are. What is not public is left
out by the database, and counted.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.directory.public_files import FileRows, described, literal
from referralnet.directory.public_shapes import PUBLIC_TABLES
from referralnet.errors import NotFound, Refusal

ROWS_AT_ONCE = 5_000
WHOLE_DIRECTORY = "referralnet-directory"
Progress = Callable[[str, int], None]


class PathTaken(Refusal):
    """There is something at this path already; an export overwrites nothing."""

    code = "PATH_TAKEN"


class Format(StrEnum):
    """csv: a folder, or a zip where the path ends so. json: one file."""

    CSV = "csv"
    JSON = "json"


@dataclass(slots=True)
class ExportResult:
    """What went out and what did not, in rows by table."""

    package: str
    rows: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    """Confidential, or hanging on what is; of counts, also those that are no longer fresh."""
    redacted_services: int = 0
    """Told by what they do and their coarse area, without people, notes and counts."""


async def export_directory(
    session: AsyncSession,
    path: Path,
    *,
    form: Format = Format.CSV,
    package: str | None = None,
    now: datetime,
    progress: Progress = lambda _table, _rows: None,
) -> ExportResult:
    """Write the public projection of the whole directory, or of one imported package, to a path that is free.

    The session belongs to the owner role (who alone can count what is left out) and acts for PublicReader. A package
    keeps the ids it came by, so that importing it again under its name finds the same records; the whole directory
    goes out under ReferralNet's own ids. Nothing is at the path until everything is.

    Raises:
        PathTaken: there is something at the path.
        NotFound: no package of this name.
    """
    if path.exists():
        raise PathTaken(field="path")
    await _one_moment(session)
    if package is not None:
        known = text("select exists (select from organization where package = :name)")
        if not await session.scalar(known, {"name": package}):
            raise NotFound(field="package")
    result = ExportResult(package or WHOLE_DIRECTORY)
    tables = [
        FileRows(table, None if package is None else literal(package), f"timestamptz '{now.isoformat()}'")
        for table in PUBLIC_TABLES
    ]
    await _count(session, tables, result)
    filled = [rows for rows in tables if result.rows[rows.table]]
    with _until_whole(path) as unfinished:
        if form is Format.JSON:
            await _write_json(session, unfinished, filled, progress)
        else:
            await _write_csv(session, unfinished, filled, result, progress)
            if path.suffix == ".zip":
                _zip(unfinished)
    return result


async def _one_moment(session: AsyncSession) -> None:
    """Every table as it is at one moment, though others write meanwhile."""
    await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


async def _count(session: AsyncSession, tables: list[FileRows], result: ExportResult) -> None:
    for rows in tables:
        result.rows[rows.table] = await _number(session, rows.count())
        if left_out := await _number(session, rows.left_out()):
            result.left_out[rows.table] = left_out
    scope = next(rows.package for rows in tables)
    of_package = "" if scope is None else f" and t.package = {scope}"
    redacted = f"select count(*) from published.service t where (t.hidden or t.tells){of_package}"  # noqa: S608
    result.redacted_services = await _number(session, redacted)
    changes = f"select count(*) from metadata t where t.gone_at is null{of_package}"  # noqa: S608 (our own names)
    if changes_left_out := await _number(session, changes):
        result.left_out["metadata"] = changes_left_out


async def _number(session: AsyncSession, statement: str) -> int:
    """A statement that goes as it is written: a colon in a package's name is no parameter."""
    return int((await (await session.connection()).exec_driver_sql(statement)).scalar_one())


async def _write_csv(
    session: AsyncSession, folder: Path, tables: list[FileRows], result: ExportResult, progress: Progress
) -> None:
    folder.mkdir()
    driver = await _driver(session)
    for rows in tables:
        with (folder / rows.name).open("wb") as file:

            async def sink(chunk: bytes, table: str = rows.table, write: Callable[[bytes], int] = file.write) -> None:
                write(chunk)
                progress(table, chunk.count(b"\n"))

            await driver.copy_from_query(rows.csv(), output=sink, format="csv", header=True, timeout=None)
    description = {
        "name": result.package,
        "title": "Public directory (HSDS 3.1)",
        "profile": "tabular-data-package",
        "version": "3.1",
        "left_out": result.left_out,
        "redacted_services": result.redacted_services,
        "resources": [described(rows.table) for rows in tables],
    }
    (folder / "datapackage.json").write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")


async def _write_json(session: AsyncSession, path: Path, tables: list[FileRows], progress: Progress) -> None:
    driver = await _driver(session)
    with path.open("wb") as file:
        for at, rows in enumerate(tables):
            file.write(f"{',' if at else '{'}\n{json.dumps(rows.name)}: [\n".encode())
            cursor = await driver.cursor(rows.json())
            is_first = True
            while batch := await cursor.fetch(ROWS_AT_ONCE):
                lines = ",\n".join(row[0] for row in batch)
                file.write(f"{'' if is_first else f',{chr(10)}'}{lines}".encode())
                is_first = False
                progress(rows.table, len(batch))
            file.write(b"\n]")
        file.write(b"\n}\n" if tables else b"{}\n")


async def _driver(session: AsyncSession) -> Any:
    raw = await (await session.connection()).get_raw_connection()
    return raw.driver_connection


@contextmanager
def _until_whole(path: Path) -> Iterator[Path]:
    """A place beside the path that takes its name at the end, or leaves nothing."""
    beside = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        unfinished = beside / path.name
        yield unfinished
        unfinished.rename(path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _zip(folder: Path) -> None:
    """Put a zip in the folder's place; the same files give the same bytes."""
    packed = folder.with_name("packed")
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            with file.open("rb") as source, archive.open(zipfile.ZipInfo(file.name), "w", force_zip64=True) as into:
                shutil.copyfileobj(source, into)
    shutil.rmtree(folder)
    packed.rename(folder)

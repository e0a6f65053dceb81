"""Import an HSDS package: all of it or nothing, the same result each time, and every dirty row told (D6)."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.directory.changes import forget_earlier_changes
from referralnet.directory.custody import count_unmarked, refresh_custody
from referralnet.directory.documents import unpack_documents
from referralnet.directory.entries import GUARDED, rebuild_entries
from referralnet.directory.formats import FILES
from referralnet.directory.history import HISTORY_ROWS_MAX, write_history
from referralnet.directory.import_lock import hold_for_import
from referralnet.directory.kept import tell_kept
from referralnet.directory.merging import Counts, Merging
from referralnet.directory.packages import Package, open_package
from referralnet.directory.problems import Problems, RowProblem, Severity
from referralnet.directory.reading import Reading
from referralnet.directory.stand_ins import stand_ins
from referralnet.directory.table_file import Record
from referralnet.directory.tables import DirectoryImport
from referralnet.directory.taxonomy import TAXONOMY_PACKAGE, shared_terms
from referralnet.published import path as published_path

Progress = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did: rows by table, search rows rewritten, and what was wrong."""

    package: str
    version: str
    counts: dict[str, Counts]
    entries_changed: int
    problems: Problems

    @property
    def rows_read(self) -> int:
        return sum(counts.read for counts in self.counts.values())

    @property
    def changed(self) -> bool:
        return bool(self.entries_changed) or any(counts.changed for counts in self.counts.values())


def _silent(_table: str, _rows: int) -> None:
    """Nobody watches."""


async def import_package(
    session: AsyncSession,
    path: Path,
    *,
    name: str | None = None,
    now: dt.datetime,
    dry_run: bool = False,
    progress: Progress = _silent,
    spool: Callable[[RowProblem], None] | None = None,
) -> ImportResult:
    """Import a folder or zip of HSDS files, CSV or JSON, or one JSON file, in the owner's transaction of an Operator.

    `name` is what the package is called: the same name later means the same records. A `dry_run` does it and
    undoes it, so that the result tells what would have happened. `progress` is told of each table's rows as they come,
    `spool` of each problem as it is met; the result holds the first 10,000 of them.

    Raises:
        PackageUnreadable: the package cannot be read; the transaction must be rolled back.
    """
    package = open_package(path, name)
    await hold_for_import(session)
    async with session.begin_nested() as undoable:
        if package.name != TAXONOMY_PACKAGE and not await shared_terms(session):
            await import_taxonomy(session, now=now)
        result = await _import(session, package, now=now, progress=progress, problems=Problems(spool))
        if dry_run:
            await undoable.rollback()
    return result


async def import_taxonomy(session: AsyncSession, *, now: dt.datetime, progress: Progress = _silent) -> ImportResult:
    """Load providers/taxonomy; where it changed, every package's search rows follow."""
    package = open_package(published_path("providers", "taxonomy"), TAXONOMY_PACKAGE)
    package.others.clear()  # synonyms.csv is read by search, not by an import
    result = await _import(session, package, now=now, progress=progress, problems=Problems())
    if result.changed:
        for (name,) in (await session.execute(text("select distinct package from service_at_location"))).all():
            await refresh_custody(session, name)
            await rebuild_entries(session, name)
    return result


async def _import(
    session: AsyncSession, package: Package, *, now: dt.datetime, progress: Progress, problems: Problems
) -> ImportResult:
    shelf = unpack_documents(package, problems)
    try:
        return await _import_rows(session, package, now=now, progress=progress, problems=problems)
    finally:
        shelf.close()


async def _import_rows(
    session: AsyncSession, package: Package, *, now: dt.datetime, progress: Progress, problems: Problems
) -> ImportResult:
    reading = Reading(package.name, problems, await shared_terms(session))
    for source in package.folded:
        reading.fold(source, package)
    reading.learn_ids_ahead(package)
    kept = await _begin(session, package.name, now)
    merging = Merging(session, kept.id, package.name, now, remember=not kept.first, progress=progress)
    counts = {table: await merging.merge(table, _records(reading, package, table)) for table in FILES}
    custody_changed = await refresh_custody(session, package.name)
    changed = any(count.changed for count in counts.values())
    entries_changed = await rebuild_entries(session, package.name) if custody_changed or changed else 0
    await _tell_the_rest(session, package, problems)
    await tell_kept(session, package.name, problems, now=now)
    result = ImportResult(package.name, package.version, counts, entries_changed, problems)
    if not result.changed:
        await session.delete(kept)
        await session.flush()
        return result
    await forget_earlier_changes(session, package.name, kept.id)
    if not kept.first and (await write_history(session, package.name, kept.id, now=now)).bounded:
        message = f"more than {HISTORY_ROWS_MAX} fields changed: the history tells the first ones"
        problems.add(Severity.NOTE, "metadata.csv", 0, "", "", message)
    kept.counts, kept.finished_at = _told(result), dt.datetime.now(dt.UTC)
    await session.flush()
    return result


async def _begin(session: AsyncSession, package: str, now: dt.datetime) -> DirectoryImport:
    """The import's own row; it is the package's first one where no row of the package is there."""
    known = text("""
        select exists (select from directory_import where package = :package and undone_at is null)
            or exists (select from organization where package = :package)
            or exists (select from taxonomy_term where package = :package)
    """)
    first = not await session.scalar(known, {"package": package})
    kept = DirectoryImport(
        id=uuid.uuid4(), package=package, started_at=now, finished_at=dt.datetime.now(dt.UTC), counts={}, first=first
    )
    session.add(kept)
    await session.flush()
    return kept


def _records(reading: Reading, package: Package, table: str) -> Iterator[Record]:
    for source in package.files.get(table, []):
        yield from reading.records(table, source)
    if table == "organization":
        yield from stand_ins(reading, package)


def _told(result: ImportResult) -> dict[str, object]:
    return {
        table: {"inserted": count.inserted, "updated": count.updated, "unchanged": count.unchanged, "gone": count.gone}
        for table, count in result.counts.items()
        if count.read or count.gone
    }


_STREET_TOLD = f"""
    with {GUARDED}
    select service.source_id from service
      join organization on organization.id = service.organization_id
      join guarded on guarded.organization_id = organization.id
     where service.package = :package and service.gone_at is null
       and concat_ws(' ', service.name, service.description, service.eligibility_description,
                     service.application_process, organization.name, organization.description) ~* pattern
     limit 1000
"""  # noqa: S608 (our own names)


async def _tell_the_rest(session: AsyncSession, package: Package, problems: Problems) -> None:
    """What concerns no single row: files that are not kept, marks that are missing, texts that tell a hidden street."""
    for source in package.others:
        rows = sum(1 for _row in source.rows()) - 1
        message = f"{max(rows, 0)} rows read and not kept: HSDS has no such file"
        problems.add(Severity.NOTE, source.name, 0, "", "", message, "Name the file as HSDS does, or leave it out.")
    unmarked = await count_unmarked(session, package.name)
    if unmarked:
        message = f"{unmarked} places stay confidential though the package marks them no longer"
        problems.add(Severity.NOTE, "attributes.csv", 0, "", "", message, "An import never makes a place public.")
    for source_id in await session.scalars(text(_STREET_TOLD), {"package": package.name}):
        message = f"a public text of service {source_id} tells the street or the ZIP code of a confidential place"
        hint = "It is shown to nobody: take it out of the text."
        problems.add(Severity.NOTE, "services.csv", 0, "description", "", message, hint)

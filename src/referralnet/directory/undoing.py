"""Take a package's newest import back: all of it, or nothing where something stands on it that came later."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.directory.changes import DIGEST
from referralnet.directory.columns import columns_of
from referralnet.directory.custody import refresh_custody
from referralnet.directory.entries import rebuild_entries
from referralnet.directory.formats import FILES
from referralnet.directory.history import HISTORY, drop_history
from referralnet.directory.import_lock import hold_for_import
from referralnet.directory.taxonomy import TAXONOMY_PACKAGE
from referralnet.errors import NotFound, Refusal


class LaterImport(Refusal):
    """A later import of the package stands on this one. Take that one back first."""

    code = "LATER_IMPORT"


class ImportNotRemembered(Refusal):
    """What this import changed is no longer kept, since a later import of its package has come and gone."""

    code = "IMPORT_NOT_REMEMBERED"


class ChangedSinceImport(Refusal):
    """Rows of this import have been changed or referred to since. Taking it back would undo that as well."""

    code = "CHANGED_SINCE_IMPORT"


@dataclass(frozen=True, slots=True)
class Undone:
    """What was taken back: rows that are no longer there, rows that are as they were, search rows written anew."""

    import_id: UUID
    package: str
    removed: int
    restored: int
    entries_changed: int


async def undo_import(session: AsyncSession, import_id: UUID | None, *, now: dt.datetime) -> Undone:
    """Take back an import, by default the newest of all (owner role). A refusal must roll the transaction back.

    A place that the import marked as confidential and that was there before stays confidential (D1).

    Raises:
        NotFound: there is no such import, or it has been taken back.
        LaterImport: it is not the newest of its package.
        ImportNotRemembered: an import after it was taken back; this one's before-images went with that one's start.
        ChangedSinceImport: somebody edited a row, or a referral or an agency names one.
    """
    await hold_for_import(session)
    import_id, package, first = await _newest(session, import_id)
    await session.execute(text("delete from directory_entry where package = :package"), {"package": package})
    await drop_history(session, import_id)
    try:
        if first:
            removed, restored = await _remove_package(session, package), 0
        else:
            await _require_untouched(session, import_id)
            restored = await _restore(session, import_id)
            removed = await _remove_new(session, import_id)
    except IntegrityError as error:
        raise ChangedSinceImport(field="import_id") from error
    await refresh_custody(session, package)
    entries_changed = await rebuild_entries(session, package)
    marked = text("update directory_import set undone_at = :now where id = :id")
    await session.execute(marked, {"now": now, "id": import_id})
    await session.execute(text("delete from directory_change where import_id = :id"), {"id": import_id})
    return Undone(import_id, package, removed, restored, entries_changed)


async def _newest(session: AsyncSession, import_id: UUID | None) -> tuple[UUID, str, bool]:
    """(import, package, whether it was the package's first), where it may be taken back."""
    found = (
        await session.execute(
            text("""
                select id, package, first,
                       exists (select from directory_import later where later.package = it.package
                                  and later.undone_at is null and later.finished_at > it.finished_at),
                       exists (select from directory_change where import_id = it.id)
                  from directory_import it
                 where undone_at is null and package <> :ours and (id = :id or cast(:id as uuid) is null)
                 order by finished_at desc limit 1
            """),
            {"id": import_id, "ours": TAXONOMY_PACKAGE},
        )
    ).one_or_none()
    if found is None:
        raise NotFound(field="import_id")
    newest, package, first, later, remembered = found
    if later:
        raise LaterImport(field="import_id")
    if not first and not remembered:
        raise ImportNotRemembered(field="import_id")
    return newest, package, first


async def _require_untouched(session: AsyncSession, import_id: UUID) -> None:
    for table in FILES:
        statement = f"""
            select exists (
                select from directory_change c left join {table} t on t.id = c.row_id
                 where c.import_id = :id and c.table_name = :table and c.after_digest is distinct from {DIGEST})
        """  # noqa: S608 (our own names)
        if await session.scalar(text(statement), {"id": import_id, "table": table}):
            raise ChangedSinceImport(field="import_id")


async def _restore(session: AsyncSession, import_id: UUID) -> int:
    """Rows that were there before hold again what they held, in the tables' own order of reference."""
    restored = 0
    for table in FILES:
        names = ["gone_at", *(column.name for column in columns_of(table))]
        statement = f"""
            update {table} t set {", ".join(f"{name} = was.{name}" for name in names)}
              from directory_change c cross join lateral jsonb_populate_record(null::{table}, c.before) was
             where c.import_id = :id and c.table_name = :table and c.before is not null and t.id = c.row_id
        """  # noqa: S608 (our own names)
        done = await session.execute(text(statement), {"id": import_id, "table": table})
        restored += done.rowcount  # type: ignore[attr-defined]
    return restored


async def _remove_new(session: AsyncSession, import_id: UUID) -> int:
    removed = 0
    for table in reversed(FILES):
        statement = f"""
            delete from {table} t using directory_change c
             where c.import_id = :id and c.table_name = :table and c.before is null and t.id = c.row_id
        """  # noqa: S608 (our own names)
        removed += (await session.execute(text(statement), {"id": import_id, "table": table})).rowcount  # type: ignore[attr-defined]
    return removed


async def _remove_package(session: AsyncSession, package: str) -> int:
    """Everything of a package, where nobody keeps, holds or has edited anything of it."""
    touched = text("""
        select exists (select from organization where package = :package and agency_id is not null)
            or exists (select from service_capacity where package = :package and held > 0)
            or exists (select from metadata m where m.package <> :package and m.source_id not like :history
                          and (exists (select from service s where s.id = m.resource_id and s.package = :package)
                            or exists (select from organization o where o.id = m.resource_id and o.package = :package)))
    """)
    if await session.scalar(touched, {"package": package, "history": f"{HISTORY}%"}):
        raise ChangedSinceImport(field="import_id")
    removed = 0
    for table in reversed(FILES):
        statement = text(f"delete from {table} where package = :package")  # noqa: S608 (our own names)
        removed += (await session.execute(statement, {"package": package})).rowcount  # type: ignore[attr-defined]
    return removed

"""Carry out what was asked of the directory: claimed, worked in one transaction, told as it goes, settled with it.

A request that runs is locked by the transaction that works on it. Whoever can take that lock knows that the other end
is gone, and with it everything it had begun.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.directory.importing import ImportResult, Progress, import_package
from referralnet.directory.problems import RowProblem
from referralnet.directory.request_tables import DirectoryRequest, DirectoryRequestPart, DirectoryRequestProblem
from referralnet.directory.requests import RequestKind, RequestState
from referralnet.directory.undoing import undo_import

_LOCK = "hashtextextended('referralnet directory request ' || {id}::text, 0)"


class NotClaimed(Exception):
    """Somebody else carries it out, or it was settled meanwhile."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A request to carry out."""

    id: UUID
    kind: RequestKind
    file_name: str | None
    package: str | None
    import_id: UUID | None


async def next_waiting(session: AsyncSession) -> UUID | None:
    """The oldest request that waits."""
    waiting = select(DirectoryRequest.id).where(DirectoryRequest.state == RequestState.WAITING)
    return await session.scalar(waiting.order_by(DirectoryRequest.asked_at).limit(1))


async def hold_request(session: AsyncSession, request_id: UUID) -> None:
    """Show that this transaction works on it, for as long as it lives. Raises NotClaimed: another one does."""
    held = text(f"select pg_try_advisory_xact_lock({_LOCK.format(id='cast(:id as uuid)')})")
    if not await session.scalar(held, {"id": request_id}):
        raise NotClaimed


async def claim(session: AsyncSession, request_id: UUID, *, now: datetime) -> Claimed:
    """Say that it runs, in a transaction beside the one that holds it. Raises NotClaimed."""
    it = DirectoryRequest
    running = update(it).where(it.id == request_id, it.state == RequestState.WAITING)
    values = {"state": RequestState.RUNNING, "started_at": now, "told_at": now}
    told = running.values(values).returning(it.id, it.kind, it.file_name, it.package, it.import_id)
    row = (await session.execute(told.execution_options(synchronize_session=False))).one_or_none()
    if row is None:
        raise NotClaimed
    return Claimed(row.id, RequestKind(row.kind), row.file_name, row.package, row.import_id)


async def tell_progress(session: AsyncSession, request_id: UUID, table: str, rows: int, *, now: datetime) -> None:
    """Say how far it is."""
    values = {"working_on": table, "rows_read": rows, "told_at": now}
    await _update(session, request_id, values)


@contextmanager
def brought_file(folder: Path | None = None) -> Iterator[Path]:
    """A folder for the file that was brought, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="referralnet-import-", dir=folder) as made:
        yield Path(made)


async def lay_out(session: AsyncSession, claimed: Claimed, folder: Path) -> Path:
    """Write the file as it was called; a single CSV file is a package of one file."""
    assert claimed.file_name is not None
    path = folder / claimed.file_name
    part = DirectoryRequestPart
    pieces = select(part.content).where(part.request_id == claimed.id).order_by(part.position)
    with path.open("wb") as file:
        async for content in await session.stream_scalars(pieces.execution_options(yield_per=4)):
            file.write(content)
    return folder if path.suffix.lower() == ".csv" else path


async def carry_out(
    session: AsyncSession, claimed: Claimed, folder: Path, *, progress: Progress, now: datetime
) -> None:
    """Do it and settle it, in the transaction that holds it: both come true together, or neither.

    Raises:
        PackageUnreadable, Refusal: it cannot be done, and the transaction must be rolled back.
    """
    if claimed.kind is RequestKind.UNDO:
        undone = await undo_import(session, claimed.import_id, now=now)
        values = {"entries_changed": undone.entries_changed, "rows_read": undone.removed + undone.restored}
        await settle(session, claimed.id, RequestState.DONE, {**values, "package": undone.package}, now=now)
        return
    path = await lay_out(session, claimed, folder)
    name = claimed.package or (Path(str(claimed.file_name)).stem if path == folder else None)
    trial = claimed.kind is RequestKind.TRIAL
    result = await import_package(session, path, name=name, now=now, dry_run=trial, progress=progress)
    await _keep_report(session, claimed.id, result.problems.rows)
    await settle(session, claimed.id, RequestState.DONE, _told(result), now=now)


async def settle(
    session: AsyncSession, request_id: UUID, state: RequestState, values: dict[str, Any], *, now: datetime
) -> None:
    """Say what became of it, and throw the file away. Raises NotClaimed: it was settled meanwhile."""
    await _update(session, request_id, {**values, "state": state, "settled_at": now})
    await session.execute(delete(DirectoryRequestPart).where(DirectoryRequestPart.request_id == request_id))


async def settle_left_behind(session: AsyncSession, *, now: datetime) -> int:
    """Mark what was running when its program ended: nothing of it was kept. Returns how many."""
    left = text(f"""
        select id from directory_request
        where state = 'running' and pg_try_advisory_xact_lock({_LOCK.format(id="id")})
    """)  # noqa: S608 (our own names)
    ids = (await session.scalars(left)).all()
    for request_id in ids:
        await settle(session, UUID(str(request_id)), RequestState.INTERRUPTED, {}, now=now)
    return len(ids)


async def _update(session: AsyncSession, request_id: UUID, values: dict[str, Any]) -> None:
    it = DirectoryRequest
    changed = update(it).where(it.id == request_id, it.state == RequestState.RUNNING).values(values).returning(it.id)
    if await session.scalar(changed.execution_options(synchronize_session=False)) is None:
        raise NotClaimed


async def _keep_report(session: AsyncSession, request_id: UUID, problems: list[RowProblem]) -> None:
    rows = [
        {
            "request_id": request_id, "position": position, "severity": problem.severity.value, "file": problem.file,
            "line": problem.line, "field": problem.column, "value_shape": problem.value_shape,
            "message": problem.message, "hint": problem.hint,
        }
        for position, problem in enumerate(problems, 1)
    ]  # fmt: skip
    if rows:
        await session.execute(insert(DirectoryRequestProblem), rows)


def _told(result: ImportResult) -> dict[str, Any]:
    counts = {name: asdict(count) for name, count in result.counts.items() if count.read or count.gone}
    return {
        "counts": counts, "entries_changed": result.entries_changed, "problems": len(result.problems),
        "package": result.package, "rows_read": result.rows_read,
    }  # fmt: skip

"""What a network admin asks of the directory: to try an import, to carry it out, or to take one back.

The application may not write the directory. It keeps what was brought, and a program of its own, which serves nobody,
carries it out (jobs/importer.py); whoever asked, or a colleague in another window, sees how far it is.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member
from referralnet.directory.request_tables import DirectoryRequest, DirectoryRequestPart, DirectoryRequestProblem
from referralnet.directory.tables import DirectoryImport
from referralnet.directory.taxonomy import TAXONOMY_PACKAGE
from referralnet.errors import InvalidInput, NotFound
from referralnet.identity.access import Permission, require
from referralnet.identity.tables import MemberAccount

BYTES_MAX = 64 * 1024 * 1024
"""Of one file; a larger one is imported on the host."""
PART_BYTES = 1024 * 1024
ENDINGS = (".zip", ".json", ".csv")
_FILE_NAME = re.compile(r"[^\w. -]")


class RequestKind(StrEnum):
    """What is asked."""

    IMPORT = "import"
    TRIAL = "trial"
    UNDO = "undo"


class RequestState(StrEnum):
    """How far it is; in the last three nothing more happens, and but for `done` nothing has."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A request as it stands. `counts` by table: inserted, updated, unchanged, gone."""

    id: UUID
    kind: RequestKind
    state: RequestState
    asked_by: str
    asked_at: datetime
    file_name: str | None
    package: str | None
    import_id: UUID | None
    started_at: datetime | None
    told_at: datetime | None
    working_on: str | None
    rows_read: int
    settled_at: datetime | None
    counts: dict[str, dict[str, int]] | None
    entries_changed: int | None
    problems: int | None
    refusal: str | None

    @property
    def is_settled(self) -> bool:
        return self.settled_at is not None


@dataclass(frozen=True, slots=True)
class ProblemRow:
    """One line of a report: where in the package, what became of it, and what to do."""

    position: int
    severity: str
    file: str
    line: int
    field: str
    value_shape: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class ImportRow:
    """An import that changed something; the newest of its package may be taken back."""

    id: UUID
    package: str
    finished_at: datetime
    rows_changed: int
    undone_at: datetime | None
    is_newest: bool


async def ask_import(
    session: AsyncSession,
    actor: Member,
    file_name: str,
    content: AsyncIterable[bytes],
    *,
    package: str | None,
    trial: bool,
    now: datetime,
) -> UUID:
    """Have a package imported, or tried: everything is done and undone, so that the report says what would be.

    Args:
        file_name: as the browser names it; its ending says what it is.
        content: the file, piece by piece.
        package: what to call it; the same name means the same records; None for its own name.

    Raises:
        NotPermitted; InvalidInput: neither zip nor JSON nor CSV, empty, or larger than 64 MiB.
    """
    require(actor, Permission.IMPORT_DIRECTORY)
    name = _FILE_NAME.sub("", file_name.replace("\\", "/").rpartition("/")[2])[-120:]
    if not name.lower().endswith(ENDINGS):
        raise InvalidInput(field="file", detail="Choose a file that ends in .zip, .json or .csv.")
    request_id, kind = uuid4(), RequestKind.TRIAL if trial else RequestKind.IMPORT
    values = {"id": request_id, "kind": kind, "asked_by": actor.member_id, "asked_at": now}
    values |= {"file_name": name, "package": (package or "").strip()[:80] or None}
    await session.execute(insert(DirectoryRequest).values(values).inline())
    length = await _keep_parts(session, request_id, content)
    if not length:
        raise InvalidInput(field="file", detail="Choose a file; this one is empty.")
    await record(session, Action.IMPORT_ASKED, "directory_request", request_id, kind=kind, bytes=length)
    return request_id


async def ask_undo(session: AsyncSession, actor: Member, import_id: UUID, *, now: datetime) -> UUID:
    """Have the newest import of a package taken back. Raises NotPermitted; NotFound: there is no such import."""
    require(actor, Permission.IMPORT_DIRECTORY)
    if await session.scalar(select(DirectoryImport.id).where(DirectoryImport.id == import_id)) is None:
        raise NotFound(field="import_id")
    request_id = uuid4()
    values = {"id": request_id, "kind": RequestKind.UNDO, "asked_by": actor.member_id, "asked_at": now}
    await session.execute(insert(DirectoryRequest).values(**values, import_id=import_id).inline())
    await record(session, Action.IMPORT_ASKED, "directory_request", request_id, kind=RequestKind.UNDO)
    return request_id


async def list_requests(session: AsyncSession, actor: Member, *, first: int) -> list[RequestRow]:
    """The newest requests of all network admins. Raises NotPermitted."""
    require(actor, Permission.IMPORT_DIRECTORY)
    newest = _columns().order_by(DirectoryRequest.asked_at.desc(), DirectoryRequest.id.desc()).limit(first)
    return [_row(row) for row in await session.execute(newest)]


async def find_request(session: AsyncSession, actor: Member, request_id: UUID) -> RequestRow:
    """One request. Raises NotPermitted, NotFound."""
    require(actor, Permission.IMPORT_DIRECTORY)
    row = (await session.execute(_columns().where(DirectoryRequest.id == request_id))).one_or_none()
    if row is None:
        raise NotFound(field="request_id")
    return _row(row)


async def report_page(
    session: AsyncSession, actor: Member, request_id: UUID, *, after: int, first: int
) -> list[ProblemRow]:
    """Lines of a report in the order of the package, from behind a position on. Raises NotPermitted."""
    require(actor, Permission.IMPORT_DIRECTORY)
    table = DirectoryRequestProblem
    columns = select(
        table.position, table.severity, table.file, table.line, table.field, table.value_shape, table.message,
        table.hint,
    ).where(table.request_id == request_id, table.position > after)  # fmt: skip
    rows = await session.execute(columns.order_by(table.position).limit(first))
    return [ProblemRow(*row) for row in rows]


async def list_imports(session: AsyncSession, actor: Member, *, first: int) -> list[ImportRow]:
    """The newest imports that changed something, also those made on the host. Raises NotPermitted."""
    require(actor, Permission.IMPORT_DIRECTORY)
    it = DirectoryImport
    newest = func.max(it.finished_at).filter(it.undone_at.is_(None)).over(partition_by=it.package)
    columns = select(it.id, it.package, it.finished_at, it.counts, it.undone_at, newest)
    listed = columns.where(it.package != TAXONOMY_PACKAGE).order_by(it.finished_at.desc()).limit(first)
    return [
        ImportRow(id_, package, at, _changed(counts), undone, undone is None and at == last)
        for id_, package, at, counts, undone, last in await session.execute(listed)
    ]


async def _keep_parts(session: AsyncSession, request_id: UUID, content: AsyncIterable[bytes]) -> int:
    length = position = 0
    async for part in content:
        length += len(part)
        if length > BYTES_MAX:
            raise InvalidInput(field="file", detail="At most 64 MB; a larger one comes in on the host.")
        values = {"request_id": request_id, "position": position, "content": part}
        await session.execute(insert(DirectoryRequestPart).values(values).inline())
        position += 1
    return length


def _columns() -> Any:
    it = DirectoryRequest
    return select(
        it.id, it.kind, it.state, MemberAccount.display_name, it.asked_at, it.file_name, it.package, it.import_id,
        it.started_at, it.told_at, it.working_on, it.rows_read, it.settled_at, it.counts, it.entries_changed,
        it.problems, it.refusal,
    ).outerjoin(MemberAccount, MemberAccount.id == it.asked_by)  # fmt: skip


def _row(row: Any) -> RequestRow:
    request_id, kind, state, asked_by, *rest = row
    return RequestRow(request_id, RequestKind(kind), RequestState(state), asked_by or "", *rest)


def _changed(counts: dict[str, Any]) -> int:
    return sum(table.get(what, 0) for table in counts.values() for what in ("inserted", "updated", "gone"))

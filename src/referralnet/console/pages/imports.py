"""Imports of the directory: bring a file to try or to import, take an import back, and see how it goes (A4)."""

from __future__ import annotations

import re
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import UploadFile
from starlette.responses import Response

from referralnet.console.forms import Form
from referralnet.console.performing import perform
from referralnet.console.sections import section_page
from referralnet.console.serving import PageRequest
from referralnet.console.uploads import pieces
from referralnet.database.acting import Member
from referralnet.directory import requests
from referralnet.directory.requests import BYTES_MAX, RequestRow
from referralnet.errors import InvalidInput, NotFound, Refusal
from referralnet.identity.access import Permission
from referralnet.identity.profiles import own_profile

LISTED_MAX = 20
REPORT_LINES = 50
MARKS = {
    "waiting": "mark-kept", "running": "mark-kept", "done": "mark-good", "refused": "mark-warm",
    "interrupted": "mark-warm",
}  # fmt: skip
_IMPORT = Permission.IMPORT_DIRECTORY
_HERE = "/administer/imports"


async def show(request: PageRequest) -> Response:
    """The form, what was asked for, and what came in."""
    return await _list(request, {})


async def bring(request: PageRequest) -> Response:
    """Take a file, and see how it goes."""
    async with request.upload(bytes_max=BYTES_MAX, on_disk=True) as (form, file):

        async def act(session: AsyncSession, actor: Member) -> UUID:
            return await _ask(request, session, actor, form, file)

        try:
            request_id = await perform(request, _IMPORT, act)
        except Refusal as refusal:
            return await _list(request, request.errors(refusal))
    return request.go_to(f"{_HERE}/{request_id}")


async def undo(request: PageRequest) -> Response:
    """Have an import taken back, and see how it goes."""
    form = await request.form()

    async def act(session: AsyncSession, actor: Member) -> UUID:
        return await requests.ask_undo(session, actor, _id(form.get("import", "")), now=request.now)

    return request.go_to(f"{_HERE}/{await perform(request, _IMPORT, act)}")


async def show_one(request: PageRequest) -> Response:
    """How far it is, what it did, and its report from a line on."""
    actor, request_id = request.member, request.http.path_params["id"]
    after = request.http.query_params.get("after", "")
    behind = int(after) if re.fullmatch(r"[0-9]{1,9}", after) else 0
    async with request.desk.resources.database.transaction(actor) as session:
        profile = await own_profile(session, actor)
        row = await requests.find_request(session, actor, request_id)
        lines = await requests.report_page(session, actor, request_id, after=behind, first=REPORT_LINES + 1)
    shown = lines[:REPORT_LINES]
    next_page = shown[-1].position if len(lines) > REPORT_LINES else None
    return section_page(
        request, "import.html", profile=profile, one=row, changed=_changed(row), report=shown, next_page=next_page
    )


async def _ask(request: PageRequest, session: AsyncSession, actor: Member, form: Form, file: UploadFile | None) -> UUID:
    if file is None or file.filename is None:
        raise InvalidInput(field="file", detail="Choose a file.")
    trial = form.get("act") != "import"
    return await requests.ask_import(
        session, actor, file.filename, pieces(file), package=form.words("package"), trial=trial, now=request.now
    )


def _changed(row: RequestRow) -> bool:
    counts = (row.counts or {}).values()
    return any(count[what] for count in counts for what in ("inserted", "updated", "gone"))


def _id(given: str) -> UUID:
    try:
        return UUID(given)
    except ValueError:
        raise NotFound from None


async def _list(request: PageRequest, wrong: dict[str, str]) -> Response:
    actor = request.member
    async with request.desk.resources.database.transaction(actor) as session:
        profile = await own_profile(session, actor)
        asked = await requests.list_requests(session, actor, first=LISTED_MAX)
        imports = await requests.list_imports(session, actor, first=LISTED_MAX)
    return section_page(
        request, "imports.html", 422 if wrong else 200, profile=profile, wrong=wrong, requests=asked, imports=imports,
        marks=MARKS,
    )  # fmt: skip

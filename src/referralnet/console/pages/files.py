"""Files of one's own cases: taken out as a table that can be traced, and running ones brought in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.console.forms import Form
from referralnet.console.performing import perform
from referralnet.console.sections import section_page
from referralnet.console.serving import PageRequest
from referralnet.console.words import Words
from referralnet.database.acting import Member
from referralnet.directory.problems import PackageUnreadable
from referralnet.errors import InvalidInput, NotPermitted, Refusal
from referralnet.identity.access import Permission, is_permitted
from referralnet.identity.profiles import own_profile
from referralnet.identity.step_up import StepUpNeeded
from referralnet.referrals.exporting import ROWS_PER_DAY_MAX, export_referrals
from referralnet.referrals.importing import Imported, import_referrals

FILE_BYTES_MAX = 2 * 1024 * 1024
PROBLEMS_SHOWN_MAX = 200
COLUMNS = {
    "own_id": "your own number of the referral; needed",
    "case_label": "by what you know her: words, no part of her name; needed",
    "given_name": "for a new label; beside it family_name, date_of_birth",
    "organization, service": "both names as the directory has them, or service_at_location_id; needed",
    "service_type, urgency": "a kind of service, and urgent, priority or routine; needed",
    "region, language": "a state such as US-IL, and a language; needed",
    "household_size, age_band": "1 to 20, and a band such as 18_24; needed",
    "accessibility, immigration_sensitive": "codes with commas, and yes or no",
    "called_at, answer, reason": "when a service that is no member was called, and what it said",
}
"""As docs/referral-import.md has them in full."""
PHRASES = tuple(COLUMNS.values())


class _NothingKept(Exception):
    """Ends the transaction, so that nothing of it stays."""


async def show(request: PageRequest) -> Response:
    """What may be taken out, and how to bring cases in."""
    return await _page(request, Form(), {})


async def take(request: PageRequest) -> Response:
    """The table of own cases."""
    form, resources = await request.form(), request.desk.resources
    try:
        async with resources.database.transaction(request.member) as session:
            exported = await export_referrals(
                session, request.member, _day(form, "from"), _day(form, "to"),
                with_identity=form.get("identity") == "yes", keyring=resources.keyring, now=request.now,
            )  # fmt: skip
    except StepUpNeeded:
        raise
    except Refusal as refusal:
        await request.note_attempt(refusal)
        return await _page(request, form, request.errors(refusal))
    return send_table(exported.content, "referrals.csv")


def send_table(content: bytes, name: str) -> Response:
    """A table as a file that no browser keeps."""
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return Response(content, headers=headers, media_type="text/csv; charset=utf-8")


async def bring(request: PageRequest) -> Response:
    """Try a file of running cases, or bring it in."""
    imported, unreadable = None, None
    async with request.upload(bytes_max=FILE_BYTES_MAX, on_disk=False) as (form, file):
        tried = form.get("act") != "import"
        if file is None:
            return await _page(request, form, request.errors(InvalidInput(field="file", detail="Choose a file.")))
        content = await file.read()
        if len(content) > FILE_BYTES_MAX:
            return await _page(request, form, request.errors(InvalidInput(field="file", detail="At most 2 MB.")))
        try:
            imported = await _import(request, content, keep=not tried)
        except PackageUnreadable as problem:
            unreadable = str(problem)
    async with request.desk.resources.database.transaction(request.member) as session:
        profile = await own_profile(session, request.member)
    problems = imported.problems.rows[:PROBLEMS_SHOWN_MAX] if imported else []
    status = 422 if unreadable or (imported and imported.refused) else 200
    return section_page(
        request, "brought.html", status, profile=profile, imported=imported, problems=problems,
        unreadable=unreadable, tried=tried,
    )  # fmt: skip


async def _import(request: PageRequest, content: bytes, *, keep: bool) -> Imported | None:
    """What the file brought; None where this very form was performed before."""
    found: list[Imported] = []
    keyring = request.desk.resources.keyring

    async def act(session: AsyncSession, actor: Member) -> UUID:
        with _in_memory(content) as path:
            found.append(await import_referrals(session, actor, path, keyring=keyring, now=request.now))
        if found[0].refused or not keep:
            raise _NothingKept
        return uuid4()

    with suppress(_NothingKept):
        await perform(request, Permission.SEND_REFERRALS, act)
    return found[0] if found else None


@contextmanager
def _in_memory(content: bytes) -> Iterator[Path]:
    """A file that has a path and lies on no disk: it names people."""
    descriptor = os.memfd_create("cases")
    try:
        os.write(descriptor, content)
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def _day(form: Form, name: str) -> date:
    try:
        return date.fromisoformat(form.get(name, ""))
    except ValueError:
        raise InvalidInput(field=name, detail="Choose a day.") from None


async def _page(request: PageRequest, typed: Form, wrong: dict[str, str]) -> Response:
    actor = request.member
    may_export = is_permitted(actor, Permission.EXPORT_REFERRALS) and is_permitted(actor, Permission.KEEP_SURVIVORS)
    may_import = is_permitted(actor, Permission.SEND_REFERRALS)
    if not (may_export or may_import):
        raise NotPermitted
    async with request.desk.resources.database.transaction(actor) as session:
        profile = await own_profile(session, actor)
        taken = await session.scalar(select(func.rows_exported_within_the_day())) if may_export else 0
    return section_page(
        request, "files.html", 422 if wrong else 200, profile=profile, typed=typed, wrong=wrong,
        may_export=may_export, may_import=may_import, most=ROWS_PER_DAY_MAX, left=ROWS_PER_DAY_MAX - (taken or 0),
        columns=Words(request.language).said_each(COLUMNS),
    )  # fmt: skip

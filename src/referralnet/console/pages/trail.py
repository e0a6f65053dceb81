"""The trail of one's own agency, for auditors: searched, turned page by page, taken along, and checked."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import UTC
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.audit import searching
from referralnet.audit.searching import TrailRow
from referralnet.console.pages.files import send_table
from referralnet.console.performing import perform
from referralnet.console.serving import PageRequest
from referralnet.console.told import Told
from referralnet.console.trail_search import KINDS, PRESETS, read_asked
from referralnet.console.trail_search import PHRASES as SEARCHED
from referralnet.console.words import Words
from referralnet.database.acting import Member
from referralnet.directory.formulas import guarded
from referralnet.errors import NotFound
from referralnet.identity.access import Permission, require
from referralnet.identity.profiles import member_names, own_profile

PAGE_SIZE = 50
ANYTHING, ANYBODY = "anything", "anybody"
PHRASES = (*SEARCHED, ANYTHING, ANYBODY)
COLUMNS = ("export", "at", "member", "action", "subject_kind", "subject_id", "detail")
_READ = Permission.READ_TRAIL


async def show(request: PageRequest) -> Response:
    """What fits, newest first, and how the chain stands."""
    actor = request.member
    require(actor, _READ)
    async with request.desk.resources.database.transaction(actor) as session:
        profile = await own_profile(session, actor)
        asked = read_asked(request.http.query_params, profile.time_zone)
        rows = await searching.search_trail(session, asked.search, after=asked.after, first=PAGE_SIZE + 1)
        state = await searching.trail_state(session)
        names = await member_names(session)
    shown = rows[:PAGE_SIZE]
    words = Words(request.language)
    next_page = asked.address(shown[-1].position) if len(rows) > PAGE_SIZE else None
    wrong = {name: words.said(message) for name, message in asked.wrong.items()}
    return request.page(
        "trail.html", 422 if wrong else 200, profile=profile, asked=asked, rows=shown, state=state, names=names,
        next_page=next_page, wrong=wrong, whats=_choices(words, PRESETS), people=_people(words, names),
        kinds={"": words.said(ANYTHING), **{kind: words.plain(kind) for kind in KINDS}},
    )  # fmt: skip


async def check(request: PageRequest) -> Response:
    """Have every link checked now."""

    async def act(session: AsyncSession, actor: Member) -> UUID:
        await searching.ask_for_check(session, actor.agency_id, actor.member_id, now=request.now)
        return actor.agency_id

    await perform(request, _READ, act)
    return request.go_to("/trail", Told.CHECK_ASKED)


async def take(request: PageRequest) -> Response:
    """What fits as a table; that it was taken stands in the trail."""
    form, actor = await request.form(), request.member
    require(actor, _READ)
    async with request.desk.resources.database.transaction(actor) as session:
        profile = await own_profile(session, actor)
        asked = read_asked(form, profile.time_zone)
        if asked.wrong:
            raise NotFound
        serial, rows = await searching.export_trail(session, asked.search)
    return send_table(_table(serial, rows), "trail.csv")


def _table(serial: UUID, rows: list[TrailRow]) -> bytes:
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for row in rows:
        at, detail = f"{row.at.astimezone(UTC):%FT%T.%fZ}", orjson.dumps(row.detail).decode()
        cells = (serial, at, row.member_id or "", row.action, row.subject_kind, row.subject_id, detail)
        writer.writerow([guarded(str(cell)) for cell in cells])
    return file.getvalue().encode()


def _choices(words: Words, presets: Mapping[str, str]) -> dict[str, str]:
    return {code: words.said(phrase) for code, phrase in presets.items()}


def _people(words: Words, names: Mapping[UUID, str]) -> dict[str, str]:
    by_name = sorted(names.items(), key=lambda one: one[1].lower())
    return {"": words.said(ANYBODY), **{str(member_id): name for member_id, name in by_name}}

"""Whole lists of referrals, a page at a time: those to answer, those with the agency, those it has sent or not yet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.console.serving import PageRequest
from referralnet.database.acting import Member
from referralnet.errors import NotFound
from referralnet.identity.access import Permission, require
from referralnet.identity.profiles import own_profile
from referralnet.referrals import reading, waiting
from referralnet.referrals.lifecycle import Status
from referralnet.referrals.reading import Position, ReferralRow
from referralnet.referrals.waiting import Deadline

PAGE_SIZE = 20
_NONE = "None on this list."
_DRAFTS = "They came in from your agency's own file, and no service sees them yet. Open one to ask her or to send it."
_NO_DRAFTS = "Nothing waits to be sent. What comes in from your agency's own file stands here until she has signed."


class ListOf(NamedTuple):
    """One list: its heading, how a page of it is read after a row, and whether the agency is the one asked."""

    heading: str
    read: Callable[[AsyncSession, Member, ReferralRow | None], Awaitable[list[ReferralRow]]]
    received: bool
    about: str = ""
    if_none: str = _NONE


async def _to_answer(session: AsyncSession, actor: Member, last: ReferralRow | None) -> list[ReferralRow]:
    after = Deadline(last.answer_due_at, last.id) if last and last.answer_due_at else None
    return await waiting.to_answer(session, actor, first=PAGE_SIZE + 1, after=after)


async def _received(session: AsyncSession, actor: Member, last: ReferralRow | None) -> list[ReferralRow]:
    after = Position(last.requested_at, last.id) if last and last.requested_at else None
    return await reading.inbox(session, actor, first=PAGE_SIZE + 1, after=after)


async def _sent(session: AsyncSession, actor: Member, last: ReferralRow | None) -> list[ReferralRow]:
    after = Position(last.created_at, last.id) if last else None
    return await reading.sent(session, actor, first=PAGE_SIZE + 1, after=after)


async def _drafts(session: AsyncSession, actor: Member, last: ReferralRow | None) -> list[ReferralRow]:
    after = Position(last.created_at, last.id) if last else None
    return await reading.sent(session, actor, status=Status.DRAFT, first=PAGE_SIZE + 1, after=after)


LISTS = {
    "to-answer": ListOf("To answer", _to_answer, True),
    "received": ListOf("Received by your agency", _received, True),
    "sent": ListOf("Sent by your agency", _sent, False),
    "drafts": ListOf("Not sent yet", _drafts, False, _DRAFTS, _NO_DRAFTS),
}
"""By the last part of the address."""
PHRASES = (*(one.heading for one in LISTS.values()), _DRAFTS, _NO_DRAFTS, _NONE)


async def show(request: PageRequest) -> Response:
    """One page of a list."""
    actor, wanted = request.member, LISTS.get(request.http.path_params["which"])
    require(actor, Permission.READ_REFERRALS)
    if wanted is None:
        raise NotFound
    async with request.desk.resources.database.transaction(actor) as session:
        profile = await own_profile(session, actor)
        given = request.http.query_params.get("after")
        last = await reading.referral(session, actor, request.open_handle("referral", given)) if given else None
        rows = await wanted.read(session, actor, last)
    page, more = rows[:PAGE_SIZE], len(rows) > PAGE_SIZE
    return request.page(
        "requests.html",
        profile=profile,
        wanted=wanted,
        own={f"/requests/list/{name}": one for name, one in LISTS.items() if not one.received},
        rows=page,
        next_page=f"{request.http.url.path}?after={request.handle('referral', page[-1].id)}" if more else None,
    )

"""Whom somebody keeps away from everything of hers: set at once by one person, lifted by two."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.console.forms import Form
from referralnet.console.performing import perform
from referralnet.console.reading_forms import listed_id
from referralnet.console.serving import PageRequest
from referralnet.console.told import Told
from referralnet.database.acting import Member
from referralnet.errors import Refusal
from referralnet.identity.access import Permission
from referralnet.identity.agencies import list_agencies
from referralnet.identity.profiles import own_profile
from referralnet.referrals.blocking import block_from_survivor
from referralnet.survivors.blocks import list_blocks
from referralnet.survivors.two_people import list_acts


async def show(request: PageRequest) -> Response:
    """Who is kept away, and the form for somebody else."""
    return await _page(request, Form())


async def keep(request: PageRequest) -> Response:
    """Keep an agency, or one person of it, away from now on."""
    form, survivor_id = await request.form(), request.opened("survivor")

    async def act(session: AsyncSession, actor: Member) -> UUID:
        agency_id, member = listed_id(form, "agency_id"), form.words("member")
        return await block_from_survivor(
            session, actor, survivor_id, agency_id=agency_id, member=member, now=request.now
        )

    try:
        await perform(request, Permission.KEEP_SURVIVORS, act)
    except Refusal as refusal:
        return await _page(request, form, refusal)
    return request.go_to(f"/people/{request.handle('survivor', survivor_id)}/blocks", Told.KEPT_AWAY)


async def _page(request: PageRequest, typed: Form, refusal: Refusal | None = None) -> Response:
    actor, survivor_id = request.member, request.opened("survivor")
    async with request.transaction() as session:
        profile = await own_profile(session, actor)
        blocks = await list_blocks(session, actor, survivor_id)
        agencies = await list_agencies(session)
        acts = await list_acts(session, actor, survivor_id)
    return request.page(
        "people/blocks.html",
        422 if refusal else 200,
        profile=profile,
        here=f"/people/{request.handle('survivor', survivor_id)}",
        blocks=blocks,
        agencies=agencies,
        proposed={row.subject_id for row in acts if row.waits(request.now)},
        typed=typed,
        wrong=request.errors(refusal) if refusal else {},
    )

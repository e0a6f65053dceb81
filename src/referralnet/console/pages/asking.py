"""A release that somebody is asked for apart from any referral: for which agency, and what may be told."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.consent.proposing import propose_releases
from referralnet.consent.releases import proposed_together
from referralnet.console.consent_form import choices, empty, read_proposals
from referralnet.console.forms import Form
from referralnet.console.performing import perform
from referralnet.console.reading_forms import listed_id
from referralnet.console.serving import PageRequest
from referralnet.database.acting import Member
from referralnet.errors import Refusal
from referralnet.identity.access import Permission, require
from referralnet.identity.agencies import list_agencies
from referralnet.identity.profiles import own_profile
from referralnet.survivors.blocks import require_survivor
from referralnet.survivors.case_labels import open_labels


async def show(request: PageRequest) -> Response:
    """The form; the agency is chosen already where the page before says which."""
    require(request.member, Permission.RECORD_RELEASES)
    agency = request.http.query_params.get("recipient_agency_id", "")
    return await _page(request, Form([*empty(None, request.language).pairs, ("recipient_agency_id", agency)]))


async def propose(request: PageRequest) -> Response:
    """Put it before her."""
    form, survivor_id = await request.form(), request.opened("survivor")

    async def act(session: AsyncSession, actor: Member) -> UUID:
        wanted = read_proposals(form, [listed_id(form, "recipient_agency_id")])
        return await propose_releases(session, actor, survivor_id, wanted, now=request.now)

    try:
        proposal_id = await perform(request, Permission.RECORD_RELEASES, act)
    except Refusal as refusal:
        return await _page(request, form, refusal)
    async with request.transaction() as session:
        (made,) = await proposed_together(session, request.member, proposal_id)
    return request.go_to(f"/releases/{request.handle('release', made.id)}")


async def _page(request: PageRequest, typed: Form, refusal: Refusal | None = None) -> Response:
    actor, survivor_id = request.member, request.opened("survivor")
    async with request.transaction() as session:
        profile = await own_profile(session, actor)
        await require_survivor(session, survivor_id)
        labels = await open_labels(session, request.keyring, [survivor_id])
        agencies = [one for one in await list_agencies(session) if one.id != actor.agency_id]
    return request.page(
        "people/ask.html",
        422 if refusal else 200,
        profile=profile,
        here=f"/people/{request.handle('survivor', survivor_id)}",
        label=labels.get(survivor_id),
        agencies=agencies,
        typed=typed,
        wrong=request.errors(refusal) if refusal else {},
        **choices(),
    )

"""The third step of the way: what she lets each chosen agency be told, put before her and signed."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.consent.proposing import propose_releases
from referralnet.consent.releases import proposed_together
from referralnet.console.adding import plan_of, unasked
from referralnet.console.consent_form import choices, empty, read_proposals
from referralnet.console.forms import Form
from referralnet.console.performing import perform
from referralnet.console.serving import PageRequest
from referralnet.console.trail import Trail, read_trail
from referralnet.console.way import look_ahead
from referralnet.database.acting import Member
from referralnet.errors import InvalidInput, Refusal
from referralnet.identity.access import Permission, require
from referralnet.identity.profiles import own_profile


async def show(request: PageRequest) -> Response:
    """What is covered, what waits for her, and the form for what is not asked yet."""
    trail = _trail(request)
    if not trail.to:
        return request.go_to(f"/needs/{trail.need}/services?{trail.query}")
    if trail.is_together:
        return request.go_to(f"/needs/{trail.need}/send?{trail.query}")
    return await _page(request, trail)


async def propose(request: PageRequest) -> Response:
    """Put before her what is not covered yet, and read the first of it with her."""
    form = await request.form()
    trail = _trail(request, form)

    async def act(session: AsyncSession, actor: Member) -> UUID:
        way = await look_ahead(session, actor, request.opened("need"), trail, keyring=request.keyring, now=request.now)
        wanted = [agency for agency in way.uncovered if str(agency) in form.each("ask")]
        if not wanted:
            raise InvalidInput(field="ask", detail="Name at least one.")
        proposals = read_proposals(form, wanted)
        return await propose_releases(session, actor, way.need.survivor_id, proposals, now=request.now)

    try:
        proposal_id = await perform(request, Permission.RECORD_RELEASES, act)
    except Refusal as refusal:
        return await _page(request, trail, form, refusal)
    async with request.transaction() as session:
        made = await proposed_together(session, request.member, proposal_id)
    return request.go_to(f"/releases/{request.handle('release', made[0].id)}?{trail.query}")


def _trail(request: PageRequest, form: Form | None = None) -> Trail:
    return replace(read_trail(request, form), need=request.handle("need", request.opened("need")))


async def _page(
    request: PageRequest, trail: Trail, typed: Form | None = None, refusal: Refusal | None = None
) -> Response:
    actor = request.member
    require(actor, Permission.SEND_REFERRALS)
    async with request.transaction() as session:
        profile = await own_profile(session, actor)
        way = await look_ahead(session, actor, request.opened("need"), trail, keyring=request.keyring, now=request.now)
        on_plan = unasked(await plan_of(session, request, trail, way.need.id)) if trail.plan else {}
    first = way.stops[0] if way.stops else None
    return request.page(
        "path/consent.html",
        422 if refusal else 200,
        profile=profile,
        way=way,
        trail=trail,
        here=f"/needs/{trail.need}",
        person=f"/people/{request.handle('survivor', way.need.survivor_id)}",
        may_go_on=first is not None and first.is_covered,
        may_wait=bool(trail.plan and first and first.is_member and first.hit.service_at_location_id not in on_plan),
        typed=typed or empty(way.need.service_type, way.need.language),
        wrong=request.errors(refusal) if refusal else {},
        **choices(),
    )

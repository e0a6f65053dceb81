"""The second step of the way: the services that fit a need, each with what speaks for it and against it."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.console.serving import PageRequest
from referralnet.console.trail import Trail, read_trail
from referralnet.directory.search import DirectoryHit, DirectoryQuery, search
from referralnet.identity.access import Permission, require
from referralnet.identity.profiles import own_profile
from referralnet.referrals.lifecycle import ENDS
from referralnet.referrals.matching import match_need
from referralnet.referrals.routing_reading import routing_plan
from referralnet.survivors.case_labels import open_labels
from referralnet.survivors.needs import Urgency, need

PAGE = 12
MATCHES_MAX = 96


async def show(request: PageRequest) -> Response:
    """What fits, best first; those that were chosen before are ticked still."""
    actor, need_id, trail = request.member, request.opened("need"), read_trail(request)
    require(actor, Permission.SEND_REFERRALS)
    first = _first(request)
    async with request.transaction() as session:
        profile = await own_profile(session, actor)
        wanted = await need(session, actor, need_id)
        labels = await open_labels(session, request.keyring, [wanted.survivor_id])
        found = await match_need(session, actor, need_id, first=first + 1, now=request.now)
        elsewhere = [one for one in trail.to if one not in {hit.service_at_location_id for hit in found[:first]}]
        chosen: list[DirectoryHit] = []
        if elsewhere:
            chosen = await search(session, DirectoryQuery(listed=tuple(elsewhere)), now=request.now)
        on_plan = await _on_plan(session, request, trail)
    return request.page(
        "path/services.html",
        profile=profile,
        need=wanted,
        label=labels.get(wanted.survivor_id),
        person=f"/people/{request.handle('survivor', wanted.survivor_id)}",
        here=f"/needs/{request.handle('need', need_id)}",
        matches=found[:first],
        elsewhere=chosen,
        chosen=frozenset[UUID](trail.to),
        on_plan=on_plan,
        trail=trail,
        more=first + PAGE if len(found) > first and first < MATCHES_MAX else None,
        is_urgent=wanted.urgency == Urgency.URGENT,
    )


async def _on_plan(session: AsyncSession, request: PageRequest, trail: Trail) -> frozenset[UUID]:
    """The services that the plan asks, or will ask: one that has said no may be asked anew."""
    if not trail.plan:
        return frozenset()
    plan = await routing_plan(session, request.member, request.open_handle("plan", trail.plan))
    return frozenset(choice.service_at_location_id for choice in plan.choices if choice.status not in ENDS)


def _first(request: PageRequest) -> int:
    asked = request.http.query_params.get("first", "")
    return min(int(asked), MATCHES_MAX) if asked.isascii() and asked.isdigit() and 0 < len(asked) < 4 else PAGE

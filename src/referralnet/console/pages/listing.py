"""A service, an organization, two services side by side, and the sheet that a person takes along."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from markupsafe import Markup
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.console.languages import LANGUAGES
from referralnet.console.rendering import render
from referralnet.console.serving import PageRequest
from referralnet.directory.opening_hours import opening_hours
from referralnet.directory.search import DirectoryHit, DirectoryQuery, search
from referralnet.errors import NotFound
from referralnet.identity.access import Permission, is_permitted, require
from referralnet.identity.profiles import own_profile

COMPARED = 2
OF_ORGANIZATION_MAX = 50
ON_SHEET = {
    "phone": "Phone number",
    "hours": "Hours",
    "address": "Address, where it is public",
    "way_in": "How to get in, in their own words",
    "name": "Name of the service",
}
"""What a sheet may have on it."""
ON_SHEET_AT_FIRST = frozenset({"phone", "hours"})
"""What stands on it unless somebody chooses more: nothing that tells what kind of help this is."""


async def service(request: PageRequest) -> Response:
    """One service at one place."""
    actor = request.member
    require(actor, Permission.SEARCH_DIRECTORY)
    async with request.desk.resources.database.transaction(actor) as session:
        profile = await own_profile(session, actor)
        (hit,) = await _listed(session, request, [_asked_for(request)])
        hours = await opening_hours(session, [hit.service_at_location_id], now=request.now)
    may_ask = is_permitted(actor, Permission.SEND_REFERRALS) and hit.agency_id not in (None, actor.agency_id)
    may_keep = is_permitted(actor, Permission.KEEP_LISTING) and hit.agency_id == actor.agency_id
    spans = hours[hit.service_at_location_id]
    return request.page("service.html", profile=profile, hit=hit, hours=spans, may_ask=may_ask, may_keep=may_keep)


async def organization(request: PageRequest) -> Response:
    """An organization, by what it offers."""
    actor = request.member
    require(actor, Permission.SEARCH_DIRECTORY)
    query = DirectoryQuery(organization_id=_asked_for(request), first=OF_ORGANIZATION_MAX)
    async with request.desk.resources.database.transaction(actor) as session:
        profile = await own_profile(session, actor)
        hits = await search(session, query, now=request.now)
    if not hits:
        raise NotFound
    return request.page("organization.html", profile=profile, name=hits[0].organization_name, hits=hits)


async def compare(request: PageRequest) -> Response:
    """Two services side by side; with fewer or more chosen it says how to choose."""
    actor = request.member
    require(actor, Permission.SEARCH_DIRECTORY)
    chosen = _chosen(request.http.query_params.getlist("id"))
    async with request.desk.resources.database.transaction(actor) as session:
        profile = await own_profile(session, actor)
        hits = await _listed(session, request, chosen) if len(chosen) == COMPARED else []
        hours = await opening_hours(session, [hit.service_at_location_id for hit in hits], now=request.now)
    return request.page("compare.html", profile=profile, hits=hits, hours=hours)


async def sheet(request: PageRequest) -> Response:
    """A sheet for the survivor: nothing of this network on it, and as little as she needs, in her language."""
    actor = request.member
    require(actor, Permission.SEARCH_DIRECTORY)
    given = request.http.query_params
    chosen = frozenset(given.getlist("with")) & frozenset(ON_SHEET) if "in" in given else ON_SHEET_AT_FIRST
    async with request.desk.resources.database.transaction(actor) as session:
        profile = await own_profile(session, actor)
        (hit,) = await _listed(session, request, [_asked_for(request)])
        hours = await opening_hours(session, [hit.service_at_location_id], now=request.now)
    language = given.get("in", "")
    language = language if language in LANGUAGES else request.language
    spans = hours[hit.service_at_location_id]
    paper = Markup(render("sheet_paper.html", language, hit=hit, hours=spans, chosen=chosen))  # noqa: S704 (a template's)
    return request.page(
        "sheet.html", profile=profile, hit=hit, chosen=chosen, parts=ON_SHEET, sheet_language=language, sheet=paper
    )


def _asked_for(request: PageRequest) -> UUID:
    asked_for: UUID = request.http.path_params["id"]
    return asked_for


async def _listed(session: AsyncSession, request: PageRequest, ids: Sequence[UUID]) -> list[DirectoryHit]:
    """The listings of these ids, in their order.

    Raises:
        NotFound: one of them is not listed.
    """
    hits = await search(session, DirectoryQuery(listed=tuple(ids)), now=request.now)
    found = {hit.service_at_location_id: hit for hit in hits}
    if len(found) != len(ids):
        raise NotFound
    return [found[wanted] for wanted in ids]


def _chosen(given: list[str]) -> list[UUID]:
    try:
        return list(dict.fromkeys(UUID(text) for text in given))
    except ValueError:
        return []

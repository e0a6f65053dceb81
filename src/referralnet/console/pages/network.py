"""Agencies of the network: who belongs to it, adding one, and inviting its first administrator."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.console.forms import Form
from referralnet.console.pages.members import show_code
from referralnet.console.performing import perform
from referralnet.console.sections import section_page
from referralnet.console.serving import PageRequest
from referralnet.console.told import Told
from referralnet.console.words import Words
from referralnet.database.acting import AgencyKind, Member
from referralnet.errors import InvalidInput, NotFound, Refusal
from referralnet.identity import agencies, founding
from referralnet.identity.access import Permission, require
from referralnet.identity.founding import NewAgency
from referralnet.identity.profiles import own_profile

REGIMES = {
    "victim_service_provider": "victim services (VAWA, VOCA, FVPSA)",
    "hipaa": "health (HIPAA)",
    "part2": "substance use treatment (42 CFR Part 2)",
    "legal_privilege": "legal privilege",
    "criminal_justice": "criminal justice",
    "general": "none of these",
}
PHRASES = tuple(REGIMES.values())
_KEEP = Permission.KEEP_AGENCIES


async def show(request: PageRequest) -> Response:
    """Every agency."""
    return await _list(request, {})


async def turn(request: PageRequest) -> Response:
    """Turn one off, or on again."""
    form = await request.form()

    async def act(session: AsyncSession, actor: Member) -> UUID:
        agency_id = _id(form.get("agency", ""))
        await founding.set_active(session, actor, agency_id, active=form.get("act") == "on")
        return agency_id

    try:
        await perform(request, _KEEP, act)
    except Refusal as refusal:
        if isinstance(refusal, NotFound):
            raise
        return await _list(request, request.errors(refusal))
    return request.go_to("/administer/network", Told.AGENCY_ON if form.get("act") == "on" else Told.AGENCY_OFF)


async def show_add(request: PageRequest) -> Response:
    """The form for a new agency."""
    return await _add_form(request, Form(), {})


async def add(request: PageRequest) -> Response:
    """Add it; its first administrator comes next."""
    form = await request.form()

    async def act(session: AsyncSession, actor: Member) -> UUID:
        try:
            kind = AgencyKind(form.get("kind", ""))
        except ValueError:
            raise InvalidInput(field="kind") from None
        new = NewAgency(form.get("name", ""), kind, form.get("regime", ""), form.get("time_zone", "").strip())
        return await founding.found(session, actor, new)

    try:
        agency_id = await perform(request, _KEEP, act)
    except Refusal as refusal:
        return await _add_form(request, form, request.errors(refusal))
    return request.go_to(f"/administer/network/{agency_id}/first", Told.AGENCY_ADDED)


async def show_first(request: PageRequest) -> Response:
    """The form for the first administrator."""
    return await _first_form(request, Form(), {})


async def appoint(request: PageRequest) -> Response:
    """Invite the first administrator, and show the code."""
    form, made, agency_id = await request.form(), list[str](), request.http.path_params["id"]

    async def act(session: AsyncSession, actor: Member) -> UUID:
        login, name = form.get("login", ""), form.get("display_name", "")
        made.append(await founding.appoint(session, actor, agency_id, login, name, now=request.now))
        return UUID(str(agency_id))

    try:
        await perform(request, _KEEP, act)
    except Refusal as refusal:
        return await _first_form(request, form, request.errors(refusal))
    return await show_code(request, made, form.get("display_name", ""), "/administer/network")


def _id(given: str) -> UUID:
    try:
        return UUID(given)
    except ValueError:
        raise NotFound from None


async def _list(request: PageRequest, wrong: dict[str, str]) -> Response:
    async with request.desk.resources.database.transaction(request.member) as session:
        profile = await own_profile(session, request.member)
        rows = await founding.network_agencies(session, request.member)
    values = {"profile": profile, "agencies": rows, "wrong": wrong, "regimes": REGIMES}
    return section_page(request, "network.html", 422 if wrong else 200, **values)


async def _add_form(request: PageRequest, typed: Form, wrong: dict[str, str]) -> Response:
    require(request.member, _KEEP)
    words = Words(request.language)
    async with request.desk.resources.database.transaction(request.member) as session:
        profile = await own_profile(session, request.member)
    return section_page(
        request, "add_agency.html", 422 if wrong else 200, profile=profile, typed=typed, wrong=wrong,
        kinds={kind.value: words.plain(kind) for kind in AgencyKind}, regimes=words.said_each(REGIMES),
    )  # fmt: skip


async def _first_form(request: PageRequest, typed: Form, wrong: dict[str, str]) -> Response:
    require(request.member, _KEEP)
    async with request.desk.resources.database.transaction(request.member) as session:
        profile = await own_profile(session, request.member)
        row = await agencies.agency(session, request.http.path_params["id"])
    values = {"profile": profile, "agency": row, "typed": typed, "wrong": wrong}
    return section_page(request, "first_admin.html", 422 if wrong else 200, **values)

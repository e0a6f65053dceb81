"""One person's page: her case by a label, and who she is for whoever proves a second factor, once for each asking."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.consent.handoffs import record_handoff
from referralnet.console.case_view import look_at_case
from referralnet.console.performing import perform
from referralnet.console.reading_forms import listed_id
from referralnet.console.serving import PageRequest
from referralnet.console.told import Told
from referralnet.database.acting import Member
from referralnet.identity.access import Permission
from referralnet.identity.profiles import own_profile
from referralnet.survivors.revealing import SurvivorIdentity, reveal_survivor


async def show(request: PageRequest) -> Response:
    """Her case."""
    return await _page(request)


async def reveal(request: PageRequest) -> Response:
    """The same page with who she is; the reading is capped, and stands in the trail."""
    await request.form()
    survivor_id = request.opened("survivor")
    async with request.transaction() as session:
        identity = await reveal_survivor(session, request.member, survivor_id, keyring=request.keyring, now=request.now)
    return await _page(request, identity)


async def hand_over(request: PageRequest) -> Response:
    """Note that she was shown the way to a service; nobody there is told anything."""
    survivor_id = request.opened("survivor")
    form = await request.form()

    async def act(session: AsyncSession, actor: Member) -> UUID:
        return await record_handoff(session, actor, survivor_id, listed_id(form, "service"), now=request.now)

    await perform(request, Permission.KEEP_SURVIVORS, act)
    return request.go_to(f"/people/{request.handle('survivor', survivor_id)}", Told.WAY_SHOWN)


async def _page(request: PageRequest, identity: SurvivorIdentity | None = None) -> Response:
    actor = request.member
    async with request.transaction() as session:
        profile = await own_profile(session, actor)
        case = await look_at_case(session, actor, request.opened("survivor"), keyring=request.keyring)
    here = f"/people/{request.handle('survivor', case.id)}"
    return request.page("people/person.html", profile=profile, case=case, identity=identity, here=here)

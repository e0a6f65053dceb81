"""One member of one's own agency: roles, training, and how they get in."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.console.forms import Form
from referralnet.console.pages.members import day_of, role_words, roles_of, show_code
from referralnet.console.performing import perform
from referralnet.console.sections import section_page
from referralnet.console.serving import PageRequest
from referralnet.console.told import Told
from referralnet.database.acting import Member, Role
from referralnet.errors import NotFound, Refusal
from referralnet.identity import members
from referralnet.identity.access import Permission
from referralnet.identity.profiles import own_profile

TOLD = {
    "change": Told.MEMBER_KEPT, "sign_out": Told.MEMBER_SIGNED_OUT, "disable": Told.MEMBER_OFF,
    "enable": Told.MEMBER_ON,
}  # fmt: skip


async def show(request: PageRequest) -> Response:
    """What there is of them, and what can be changed."""
    return await _page(request, None, {})


async def keep(request: PageRequest) -> Response:
    """Do what the pressed button says."""
    form, member_id, made = await request.form(), request.opened("member"), list[str]()

    async def act(session: AsyncSession, actor: Member) -> UUID:
        now = request.now
        match form.get("act"):
            case "change":
                await members.change(session, actor, member_id, roles_of(form), day_of(form))
            case "again":
                made.append(await members.invite_again(session, actor, member_id, now=now))
            case "sign_out":
                await members.end_sessions(session, actor, member_id, now=now)
            case "disable":
                await members.disable(session, actor, member_id, now=now)
            case "enable":
                await members.enable(session, actor, member_id)
            case _:
                raise NotFound
        return member_id

    try:
        await perform(request, Permission.KEEP_MEMBERS, act)
    except Refusal as refusal:
        if isinstance(refusal, NotFound):
            raise
        return await _page(request, form, request.errors(refusal))
    path = request.http.url.path
    if form["act"] == "again":
        return await show_code(request, made, await _name(request, member_id), path)
    return request.go_to(path, TOLD[form["act"]])


async def _name(request: PageRequest, member_id: UUID) -> str:
    async with request.desk.resources.database.transaction(request.member) as session:
        return (await members.find_colleague(session, request.member, member_id, now=request.now)).display_name


async def _page(request: PageRequest, typed: Form | None, wrong: dict[str, str]) -> Response:
    actor, member_id = request.member, request.opened("member")
    async with request.desk.resources.database.transaction(actor) as session:
        profile = await own_profile(session, actor)
        row = await members.find_colleague(session, actor, member_id, now=request.now)
    roles, hints = role_words(request)
    trained = row.trained_until.isoformat() if row.trained_until else ""
    return section_page(
        request, "member.html", 422 if wrong else 200, profile=profile, member=row, wrong=wrong, roles=roles,
        hints=hints, is_self=row.id == actor.member_id, is_network_admin=Role.NETWORK_ADMIN in row.roles,
        chosen=[role.value for role in row.roles] if typed is None else typed.each("roles"),
        trained_until=trained if typed is None else typed.get("trained_until", ""),
    )  # fmt: skip

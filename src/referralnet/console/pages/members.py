"""The members of one's own agency: who they are, inviting somebody, and the code that is shown once."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.console.forms import Form
from referralnet.console.performing import perform
from referralnet.console.sections import section_page
from referralnet.console.serving import PageRequest
from referralnet.console.words import Words
from referralnet.database.acting import Member, Role
from referralnet.errors import InvalidInput, Refusal
from referralnet.identity import members
from referralnet.identity.access import Permission, require
from referralnet.identity.members import GIVEN_BY_ADMINS, MemberRow, NewColleague
from referralnet.identity.profiles import own_profile

ROLE_HINTS = {
    Role.COORDINATOR: "Keeps records, asks for consent, sends referrals.",
    Role.INTAKE: "Answers referrals, reads what was released, keeps counts true.",
    Role.EXPORTER: "Beside coordinator: may take own cases out in a file.",
    Role.AUDITOR: "Reads the trail and the measures, and no case.",
    Role.AGENCY_ADMIN: "Keeps members, the listing and other programs.",
}
WRONG_DAY = "Write the day as year-month-day."
PHRASES = (*ROLE_HINTS.values(), WRONG_DAY)
_WORK_ON_CASES = {Role.COORDINATOR, Role.INTAKE}


async def show(request: PageRequest) -> Response:
    """Everybody, with what is missing."""
    actor = request.member
    async with request.desk.resources.database.transaction(actor) as session:
        profile = await own_profile(session, actor)
        rows = await members.list_members(session, actor, now=request.now)
    admins = sum(Role.AGENCY_ADMIN in row.roles and row.disabled_at is None for row in rows)
    shown = [_Shown(row, today=request.now.date()) for row in rows]
    return section_page(request, "members.html", profile=profile, members=shown, admins=admins)


async def show_invite(request: PageRequest) -> Response:
    """The form to invite somebody."""
    return await _invite_form(request, Form(), {})


async def invite(request: PageRequest) -> Response:
    """Invite them, and show the code."""
    form, made = await request.form(), list[str]()

    async def act(session: AsyncSession, actor: Member) -> UUID:
        new = NewColleague(form.get("login", ""), form.get("display_name", ""), roles_of(form), day_of(form))
        member_id, code = await members.invite(session, actor, new, now=request.now)
        made.append(code)
        return member_id

    try:
        await perform(request, Permission.KEEP_MEMBERS, act)
    except Refusal as refusal:
        return await _invite_form(request, form, request.errors(refusal))
    return await show_code(request, made, form.get("display_name", ""))


async def show_code(request: PageRequest, made: list[str], name: str, back: str = "/administer/members") -> Response:
    """The code, where this very request made it; a repeated one is told that it was shown."""
    async with request.desk.resources.database.transaction(request.member) as session:
        profile = await own_profile(session, request.member)
    address = f"{request.desk.resources.settings.public_base_url.rstrip('/')}/join"
    code = made[0] if made else None
    return section_page(request, "invited.html", profile=profile, name=name, code=code, join_address=address, back=back)


def role_words(request: PageRequest) -> tuple[dict[str, str], dict[str, str]]:
    """Roles that an admin gives, and what each may do, in the language of the page."""
    words = Words(request.language)
    names = {role.value: words.plain(role) for role in GIVEN_BY_ADMINS}
    return names, {role.value: words.said(hint) for role, hint in ROLE_HINTS.items()}


def roles_of(form: Form) -> list[Role]:
    """The roles that were ticked. Raises InvalidInput: there is no such role."""
    try:
        return [Role(role) for role in form.each("roles")]
    except ValueError:
        raise InvalidInput(field="roles") from None


def day_of(form: Form) -> date | None:
    """Until when training counts. Raises InvalidInput: it is no day."""
    try:
        typed = form.words("trained_until")
        return None if typed is None else date.fromisoformat(typed)
    except ValueError:
        raise InvalidInput(field="trained_until", detail=WRONG_DAY) from None


class _Shown:
    """A member as the list shows them."""

    def __init__(self, row: MemberRow, *, today: date) -> None:
        self._row = row
        trained = row.trained_until is not None and row.trained_until >= today
        self.needs_training = bool(_WORK_ON_CASES & set(row.roles)) and not trained

    def __getattr__(self, name: str) -> object:
        return getattr(self._row, name)


async def _invite_form(request: PageRequest, typed: Form, wrong: dict[str, str]) -> Response:
    require(request.member, Permission.KEEP_MEMBERS)
    async with request.desk.resources.database.transaction(request.member) as session:
        profile = await own_profile(session, request.member)
    roles, hints = role_words(request)
    values = {"profile": profile, "typed": typed, "wrong": wrong, "roles": roles, "hints": hints}
    return section_page(request, "invite.html", 422 if wrong else 200, **values)

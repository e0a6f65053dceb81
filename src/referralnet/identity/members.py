"""The members of one's own agency, as its admin keeps them: all but herself (A3)."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member, Role
from referralnet.errors import InvalidInput, NotFound, Refusal
from referralnet.identity.access import Permission, require
from referralnet.identity.agencies import LoginTaken
from referralnet.identity.invitations import put_invitation
from referralnet.identity.tables import MemberAccount, MemberInvitation

GIVEN_BY_ADMINS = (Role.COORDINATOR, Role.INTAKE, Role.EXPORTER, Role.AUDITOR, Role.AGENCY_ADMIN)
"""Who administers the network is said on its host alone."""
NAME_LETTERS_MAX = 120
_LOGIN = re.compile(r"[^\s@]{1,100}@[^\s@]{1,100}")


class NotYourself(Refusal):
    """You cannot change your own roles or sign-in. Ask another administrator of your agency."""

    code = "NOT_YOURSELF"
    audited = True


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A member as the admin sees them; `invited_until` while a code that was not used would still open the door."""

    id: UUID
    display_name: str
    login: str
    roles: list[Role]
    trained_until: date | None
    disabled_at: datetime | None
    can_sign_in: bool
    has_second_factor: bool
    signed_in_at: datetime | None
    open_sessions: int
    invited_until: datetime | None


@dataclass(frozen=True, slots=True)
class NewColleague:
    """Somebody to invite; the login is an e-mail address."""

    login: str
    display_name: str
    roles: Collection[Role]
    trained_until: date | None


async def list_members(session: AsyncSession, actor: Member, *, now: datetime) -> list[MemberRow]:
    """Everybody of the acting admin's agency: those who may sign in first, by name. Raises NotPermitted."""
    require(actor, Permission.KEEP_MEMBERS)
    by_name = (MemberAccount.disabled_at.is_not(None), MemberAccount.display_name, MemberAccount.id)
    return [_row(row) for row in await session.execute(_columns(now).order_by(*by_name))]


async def find_colleague(session: AsyncSession, actor: Member, member_id: UUID, *, now: datetime) -> MemberRow:
    """One of them. Raises NotPermitted, NotFound."""
    require(actor, Permission.KEEP_MEMBERS)
    row = (await session.execute(_columns(now).where(MemberAccount.id == member_id))).one_or_none()
    if row is None:
        raise NotFound(field="member_id")
    return _row(row)


async def invite(session: AsyncSession, actor: Member, new: NewColleague, *, now: datetime) -> tuple[UUID, str]:
    """Add a member, and the code that lets them choose a password, told this once.

    Raises:
        NotPermitted; LoginTaken; InvalidInput: naming the field.
    """
    require(actor, Permission.KEEP_MEMBERS)
    login, member_id, roles = login_of(new.login), uuid4(), _roles(new.roles)
    values = {"id": member_id, "agency_id": actor.agency_id, "login": login, "roles": roles}
    values |= {"display_name": name_of(new.display_name), "trained_until": new.trained_until}
    try:
        async with session.begin_nested():
            await session.execute(insert(MemberAccount).values(values).inline())
    except IntegrityError:
        raise LoginTaken(field="login") from None
    code = await put_invitation(session, actor, member_id, now=now)
    await record(session, Action.MEMBER_CHANGED, "member", member_id, change="invited", roles=roles)
    return member_id, code


async def invite_again(session: AsyncSession, actor: Member, member_id: UUID, *, now: datetime) -> str:
    """A new code for somebody who lost password or authenticator; what they have now works until it is used.

    Raises:
        NotPermitted, NotYourself, NotFound.
    """
    await _another(session, actor, member_id)
    code = await put_invitation(session, actor, member_id, now=now)
    await record(session, Action.MEMBER_CHANGED, "member", member_id, change="invited_again")
    return code


async def change(
    session: AsyncSession, actor: Member, member_id: UUID, roles: Collection[Role], trained_until: date | None
) -> None:
    """Give a member these roles and no others, and say until when their training counts (A8); open sessions follow.

    Raises:
        NotPermitted, NotYourself, NotFound; InvalidInput: no role, or one that is not the admin's to give.
    """
    await _another(session, actor, member_id)
    given = _roles(roles)
    await _update(session, member_id, {"roles": given, "trained_until": trained_until})
    trained = None if trained_until is None else trained_until.isoformat()
    codes = {"change": "changed", "roles": given, "trained_until": trained}
    await record(session, Action.MEMBER_CHANGED, "member", member_id, **codes)


async def disable(session: AsyncSession, actor: Member, member_id: UUID, *, now: datetime) -> None:
    """Let a member in no longer, from the next statement on; their sessions end. Raises as `invite_again`."""
    await _another(session, actor, member_id)
    await _update(session, member_id, {"disabled_at": now})
    ended = await session.scalar(select(func.end_member_sessions(member_id, now)))
    await record(session, Action.MEMBER_CHANGED, "member", member_id, change="disabled", sessions=ended)


async def enable(session: AsyncSession, actor: Member, member_id: UUID) -> None:
    """Let them in again, with the password and the second factor that they had. Raises as `invite_again`."""
    await _another(session, actor, member_id)
    await _update(session, member_id, {"disabled_at": None})
    await record(session, Action.MEMBER_CHANGED, "member", member_id, change="enabled")


async def end_sessions(session: AsyncSession, actor: Member, member_id: UUID, *, now: datetime) -> None:
    """Sign a member out everywhere, programs as well. Raises as `invite_again`."""
    await _another(session, actor, member_id)
    ended = await session.scalar(select(func.end_member_sessions(member_id, now)))
    await record(session, Action.MEMBER_CHANGED, "member", member_id, change="signed_out", sessions=ended)


async def _another(session: AsyncSession, actor: Member, member_id: UUID) -> None:
    require(actor, Permission.KEEP_MEMBERS)
    if member_id == actor.member_id:
        raise NotYourself(field="member_id")
    kept = select(MemberAccount.id).where(MemberAccount.id == member_id).with_for_update()
    # What an admin may not change, such as who administers the network, she cannot lock.
    if await session.scalar(kept) is None:
        raise NotFound(field="member_id")


async def _update(session: AsyncSession, member_id: UUID, values: dict[str, Any]) -> None:
    changed = update(MemberAccount).where(MemberAccount.id == member_id).values(values)
    await session.execute(changed.execution_options(synchronize_session=False))


def _roles(roles: Collection[Role]) -> list[str]:
    if not roles:
        raise InvalidInput(field="roles", detail="Choose at least one.")
    if not set(roles) <= set(GIVEN_BY_ADMINS):
        raise InvalidInput(field="roles", detail="Who administers the network is said on its host alone.")
    return sorted({role.value for role in roles})


def login_of(given: str) -> str:
    """A login as it is kept. Raises InvalidInput: it is no e-mail address."""
    login = given.strip().lower()
    if not _LOGIN.fullmatch(login):
        raise InvalidInput(field="login", detail="Write an e-mail address.")
    return login


def name_of(given: str) -> str:
    """A person's name as it is kept. Raises InvalidInput: there is none, or it is too long."""
    name = " ".join(given.split())
    if not 0 < len(name) <= NAME_LETTERS_MAX:
        raise InvalidInput(field="display_name", detail="Write the name that colleagues use.")
    return name


def _columns(now: datetime) -> Any:
    known = func.agency_accounts(now).table_valued(
        "member_id", "can_sign_in", "has_second_factor", "signed_in_at", "open_sessions", name="known"
    )
    invited = (
        select(func.max(MemberInvitation.expires_at))
        .where(
            MemberInvitation.member_id == MemberAccount.id, MemberInvitation.used_at.is_(None),
            MemberInvitation.ended_at.is_(None), MemberInvitation.expires_at > now,
        )
        .scalar_subquery()
    )  # fmt: skip
    own = (MemberAccount.id, MemberAccount.display_name, MemberAccount.login, MemberAccount.roles)
    return select(
        *own, MemberAccount.trained_until, MemberAccount.disabled_at, known.c.can_sign_in, known.c.has_second_factor,
        known.c.signed_in_at, known.c.open_sessions, invited,
    ).join(known, known.c.member_id == MemberAccount.id)  # fmt: skip


def _row(row: Any) -> MemberRow:
    member_id, name, login, roles, *rest = row
    return MemberRow(member_id, name, login, sorted(map(Role, roles)), *rest)

"""Agencies and members, as the operator adds them on the host and as members see them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyotp
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.database.acting import AgencyKind, Member, Role
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput, NotFound, Refusal
from referralnet.identity.passwords import hash_password
from referralnet.identity.step_up import seal_totp_secret
from referralnet.identity.tables import Agency, MemberAccount, MemberCredential

REGIMES = ("victim_service_provider", "hipaa", "part2", "legal_privilege", "criminal_justice", "general")
"""Confidentiality regimes: VAWA, VOCA and FVPSA; HIPAA; 42 CFR Part 2; privilege; criminal justice; none of them."""


class LoginTaken(Refusal):
    """Somebody has this login already."""

    code = "LOGIN_TAKEN"


class AgencyNameTaken(Refusal):
    """An agency of this name is a member already."""

    code = "AGENCY_NAME_TAKEN"


@dataclass(frozen=True, slots=True)
class AgencyRow:
    """An agency as every member sees it."""

    id: UUID
    name: str
    kind: AgencyKind
    time_zone: str


@dataclass(frozen=True, slots=True)
class NewMember:
    """A member to add. `password` and `totp_secret` (base32) are told to the member apart from each other."""

    agency_id: UUID
    login: str
    display_name: str
    roles: Collection[Role]
    password: str
    totp_secret: str
    trained_until: date | None


async def add_agency(
    session: AsyncSession,
    *,
    name: str,
    kind: AgencyKind,
    regime: str,
    time_zone: str,
) -> UUID:
    """Add an agency to the network (operator).

    Raises:
        AgencyNameTaken, InvalidInput: naming the field.
    """
    if regime not in REGIMES:
        raise InvalidInput(field="regime", detail=f"It is one of {', '.join(REGIMES)}.")
    try:
        ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise InvalidInput(field="time_zone", detail="Use an IANA name such as America/Chicago.") from None
    if await session.scalar(select(Agency.id).where(Agency.name == name)):
        raise AgencyNameTaken(field="name")
    agency_id = uuid4()
    await session.execute(
        insert(Agency).values(id=agency_id, name=name, kind=kind, regime=regime, time_zone=time_zone).inline()
    )
    return agency_id


async def add_member(session: AsyncSession, new: NewMember, *, keyring: Keyring) -> UUID:
    """Add a member with a password and a second factor (operator).

    Raises:
        LoginTaken, PasswordTooWeak, InvalidInput: naming the field.
    """
    login = new.login.strip().lower()
    if not login:
        raise InvalidInput(field="login", detail="It is empty.")
    if not new.roles:
        raise InvalidInput(field="roles", detail="Give at least one.")
    if await session.scalar(select(MemberAccount.id).where(MemberAccount.login == login)):
        raise LoginTaken(field="login")
    if not await session.scalar(select(Agency.id).where(Agency.id == new.agency_id)):
        raise NotFound(field="agency_id")
    password_hash = await asyncio.to_thread(hash_password, new.password)
    member_id = uuid4()
    await session.execute(
        insert(MemberAccount)
        .values(
            id=member_id,
            agency_id=new.agency_id,
            login=login,
            display_name=new.display_name,
            roles=[role.value for role in new.roles],
            trained_until=new.trained_until,
        )
        .inline()
    )
    await session.execute(
        insert(MemberCredential)
        .values(
            member_id=member_id,
            password_hash=password_hash,
            totp_sealed=seal_totp_secret(keyring, member_id, new.totp_secret),
        )
        .inline()
    )
    return member_id


def new_totp_secret() -> str:
    """A random base32 secret for an authenticator."""
    return pyotp.random_base32()


async def member_named(session: AsyncSession, agency_name: str, login: str) -> Member:
    """A member by agency and login, for a command that acts on their behalf (operator); without a second factor.

    Raises:
        NotFound: there is none such, or they are disabled.
    """
    columns = select(MemberAccount.id, MemberAccount.roles, Agency.id, Agency.kind)
    named = columns.join(Agency, Agency.id == MemberAccount.agency_id).where(
        Agency.name == agency_name, Agency.active, MemberAccount.login == login.strip().lower(),
        MemberAccount.disabled_at.is_(None),
    )  # fmt: skip
    row = (await session.execute(named)).one_or_none()
    if row is None:
        raise NotFound(field="login")
    member_id, roles, agency_id, kind = row
    return Member(member_id, agency_id, AgencyKind(kind), frozenset(map(Role, roles)), uuid4(), None)


async def list_agencies(session: AsyncSession) -> list[AgencyRow]:
    """Every active agency, by name."""
    columns = select(Agency.id, Agency.name, Agency.kind, Agency.time_zone).where(Agency.active).order_by(Agency.name)
    return [AgencyRow(row.id, row.name, AgencyKind(row.kind), row.time_zone) for row in await session.execute(columns)]


async def agency(session: AsyncSession, agency_id: UUID) -> AgencyRow:
    """One agency, whether it is active still or not.

    Raises:
        NotFound: there is none.
    """
    columns = select(Agency.id, Agency.name, Agency.kind, Agency.time_zone).where(Agency.id == agency_id)
    row = (await session.execute(columns)).one_or_none()
    if row is None:
        raise NotFound(field="agency_id")
    return AgencyRow(row.id, row.name, AgencyKind(row.kind), row.time_zone)


async def agency_by_name(session: AsyncSession, name: str) -> AgencyRow:
    """One agency by its exact name.

    Raises:
        NotFound: there is none.
    """
    columns = select(Agency.id, Agency.name, Agency.kind, Agency.time_zone).where(Agency.name == name)
    row = (await session.execute(columns)).one_or_none()
    if row is None:
        raise NotFound(field="agency")
    return AgencyRow(row.id, row.name, AgencyKind(row.kind), row.time_zone)


async def agency_names(session: AsyncSession, agency_ids: Collection[UUID]) -> dict[UUID, str]:
    """The names of agencies, of those too that are active no more."""
    rows = await session.execute(select(Agency.id, Agency.name).where(Agency.id.in_(agency_ids)))
    return {row.id: row.name for row in rows}

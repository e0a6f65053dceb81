"""Agencies and members, made quickly: a weak hash costs a fraction of a millisecond and signs in all the same."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pyotp
from argon2 import PasswordHasher
from sqlalchemy import insert, select, update

from referralnet.database.acting import AgencyKind, Member, Operator, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.identity.agencies import add_agency
from referralnet.identity.sessions import SessionKind, open_session
from referralnet.identity.step_up import seal_totp_secret
from referralnet.identity.tables import Agency, MemberAccount, MemberCredential, MemberSession

CLOCK_STARTS_AT = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
"""The instant of the `clock` fixture."""
TRAINED_FOR_EVER = date(2099, 12, 31)
PASSWORD = "correct horse battery"

# Verifying takes its cost from the hash, so a member of this one signs in at once.
WEAK_HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)


@dataclass(frozen=True, slots=True)
class MadeMember:
    """A member with everything a test needs to act or to sign in as them."""

    actor: Member
    """With an open session: pass it to areas' functions and to `Database.transaction`."""
    login: str
    password: str
    totp_secret: str
    token: str
    """A bearer token of the open session."""

    def totp_code(self, now: datetime) -> str:
        """The six digits that the member's authenticator shows at `now`."""
        return pyotp.TOTP(self.totp_secret).at(now)

    @property
    def headers(self) -> dict[str, str]:
        """The header of a request by this member."""
        return {"authorization": f"Bearer {self.token}"}


async def make_agency(
    owner: Database,
    *,
    name: str | None = None,
    kind: AgencyKind = AgencyKind.VICTIM_SERVICES,
    regime: str = "victim_service_provider",
    time_zone: str = "America/Chicago",
) -> UUID:
    """Add an agency; without a name it gets one of its own."""
    async with owner.transaction(Operator()) as session:
        name = name or f"Agency {secrets.token_hex(6)}"
        return await add_agency(session, name=name, kind=kind, regime=regime, time_zone=time_zone)


async def make_member(
    owner: Database,
    keyring: Keyring,
    agency_id: UUID,
    roles: Collection[Role] = (Role.COORDINATOR,),
    *,
    login: str | None = None,
    trained_until: date | None = TRAINED_FOR_EVER,
    now: datetime = CLOCK_STARTS_AT,
    stepped_up_at: datetime | None = None,
    session_kind: SessionKind = SessionKind.API,
) -> MadeMember:
    """Add a member, signed in since `now` as long as the kind of session lasts, stepped up at `stepped_up_at`."""
    member_id, login = uuid4(), login or f"{secrets.token_hex(6)}@example.org"
    totp_secret = pyotp.random_base32()
    async with owner.transaction(Operator()) as session:
        await session.execute(
            insert(MemberAccount)
            .values(
                id=member_id,
                agency_id=agency_id,
                login=login,
                display_name=f"Member {login.partition('@')[0]}",
                roles=[role.value for role in roles],
                trained_until=trained_until,
            )
            .inline()
        )
        await session.execute(
            insert(MemberCredential)
            .values(
                member_id=member_id,
                password_hash=WEAK_HASH,
                totp_sealed=seal_totp_secret(keyring, member_id, totp_secret),
            )
            .inline()
        )
        kind = (await session.scalars(select(Agency.kind).where(Agency.id == agency_id))).one()
        lifetime = timedelta(days=30) if session_kind is SessionKind.API else timedelta(hours=12)
        opened = await open_session(session, member_id, session_kind, lifetime=lifetime, now=now)
    actor = Member(member_id, agency_id, AgencyKind(kind), frozenset(roles), opened.session_id, stepped_up_at)
    if stepped_up_at is not None:
        await _note_step_up(owner, actor)
    return MadeMember(actor, login, PASSWORD, totp_secret, opened.token)


async def _note_step_up(owner: Database, actor: Member) -> None:
    async with owner.transaction(Operator()) as session:
        own = MemberSession.id == actor.session_id
        await session.execute(update(MemberSession).where(own).values(stepped_up_at=actor.stepped_up_at))


async def at_the_desk(database: Database, member: Member, *, now: datetime | None = None) -> Member:
    """The member in a session of its own that proved its second factor just now: each opens a disclosure once."""
    now = now or datetime.now(UTC)
    async with database.transaction(member) as session:
        opened = await open_session(session, member.member_id, SessionKind.API, lifetime=timedelta(days=1), now=now)
        own = MemberSession.id == opened.session_id
        await session.execute(update(MemberSession).where(own).values(stepped_up_at=now))
    return replace(member, session_id=opened.session_id, stepped_up_at=now)

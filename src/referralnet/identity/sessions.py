"""Server-side sessions and bearer tokens: looked up by hash at every request, revocable at once (A3, A6, A7)."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import DateTime, LargeBinary, Uuid, bindparam, insert, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import AgencyKind, Member, Role
from referralnet.database.direct import Direct
from referralnet.identity.tables import MemberSession

# Writing at every request would make each read a write; the idle limit is tens of minutes.
_TOUCH_EVERY = timedelta(minutes=1)


class SessionKind(StrEnum):
    """A person's browser, ended when idle for minutes, or a program's token, ended when idle for days."""

    BROWSER = "browser"
    API = "api"


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A new session; the token is told once and stored nowhere."""

    session_id: UUID
    token: str = field(repr=False)
    expires_at: datetime


def token_hash(token: str) -> bytes:
    """SHA-256 of a token of 256 random bits: nothing to guess, so nothing slower is needed."""
    return hashlib.sha256(token.encode()).digest()


async def open_session(
    session: AsyncSession, member_id: UUID, kind: SessionKind, *, lifetime: timedelta, now: datetime
) -> OpenedSession:
    """Open a session for the member this transaction acts for."""
    opened = OpenedSession(uuid4(), secrets.token_urlsafe(32), now + lifetime)
    await session.execute(
        insert(MemberSession)
        .values(
            id=opened.session_id,
            member_id=member_id,
            kind=kind,
            token_hash=token_hash(opened.token),
            created_at=now,
            last_seen_at=now,
            expires_at=opened.expires_at,
        )
        .inline()
    )
    return opened


@dataclass(frozen=True, slots=True)
class FoundSession:
    """Whom a token speaks for, and when it was last noted that it does."""

    member: Member
    last_seen_at: datetime

    def is_to_be_noted(self, now: datetime) -> bool:
        """Whether its use was last noted longer ago than it is noted how often."""
        return self.last_seen_at < now - _TOUCH_EVERY


_FIND = Direct(
    text("""
        select session_id, member_id, agency_id, agency_kind, roles, stepped_up_at, last_seen_at
          from find_session(:token_hash, :now, :idle_since, :api_idle_since)
    """).bindparams(
        bindparam("token_hash", type_=LargeBinary()),
        *(bindparam(name, type_=DateTime(timezone=True)) for name in ("now", "idle_since", "api_idle_since")),
    )
)


async def find_member(
    asking: AsyncConnection, token: str, *, idle: timedelta, api_idle: timedelta, now: datetime
) -> FoundSession | None:
    """Whom a token speaks for, right now: None when unknown, ended, idle too long, or the member is disabled.

    One statement, asked by nobody; whoever uses the session notes that (`note_use`).
    """
    idle_since, api_idle_since = now - idle, now - api_idle
    row = await _FIND.first_alone(
        asking, token_hash=token_hash(token), now=now, idle_since=idle_since, api_idle_since=api_idle_since
    )
    if row is None:
        return None
    member = Member(
        member_id=row["member_id"],
        agency_id=row["agency_id"],
        agency_kind=AgencyKind(row["agency_kind"]),
        roles=frozenset(Role(role) for role in row["roles"]),
        session_id=row["session_id"],
        stepped_up_at=row["stepped_up_at"],
    )
    return FoundSession(member, row["last_seen_at"])


_NOTE = Direct(
    text("update member_session set last_seen_at = :now where id = :id and last_seen_at < :noted_before").bindparams(
        bindparam("id", type_=Uuid()),
        *(bindparam(name, type_=DateTime(timezone=True)) for name in ("now", "noted_before")),
    )
)


async def note_use(session: AsyncSession, actor: Member, *, now: datetime) -> None:
    """Note that the actor's session is in use, which keeps it from being idle."""
    await _NOTE.all(session, id=actor.session_id, now=now, noted_before=now - _TOUCH_EVERY)


async def revoke(session: AsyncSession, actor: Member, *, now: datetime) -> None:
    """End the session this request came with."""
    await session.execute(update(MemberSession).where(MemberSession.id == actor.session_id).values(revoked_at=now))
    await record(session, Action.SIGNED_OUT, "member_session", actor.session_id)

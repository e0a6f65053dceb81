"""Server-side sessions and bearer tokens: looked up by hash at every request, revocable at once (A3, A6, A7)."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import DateTime, LargeBinary, bindparam, insert, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import AgencyKind, Member, Role
from referralnet.database.direct import Direct
from referralnet.identity.tables import MemberSession

# Writing at every request would make each read a write; the idle limit is tens of minutes.
_NOTED_EVERY = timedelta(minutes=1)


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


_FIND = Direct(
    text("""
        select session_id, member_id, agency_id, agency_kind, roles, stepped_up_at
          from find_session(:token_hash, :now, :idle_since, :api_idle_since, :noted_before)
    """).bindparams(
        bindparam("token_hash", type_=LargeBinary()),
        *(
            bindparam(name, type_=DateTime(timezone=True))
            for name in ("now", "idle_since", "api_idle_since", "noted_before")
        ),
    )
)


async def find_member(
    asking: AsyncConnection, token: str, *, idle: timedelta, api_idle: timedelta, now: datetime, in_use: bool = True
) -> Member | None:
    """Whom a token speaks for, right now: None when unknown, ended, idle too long, or the member is disabled.

    One statement, asked by nobody. That the session is in use is noted with it, unless this is no use of it.
    """
    row = await _FIND.first_alone(
        asking,
        token_hash=token_hash(token),
        now=now,
        idle_since=now - idle,
        api_idle_since=now - api_idle,
        noted_before=now - _NOTED_EVERY if in_use else None,
    )
    if row is None:
        return None
    return Member(
        member_id=row["member_id"],
        agency_id=row["agency_id"],
        agency_kind=AgencyKind(row["agency_kind"]),
        roles=frozenset(Role(role) for role in row["roles"]),
        session_id=row["session_id"],
        stepped_up_at=row["stepped_up_at"],
    )


async def revoke(session: AsyncSession, actor: Member, *, now: datetime) -> None:
    """End the session this request came with."""
    await session.execute(update(MemberSession).where(MemberSession.id == actor.session_id).values(revoked_at=now))
    await record(session, Action.SIGNED_OUT, "member_session", actor.session_id)

"""Server-side sessions and bearer tokens: looked up by hash at every request, revocable at once (A3, A6, A7)."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import AgencyKind, Member, Role
from referralnet.database.transactions import act_as_member
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


async def find_member(
    session: AsyncSession, token: str, *, idle: timedelta, api_idle: timedelta, now: datetime, in_use: bool = True
) -> Member | None:
    """Whom a token speaks for, right now: None when unknown, ended, idle too long, or the member is disabled.

    That the session is `in_use` is noted, and from there on the transaction acts for its member.
    """
    found = func.find_session(token_hash(token), now, now - idle, now - api_idle).table_valued(
        "session_id", "member_id", "agency_id", "agency_kind", "roles", "stepped_up_at", "last_seen_at"
    )
    row = (await session.execute(select(found))).one_or_none()
    if row is None:
        return None
    actor = Member(
        member_id=row.member_id,
        agency_id=row.agency_id,
        agency_kind=AgencyKind(row.agency_kind),
        roles=frozenset(Role(role) for role in row.roles),
        session_id=row.session_id,
        stepped_up_at=row.stepped_up_at,
    )
    if in_use and row.last_seen_at < now - _TOUCH_EVERY:
        await _touch(session, actor, now)
    return actor


async def _touch(session: AsyncSession, actor: Member, now: datetime) -> None:
    await act_as_member(session, actor.member_id)
    await session.execute(
        update(MemberSession)
        .where(MemberSession.id == actor.session_id, MemberSession.last_seen_at < now - _TOUCH_EVERY)
        .values(last_seen_at=now)
    )


async def revoke(session: AsyncSession, actor: Member, *, now: datetime) -> None:
    """End the session this request came with."""
    await session.execute(update(MemberSession).where(MemberSession.id == actor.session_id).values(revoked_at=now))
    await record(session, Action.SIGNED_OUT, "member_session", actor.session_id)

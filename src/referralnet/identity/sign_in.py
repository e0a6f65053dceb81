"""Signing in with a login and a password; the answer is the same for a wrong password and an unknown login (A7)."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.transactions import act_as_member
from referralnet.encryption.keyring import Keyring
from referralnet.encryption.lookup import lookup_hash
from referralnet.errors import Refusal
from referralnet.identity.passwords import verify_password
from referralnet.identity.sessions import OpenedSession, SessionKind, open_session
from referralnet.identity.tables import SignInAttempt

FAILURES_MAX = 8
FAILURES_WITHIN = timedelta(minutes=15)


class SignInRefused(Refusal):
    """The login or the password is not right."""

    code = "SIGN_IN_REFUSED"


class TooManyAttempts(Refusal):
    """Too many attempts. Wait 15 minutes, then try again."""

    code = "TOO_MANY_ATTEMPTS"


async def sign_in(
    session: AsyncSession,
    login: str,
    password: str,
    kind: SessionKind,
    *,
    lifetime: timedelta,
    keyring: Keyring,
    now: datetime,
) -> OpenedSession | Refusal:
    """Open a session, or say why not.

    A refusal is returned and not raised: the attempt must be committed with it, or guessing would cost nothing.
    """
    login = login.strip().lower()
    lookup = lookup_hash(keyring, "login", login)
    if await _failures(session, lookup, now) >= FAILURES_MAX:
        return TooManyAttempts()
    found = func.find_credential(login).table_valued("member_id", "password_hash")
    credential = (await session.execute(select(found))).one_or_none()
    fits = await verify_password(credential.password_hash if credential else None, password)
    await session.execute(
        insert(SignInAttempt).values(login_lookup=lookup, at=now, succeeded=fits and credential is not None).inline()
    )
    if credential is None or not fits:
        return SignInRefused()
    await act_as_member(session, credential.member_id)
    opened = await open_session(session, credential.member_id, kind, lifetime=lifetime, now=now)
    await record(session, Action.SIGNED_IN, "member_session", opened.session_id, kind=kind)
    return opened


async def _failures(session: AsyncSession, lookup: bytes, now: datetime) -> int:
    """Failures in the window since the last success, so that a right password ends the count."""
    last_success = (
        select(func.max(SignInAttempt.at))
        .where(SignInAttempt.login_lookup == lookup, SignInAttempt.succeeded)
        .scalar_subquery()
    )
    failures = select(func.count()).where(
        SignInAttempt.login_lookup == lookup,
        ~SignInAttempt.succeeded,
        SignInAttempt.at > now - FAILURES_WITHIN,
        SignInAttempt.at > func.coalesce(last_success, now - FAILURES_WITHIN),
    )
    return (await session.scalar(failures)) or 0

"""Signing in with a login and a password; the answer is the same for a wrong password and an unknown login (A7)."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.transactions import act_as_member
from referralnet.encryption.keyring import Keyring
from referralnet.encryption.lookup import lookup_hash
from referralnet.errors import Refusal
from referralnet.identity.attempts import TooManyAttempts, note_attempt, too_many_failures
from referralnet.identity.passwords import verify_password
from referralnet.identity.sessions import OpenedSession, SessionKind, open_session


class SignInRefused(Refusal):
    """The login or the password is not right."""

    code = "SIGN_IN_REFUSED"


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
    if await too_many_failures(session, lookup, now=now):
        return TooManyAttempts()
    found = func.find_credential(login).table_valued("member_id", "password_hash")
    credential = (await session.execute(select(found))).one_or_none()
    fits = await verify_password(credential.password_hash if credential else None, password)
    await note_attempt(session, lookup, succeeded=fits and credential is not None, now=now)
    if credential is None or not fits:
        return SignInRefused()
    await act_as_member(session, credential.member_id)
    opened = await open_session(session, credential.member_id, kind, lifetime=lifetime, now=now)
    await record(session, Action.SIGNED_IN, "member_session", opened.session_id, kind=kind)
    return opened

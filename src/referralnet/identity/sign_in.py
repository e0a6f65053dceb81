"""Signing in with a login and a password; the answer is the same for a wrong password and an unknown login (A7)."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Nobody
from referralnet.database.transactions import Database, act_as_member
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
    database: Database,
    login: str,
    password: str,
    kind: SessionKind,
    *,
    lifetime: timedelta,
    keyring: Keyring,
    now: datetime,
) -> OpenedSession | Refusal:
    """Open a session, or say why not.

    Two transactions of its own, because nobody may hold a connection while the hash is worked out: eight who sign in
    at once would leave none for anybody else. The try is written down as a failure first, so that many guesses at
    once cannot all be made before one of them counts.
    """
    login = login.strip().lower()
    lookup = lookup_hash(keyring, "login", login)
    async with database.transaction(Nobody()) as session:
        if await too_many_failures(session, lookup, now=now):
            return TooManyAttempts()
        await note_attempt(session, lookup, succeeded=False, now=now)
        found = func.find_credential(login).table_valued("member_id", "password_hash")
        credential = (await session.execute(select(found))).one_or_none()
    fits = await verify_password(credential.password_hash if credential else None, password)
    if credential is None or not fits:
        return SignInRefused()
    async with database.transaction(Nobody()) as session:
        await act_as_member(session, credential.member_id)
        await note_attempt(session, lookup, succeeded=True, now=now)
        opened = await open_session(session, credential.member_id, kind, lifetime=lifetime, now=now)
        await record(session, Action.SIGNED_IN, "member_session", opened.session_id, kind=kind)
    return opened

"""A fresh second factor before identity or a confidential address is shown (A5): TOTP, RFC 6238."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pyotp
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member
from referralnet.encryption.keyring import Keyring
from referralnet.encryption.lookup import lookup_hash
from referralnet.encryption.sealing import open_sealed, seal
from referralnet.errors import Refusal
from referralnet.identity.attempts import TooManyAttempts, note_attempt, too_many_failures
from referralnet.identity.tables import MemberCredential, MemberSession

FRESH_FOR = timedelta(minutes=5)
_STEP_SECONDS = 30


class StepUpNeeded(Refusal):
    """Enter the six-digit code of your authenticator first; it opens identity for five minutes."""

    code = "STEP_UP_NEEDED"


class StepUpRefused(Refusal):
    """The code is not right, or was used before. Wait for the next one."""

    code = "STEP_UP_REFUSED"


def require_fresh(actor: Member, now: datetime) -> None:
    """Raise StepUpNeeded unless this session proved its second factor within the last five minutes."""
    if actor.stepped_up_at is None or now - actor.stepped_up_at > FRESH_FOR:
        raise StepUpNeeded


def seal_totp_secret(keyring: Keyring, member_id: UUID, secret: str) -> bytes:
    """Seal a base32 TOTP secret for its member's row."""
    return seal(keyring.derive("totp"), secret, f"member_credential.totp_sealed:{member_id}")


async def step_up(
    session: AsyncSession, actor: Member, code: str, *, keyring: Keyring, now: datetime
) -> datetime | Refusal:
    """Check a six-digit code, once: until when identity may be shown, or why not.

    A refusal is returned and not raised: the attempt and its row in the trail are committed with it, so that six digits
    cannot be guessed.
    """
    credential = (
        await session.execute(
            select(MemberCredential.totp_sealed, MemberCredential.totp_last_step)
            .where(MemberCredential.member_id == actor.member_id)
            .with_for_update()
        )
    ).one_or_none()
    lookup = lookup_hash(keyring, "step_up", str(actor.member_id))
    if await too_many_failures(session, lookup, now=now):
        return await _refuse(session, actor, TooManyAttempts(field="code"))
    step = _step_of(credential, actor, code, keyring, now)
    await note_attempt(session, lookup, succeeded=step is not None, now=now)
    if step is None:
        return await _refuse(session, actor, StepUpRefused(field="code"))
    await session.execute(
        update(MemberCredential).where(MemberCredential.member_id == actor.member_id).values(totp_last_step=step)
    )
    await session.execute(update(MemberSession).where(MemberSession.id == actor.session_id).values(stepped_up_at=now))
    await record(session, Action.STEPPED_UP, "member_session", actor.session_id)
    return now + FRESH_FOR


async def _refuse(session: AsyncSession, actor: Member, refusal: Refusal) -> Refusal:
    await record(session, Action.ATTEMPT_REFUSED, "member", actor.member_id, operation="step_up", code=refusal.code)
    return refusal


def _step_of(credential: Any, actor: Member, code: str, keyring: Keyring, now: datetime) -> int | None:
    """The step of a right code that was not used before, or None."""
    if credential is None or credential.totp_sealed is None:
        return None
    place = f"member_credential.totp_sealed:{actor.member_id}"
    secret = open_sealed(keyring.derive("totp"), credential.totp_sealed, place)
    step = matching_step(secret, code.strip(), now)
    return step if step is not None and step > credential.totp_last_step else None


def matching_step(secret: str, code: str, now: datetime) -> int | None:
    """Of a base32 secret the 30-second step the code belongs to, this one or a neighbour (clocks differ), or None."""
    totp = pyotp.TOTP(secret)
    present = int(now.timestamp()) // _STEP_SECONDS
    for step in (present, present - 1, present + 1):
        if pyotp.utils.strings_equal(totp.at(step * _STEP_SECONDS), code):
            return step
    return None

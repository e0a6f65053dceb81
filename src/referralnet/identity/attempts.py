"""Tries to prove who one is, counted by a keyed hash of whom they were for: guessing must not pay (A7)."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.errors import Refusal
from referralnet.identity.tables import SignInAttempt

FAILURES_MAX = 8
FAILURES_WITHIN = timedelta(minutes=15)


class TooManyAttempts(Refusal):
    """Too many attempts. Wait 15 minutes, then try again."""

    code = "TOO_MANY_ATTEMPTS"


async def too_many_failures(session: AsyncSession, lookup: bytes, *, now: datetime) -> bool:
    """Whether the window is used up, counted since the last success: a right answer ends the count."""
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
    return ((await session.scalar(failures)) or 0) >= FAILURES_MAX


async def note_attempt(session: AsyncSession, lookup: bytes, *, succeeded: bool, now: datetime) -> None:
    """Write one try down; it counts once this transaction is committed."""
    await session.execute(insert(SignInAttempt).values(login_lookup=lookup, at=now, succeeded=succeeded).inline())

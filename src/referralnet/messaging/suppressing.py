"""Numbers that may not be texted: one list for the network, readable by no agency (M4, M8)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.encryption.keyring import Keyring
from referralnet.encryption.lookup import lookup_hash
from referralnet.messaging.outbox import Claim
from referralnet.messaging.tables import Suppression


async def suppress(session: AsyncSession, phone_lookup: bytes, *, via: str, now: datetime) -> bool:
    """Text this number no more, whoever holds it in custody.

    Returns:
        whether it was not suppressed already.
    """
    added = insert(Suppression).values(phone_lookup=phone_lookup, since=now, via=via).on_conflict_do_nothing()
    return await session.scalar(added.returning(Suppression.since)) is not None


async def lift(session: AsyncSession, phone_lookup: bytes) -> None:
    """Allow texts to this number again: it wrote START. Plans that were paused stay paused until a person has asked."""
    await session.execute(delete(Suppression).where(Suppression.phone_lookup == phone_lookup))


async def is_suppressed(session: AsyncSession, phone_lookup: bytes) -> bool:
    """Whether this number may not be texted."""
    return bool(await session.scalar(select(exists().where(Suppression.phone_lookup == phone_lookup))))


async def suppress_number_of(session: AsyncSession, claim: Claim, *, keyring: Keyring, now: datetime) -> None:
    """Store an opt-out that the carrier told us of when it refused a text (M8)."""
    await suppress(session, lookup_hash(keyring, "phone", claim.to), via="carrier", now=now)

"""Numbers that may not be texted: one list for the network, readable by no agency (M4, M8)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, exists, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.encryption.keyring import Keyring
from referralnet.encryption.lookup import lookup_hash
from referralnet.messaging.outbox import Claim
from referralnet.messaging.tables import InboundText, Suppression

_UNREAD = "unread"
"""Nobody said STOP: a text waits that may say so, and fails to be handled."""


async def suppress(session: AsyncSession, phone_lookup: bytes, *, via: str, now: datetime) -> bool:
    """Text this number no more, whoever holds it in custody.

    Args:
        now: when it was said. A START that was written before does not lift it, however late it is read.

    Returns:
        whether it was not said already.
    """
    mine = select(Suppression.via).where(Suppression.phone_lookup == phone_lookup)
    was_unread = await session.scalar(mine.with_for_update()) == _UNREAD
    adding = insert(Suppression).values(phone_lookup=phone_lookup, since=now, via=via)
    since = func.greatest(Suppression.since, adding.excluded.since)
    kept = adding.on_conflict_do_update(
        index_elements=[Suppression.phone_lookup],
        set_={"since": since, "via": adding.excluded.via if was_unread else Suppression.via},
    )
    # The row has no earlier version where it was added just now.
    added = await session.scalar(kept.returning(text("xmax = 0")))
    return was_unread or bool(added)


async def lift(session: AsyncSession, phone_lookup: bytes, *, written_at: datetime) -> None:
    """Allow texts to this number again: it wrote START. Plans that were paused stay paused until a person has asked."""
    before = (Suppression.phone_lookup == phone_lookup, Suppression.since <= written_at, Suppression.via != _UNREAD)
    await session.execute(delete(Suppression).where(*before))


async def hold_while_unread(session: AsyncSession, phone_lookup: bytes, *, now: datetime) -> None:
    """Text this number no more until the text that came from it is handled: it may be one that stops texts."""
    holding = insert(Suppression).values(phone_lookup=phone_lookup, since=now, via=_UNREAD).on_conflict_do_nothing()
    await session.execute(holding)


async def end_hold(session: AsyncSession, phone_lookup: bytes) -> None:
    """All texts that came from this number are handled: what they said holds, and nothing beside it."""
    waits = exists().where(InboundText.from_lookup == phone_lookup, InboundText.handled_at.is_(None))
    held = delete(Suppression).where(Suppression.phone_lookup == phone_lookup, Suppression.via == _UNREAD, ~waits)
    await session.execute(held)


async def is_suppressed(session: AsyncSession, phone_lookup: bytes) -> bool:
    """Whether this number may not be texted."""
    return bool(await session.scalar(select(exists().where(Suppression.phone_lookup == phone_lookup))))


async def suppress_number_of(session: AsyncSession, claim: Claim, *, keyring: Keyring, now: datetime) -> None:
    """Store an opt-out that the carrier told us of when it refused a text (M8)."""
    await suppress(session, lookup_hash(keyring, "phone", claim.to), via="carrier", now=now)

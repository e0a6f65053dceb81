"""Moving data keys to the wrapping key in use while everybody works, and retiring the old one (P4)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from referralnet.database.tables import Base
from referralnet.encryption.data_keys import StoredDataKey
from referralnet.encryption.keyring import Keyring, WrappedKey

FIRST = UUID(int=0)


class KeyStillNeeded(Exception):
    """Data keys are wrapped with this key: retiring it would erase what they seal."""


class RetiredWrappingKey(Base):
    """A wrapping key under which nothing may be stored any more."""

    __tablename__ = "retired_wrapping_key"
    __table_args__ = ({"schema": "keystore"},)

    id: Mapped[str] = mapped_column(primary_key=True)
    retired_at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class Batch:
    """What one batch did: it goes on after `last`; `last` is None at the end."""

    looked_at: int
    rewrapped: int
    last: UUID | None


async def keys_by_wrapping_key(session: AsyncSession) -> dict[str, int]:
    """How many data keys hang on each wrapping key; destroyed ones hang on none."""
    counted = select(StoredDataKey.wrapping_key_id, func.count()).where(StoredDataKey.wrapped.is_not(None))
    rows = await session.execute(counted.group_by(StoredDataKey.wrapping_key_id))
    return {row[0]: row[1] for row in rows}


async def rewrap_batch(session: AsyncSession, keyring: Keyring, *, after: UUID = FIRST, keys_max: int = 500) -> Batch:
    """Wrap up to `keys_max` data keys anew, by id after `after`, as the owner role. Commit each batch.

    Nothing is locked while keys are opened and wrapped. Each is written only where it still stands as it was read: one
    that was destroyed meanwhile stays destroyed.

    Raises:
        KeyringUnusable: a key hangs on a wrapping key that is not on the ring; nothing of this batch is written.
    """
    current = keyring.current_key_id
    waiting = select(StoredDataKey.id, StoredDataKey.wrapping_key_id, StoredDataKey.wrapped).where(
        StoredDataKey.wrapping_key_id != current, StoredDataKey.wrapped.is_not(None), StoredDataKey.id > after
    )
    rows = (await session.execute(waiting.order_by(StoredDataKey.id).limit(keys_max))).all()
    if not rows:
        return Batch(0, 0, None)
    olds = [WrappedKey(row.wrapping_key_id, row.wrapped or b"") for row in rows]
    keys = await asyncio.gather(*(keyring.unwrap(row.id, old) for row, old in zip(rows, olds, strict=True)))
    news = await asyncio.gather(*(keyring.wrap(key) for key in keys))
    written = await session.execute(
        text("""
            update keystore.data_key set wrapped = given.new, wrapping_key_id = given.new_id
            from unnest(cast(:ids as uuid[]), cast(:olds as bytea[]), cast(:news as bytea[]), cast(:new_ids as text[]))
              as given (id, old, new, new_id)
            where data_key.id = given.id and data_key.wrapped = given.old
        """),
        {
            "ids": [row.id for row in rows],
            "olds": [old.ciphertext for old in olds],
            "news": [new.ciphertext for new in news],
            "new_ids": [new.wrapping_key_id for new in news],
        },
    )
    return Batch(len(rows), written.rowcount, rows[-1].id)  # type: ignore[attr-defined]


async def retire_wrapping_key(session: AsyncSession, key_id: str, *, now: datetime) -> None:
    """From the commit on, no data key can be stored under this wrapping key. Then take it off the ring.

    Waits for whoever is storing a data key, so that none slips in behind the count.

    Raises:
        KeyStillNeeded: saying how many data keys hang on it.
    """
    retired = insert(RetiredWrappingKey).values(id=key_id, retired_at=now)
    await session.execute(retired.on_conflict_do_nothing())
    await session.execute(text("lock table keystore.data_key in share mode"))
    needed = await session.scalar(
        select(func.count()).where(StoredDataKey.wrapping_key_id == key_id, StoredDataKey.wrapped.is_not(None))
    )
    if needed:
        raise KeyStillNeeded(
            f"{needed} data keys are wrapped with {key_id!r}: `referralnet keyring rewrap` moves them, then retire it"
        )

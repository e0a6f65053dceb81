"""Data keys: one per survivor, one per release, stored wrapped in a schema of their own, destroyed to erase."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from referralnet.database.tables import Base
from referralnet.encryption.keyring import Keyring, WrappedKey
from referralnet.encryption.sealing import DataKey
from referralnet.errors import Refusal


class KeyPurpose(StrEnum):
    """Whose fields a data key seals."""

    SURVIVOR = "survivor"
    RELEASE = "release"


class KeyGone(Refusal):
    """What this key sealed can no longer be read: it was destroyed, or is not yours to use."""

    code = "KEY_GONE"


class StoredDataKey(Base):
    """A wrapped data key; `wrapped` is null once it is destroyed."""

    __tablename__ = "data_key"
    __table_args__ = ({"schema": "keystore"},)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    purpose: Mapped[str]
    wrapping_key_id: Mapped[str]
    wrapped: Mapped[bytes | None]
    created_at: Mapped[datetime]
    destroyed_at: Mapped[datetime | None]


async def create_data_key(
    session: AsyncSession, keyring: Keyring, *, agency_id: UUID, purpose: KeyPurpose, now: datetime
) -> DataKey:
    """Make a random 256-bit key and store it wrapped, in the custody of `agency_id`."""
    key = DataKey(uuid4(), secrets.token_bytes(32))
    wrapped = await keyring.wrap(key)
    await session.execute(
        insert(StoredDataKey).values(
            id=key.id,
            agency_id=agency_id,
            purpose=purpose,
            wrapping_key_id=wrapped.wrapping_key_id,
            wrapped=wrapped.ciphertext,
            created_at=now,
        )
    )
    return key


async def load_data_key(session: AsyncSession, keyring: Keyring, data_key_id: UUID) -> DataKey:
    """Unwrap a stored key, where row security lets this actor see it.

    Raises:
        KeyGone: destroyed, or not visible to this actor.
    """
    columns = select(StoredDataKey.wrapping_key_id, StoredDataKey.wrapped)
    row = (await session.execute(columns.where(StoredDataKey.id == data_key_id))).one_or_none()
    if row is None or row.wrapped is None:
        raise KeyGone
    return await keyring.unwrap(data_key_id, WrappedKey(row.wrapping_key_id, row.wrapped))


async def load_data_keys(
    session: AsyncSession, keyring: Keyring, data_key_ids: Collection[UUID]
) -> dict[UUID, DataKey]:
    """Unwrap several keys with one statement; those destroyed or not visible to this actor are left out."""
    columns = select(StoredDataKey.id, StoredDataKey.wrapping_key_id, StoredDataKey.wrapped)
    present = columns.where(StoredDataKey.id.in_(data_key_ids), StoredDataKey.wrapped.is_not(None))
    rows = (await session.execute(present)).all()
    # At once: where a service holds the wrapping key, one after another would take as long as all together.
    keys = await asyncio.gather(*(keyring.unwrap(row.id, WrappedKey(row.wrapping_key_id, row.wrapped)) for row in rows))
    return {key.id: key for key in keys}


async def destroy_data_key(session: AsyncSession, data_key_id: UUID, *, now: datetime) -> None:
    """Forget a key: what it sealed is unreadable from the commit on. A destroyed key stays as it is.

    Raises:
        KeyGone: not visible to this actor: nobody may believe it destroyed while it is not.
    """
    destroyed_at = func.coalesce(StoredDataKey.destroyed_at, now)
    found = await session.scalar(
        update(StoredDataKey)
        .where(StoredDataKey.id == data_key_id)
        .values(wrapped=None, destroyed_at=destroyed_at)
        .returning(StoredDataKey.id)
    )
    if found is None:
        raise KeyGone

"""Sealing by field under the survivor's own key, each value bound to its table, column and row (P4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, overload
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from referralnet.encryption.data_keys import load_data_key
from referralnet.encryption.keyring import Keyring
from referralnet.encryption.sealing import DataKey, open_sealed, seal
from referralnet.errors import NotFound
from referralnet.survivors.tables import Survivor


def place(column: InstrumentedAttribute[Any], row_id: UUID) -> str:
    """Where a sealed value stands: it opens nowhere else."""
    return f"{column.class_.__tablename__}.{column.key}:{row_id}"


@overload
def seal_field(key: DataKey, column: InstrumentedAttribute[Any], row_id: UUID, value: str) -> bytes: ...
@overload
def seal_field(key: DataKey, column: InstrumentedAttribute[Any], row_id: UUID, value: None) -> None: ...
@overload
def seal_field(key: DataKey, column: InstrumentedAttribute[Any], row_id: UUID, value: str | None) -> bytes | None: ...
def seal_field(key: DataKey, column: InstrumentedAttribute[Any], row_id: UUID, value: str | None) -> bytes | None:
    """Seal a value for one column of one row; none stays none."""
    return None if value is None else seal(key, value, place(column, row_id))


@overload
def open_field(key: DataKey, column: InstrumentedAttribute[Any], row_id: UUID, sealed: bytes) -> str: ...
@overload
def open_field(key: DataKey, column: InstrumentedAttribute[Any], row_id: UUID, sealed: bytes | None) -> str | None: ...
def open_field(key: DataKey, column: InstrumentedAttribute[Any], row_id: UUID, sealed: bytes | None) -> str | None:
    """Open what `seal_field` made.

    Raises:
        SealBroken: it was altered, or moved here from another row or column.
    """
    return None if sealed is None else open_sealed(key, sealed, place(column, row_id))


async def load_survivor_key(session: AsyncSession, keyring: Keyring, survivor_id: UUID) -> DataKey:
    """The key of a survivor in the acting agency's custody.

    Raises:
        NotFound: there is no such survivor in this custody.
        KeyGone: the survivor was erased.
    """
    key_id = await session.scalar(select(Survivor.data_key_id).where(Survivor.id == survivor_id))
    if key_id is None:
        raise NotFound(field="survivor_id")
    return await load_data_key(session, keyring, key_id)


@dataclass(frozen=True, slots=True)
class HeldRecord:
    """A survivor whose record is about to change: locked, so that two people who change it do so one after another."""

    id: UUID
    agency_id: UUID
    key: DataKey


async def hold_survivor(session: AsyncSession, keyring: Keyring, survivor_id: UUID) -> HeldRecord:
    """Lock a survivor of the acting agency's custody until the transaction ends, with her key.

    Raises:
        NotFound: there is no such survivor in this custody.
        KeyGone: the survivor was erased.
    """
    owned = select(Survivor.agency_id, Survivor.data_key_id).where(Survivor.id == survivor_id)
    row = (await session.execute(owned.with_for_update(key_share=True))).one_or_none()
    if row is None:
        raise NotFound(field="survivor_id")
    return HeldRecord(survivor_id, row.agency_id, await load_data_key(session, keyring, row.data_key_id))

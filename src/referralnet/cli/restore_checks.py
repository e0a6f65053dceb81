"""What a restored database is asked in a drill: does everything open that should, and nothing that should not?"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.chain import verify_trail
from referralnet.database.acting import Dispatcher, Operator
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring, WrappedKey
from referralnet.encryption.sealing import DataKey, SealBroken, key_id_of, open_sealed
from referralnet.messaging.claiming import NETWORK_KEY
from referralnet.messaging.permit import may_send
from referralnet.messaging.receiving import INBOUND_KEY

_NETWORK_KEYS = ("totp", INBOUND_KEY, NETWORK_KEY)
# A value is sealed for its table, column and row. Those of histories stand elsewhere than where they were sealed.
_PLACES = {
    "survivor_note.text_sealed": "case when moved then concat('survivor.safety_note_sealed:', survivor_id)"
    " else concat('survivor_note.text_sealed:', id) end",
    "contact_plan_version.phone_sealed": "concat('contact_plan.phone_sealed:', contact_plan_id)",
    "contact_plan_version.code_phrase_sealed": "concat('contact_plan.code_phrase_sealed:', contact_plan_id)",
    "survivor_correction.value_sealed": "concat('survivor.', field, '_sealed:', survivor_id)",
    "disclosure_item.sealed": "concat('disclosure_item.sealed:', disclosure_id, '/', category)",
}


@dataclass
class Fields:
    """Sealed fields, counted: of survivors and releases, and of the network itself (second factors, inbound texts)."""

    opened: int = 0
    shut: int = 0
    """Their key is destroyed, or not here."""
    network: int = 0
    broken: list[str] = field(default_factory=list)


async def open_fields(superuser: Database, keyring: Keyring, *, rows_max: int) -> Fields:
    """Try to open every sealed field, of at most `rows_max` rows for each column."""
    found, network = Fields(), {key.id: key for key in map(keyring.derive, _NETWORK_KEYS)}
    async with superuser.transaction(Operator()) as session:
        has_keys = bool(await session.scalar(text("select to_regclass('keystore.data_key') is not null")))
        async for place, value in _sealed_values(session, rows_max):
            key_id = key_id_of(value)
            key = network.get(key_id) or (await _unwrapped(session, keyring, key_id) if has_keys else None)
            _count(found, key, place, value, of_network=key_id in network)
    return found


def _count(found: Fields, key: DataKey | None, place: str, value: bytes, *, of_network: bool) -> None:
    if key is None:
        found.shut += 1
        return
    try:
        open_sealed(key, value, place)
    except SealBroken as error:
        found.broken.append(f"{place}: {error}")
        return
    found.network += of_network
    found.opened += not of_network


async def broken_chains(owner: Database) -> tuple[int, list[str]]:
    """Links of the audit trail that hold, and a line for each chain that does not."""
    async with owner.transaction(Operator()) as session:
        held, broken = await verify_trail(session)
    return held, [f"agency {link.agency_id}, link {link.position}: {link.reason}" for link in broken]


async def texts_are_held(worker: Database) -> bool:
    """Whether no text could leave from here (M11)."""
    async with worker.transaction(Dispatcher()) as session:
        return not await may_send(session)


async def _unwrapped(session: AsyncSession, keyring: Keyring, key_id: UUID) -> DataKey | None:
    query = text("select wrapping_key_id, wrapped from keystore.data_key where id = :id")
    row = (await session.execute(query, {"id": key_id})).one_or_none()
    if row is None or row.wrapped is None:
        return None
    return await keyring.unwrap(key_id, WrappedKey(row.wrapping_key_id, row.wrapped))


async def _sealed_values(session: AsyncSession, rows_max: int) -> AsyncIterator[tuple[str, bytes]]:
    """Each sealed value with the place it was sealed for, from every column that is named as sealed."""
    columns = await session.execute(
        text(r"""
            select sealed.table_name, sealed.column_name, min(attname) as id_name
            from information_schema.columns sealed
              left join pg_constraint on conrelid = to_regclass(format('public.%I', sealed.table_name))
                and contype = 'p'
              left join pg_attribute on attrelid = conrelid and attnum = conkey[1]
            where sealed.table_schema = 'public' and sealed.column_name ~ '(^|_)sealed$' and data_type = 'bytea'
            group by sealed.table_name, sealed.column_name order by 1, 2
        """)
    )
    for table, column, id_name in columns.all():
        # Where the data was restored alone, it has no primary keys yet, and nothing is opened there.
        place = _PLACES.get(f"{table}.{column}", f"concat('{table}.{column}:', {id_name or 'null'})")
        # Names come from the catalogue, expressions from this file.
        rows = await session.execute(
            text(f"select {place}, {column} from {table} where {column} is not null limit :max"),  # noqa: S608
            {"max": rows_max},
        )
        for sealed_for, value in rows:
            yield sealed_for, value

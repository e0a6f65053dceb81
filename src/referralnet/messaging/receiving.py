"""What the webhook keeps of a verified request: sealed, and unreadable to the process that keeps it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.encryption.keyring import Keyring
from referralnet.encryption.lookup import lookup_hash
from referralnet.encryption.sealing import open_sealed, seal
from referralnet.messaging.carriers import Report, Written
from referralnet.messaging.tables import CarrierCallback, InboundText

INBOUND_KEY = "inbound texts"
"""The keyring derives the key of what came in under this name: whose it is, is known only once it is read."""


async def keep_inbound(session: AsyncSession, keyring: Keyring, written: Written, *, now: datetime) -> None:
    """Store a text that came in; the same one a second time changes nothing."""
    inbound_id, key = uuid4(), keyring.derive(INBOUND_KEY)
    values = {
        "id": inbound_id,
        "carrier_sid": written.carrier_sid,
        "from_lookup": lookup_hash(keyring, "phone", written.number),
        "from_sealed": seal(key, written.number, f"inbound_text.from_sealed:{inbound_id}"),
        "body_sealed": seal(key, written.body, f"inbound_text.body_sealed:{inbound_id}"),
        "handled_by_carrier": written.handled,
        "received_at": now,
    }
    await session.execute(insert(InboundText).values(values).on_conflict_do_nothing().inline())


async def keep_callback(session: AsyncSession, *, text_id: UUID, report: Report, now: datetime) -> None:
    """Store a status report; the same one a second time changes nothing."""
    values = {
        "id": uuid4(),
        "text_id": text_id,
        "carrier_sid": report.carrier_sid,
        "status": report.state,
        "error_code": report.error_code,
        "received_at": now,
    }
    await session.execute(insert(CarrierCallback).values(values).on_conflict_do_nothing().inline())


def open_inbound(keyring: Keyring, row: InboundText) -> tuple[str, str]:
    """(number, body) of a stored text that has not been handled yet, for the worker."""
    assert row.from_sealed is not None, "what waits is not erased"
    assert row.body_sealed is not None, "what waits is not erased"
    key = keyring.derive(INBOUND_KEY)
    number = open_sealed(key, row.from_sealed, f"inbound_text.from_sealed:{row.id}")
    return number, open_sealed(key, row.body_sealed, f"inbound_text.body_sealed:{row.id}")

"""Claiming one text: judge everything again, write the body, seal it beside the number, and take the lease."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.encryption.data_keys import load_data_key
from referralnet.encryption.keyring import Keyring
from referralnet.encryption.sealing import DataKey, open_sealed, seal
from referralnet.messaging.contacts import Contact, load_contact
from referralnet.messaging.outbox import Claim, DueText, take_scheduled, tell_a_person
from referralnet.messaging.permission import Withheld, why_not
from referralnet.messaging.planning import Occurrence
from referralnet.messaging.tables import TextMessage, TextState
from referralnet.messaging.windows import SPAN_SECONDS_MIN, read_windows, slot_now
from referralnet.messaging.wording import Message, Occasion, render

NETWORK_KEY = "texts"
NOT_SENT_TASK = "survivor_not_texted"


def to_place(text_id: UUID) -> str:
    """Where a text's number stands sealed."""
    return f"text_message.to_sealed:{text_id}"


def body_place(text_id: UUID) -> str:
    """Where a text's body stands sealed."""
    return f"text_message.body_sealed:{text_id}"


@dataclass(frozen=True, slots=True)
class _Letter:
    key: DataKey
    to: str
    body: str
    send_before: datetime


async def claim_text(
    session: AsyncSession, due: DueText, *, keyring: Keyring, now: datetime, lease_seconds: float
) -> Claim | None:
    """Claim a due text in its custody, or settle it as one that may not go.

    Opt-in, pause, suppression, release, referral, appointment and window are judged again here (M1, M2); where one
    speaks against it, the text ends as `held` or `expired` and a person is told.

    Returns:
        the claim, or None where there is nothing to hand over.
    """
    row = await take_scheduled(session, due.id, now=now)
    if row is None:
        return None
    letter = await (_answer if due.agency_id is None else _written)(session, row, keyring, now)
    if isinstance(letter, Withheld):
        await _withhold(session, row, letter, now)
        return None
    lease_until = now + timedelta(seconds=lease_seconds)
    await session.execute(
        update(TextMessage)
        .where(TextMessage.id == row.id)
        .values(
            state=TextState.CLAIMED,
            state_at=now,
            fence=row.fence + 1,
            attempts=row.attempts + 1,
            lease_until=lease_until,
            send_before=letter.send_before,
            to_sealed=seal(letter.key, letter.to, to_place(row.id)),
            body_sealed=seal(letter.key, letter.body, body_place(row.id)),
        )
        .execution_options(synchronize_session=False)
    )
    return Claim(due, row.fence + 1, lease_until, letter.send_before, letter.to, letter.body, row.attempts + 1)


async def _written(session: AsyncSession, row: TextMessage, keyring: Keyring, now: datetime) -> _Letter | Withheld:
    message, occurrence = Message(row.kind), Occurrence.read(row.occurrence)
    contact = await load_contact(session, row.subject_id, occurrence.appointment_id)
    against = why_not(contact, message, occurrence.starts_at, now)
    if contact is None or against is not None:
        return against or Withheld.NO_CONTACT_PLAN
    zone = ZoneInfo(contact.time_zone)
    slot = slot_now(read_windows(contact.safe_windows), zone, now, until=min(row.send_before, occurrence.starts_at))
    if slot is None:
        return Withheld.WINDOW_GONE
    key = await load_data_key(session, keyring, contact.data_key_id)
    body = render(message, contact.language, Occasion(occurrence.starts_at, contact.time_zone, contact.sender_label))
    return _Letter(key, _phone(contact, key), body, slot.send_before)


async def _answer(_session: AsyncSession, row: TextMessage, keyring: Keyring, now: datetime) -> _Letter | Withheld:
    if (row.send_before - now).total_seconds() < SPAN_SECONDS_MIN or row.to_sealed is None:
        return Withheld.WINDOW_GONE
    key = keyring.derive(NETWORK_KEY)
    body = render(Message(row.kind), row.occurrence["language"])
    return _Letter(key, open_sealed(key, row.to_sealed, to_place(row.id)), body, row.send_before)


def _phone(contact: Contact, key: DataKey) -> str:
    return open_sealed(key, contact.phone_sealed, f"contact_plan.phone_sealed:{contact.plan_id}")


async def _withhold(session: AsyncSession, row: TextMessage, reason: Withheld, now: datetime) -> None:
    state = TextState.EXPIRED if reason is Withheld.WINDOW_GONE else TextState.HELD
    if reason is Withheld.APPOINTMENT_CHANGED:
        # What holds now is told by a text of its own; nobody needs to do anything.
        state = TextState.CANCELLED
    else:
        await tell_a_person(session, row.agency_id, NOT_SENT_TASK, row.id, reason, now=now)
    await session.execute(
        update(TextMessage)
        .where(TextMessage.id == row.id)
        .values(state=state, state_at=now, error_code=str(reason))
        .execution_options(synchronize_session=False)
    )


async def number_of_text(session: AsyncSession, row: TextMessage, keyring: Keyring) -> str:
    """The number a claimed text went to, opened in its custody.

    Raises:
        KeyGone: the survivor was erased.
    """
    assert row.to_sealed is not None, "a text has its number from the claim on"
    return open_sealed(await key_of_text(session, row, keyring), row.to_sealed, to_place(row.id))


async def key_of_text(session: AsyncSession, row: TextMessage, keyring: Keyring) -> DataKey:
    """The key that seals a text's number and body: its survivor's, or the network's for an answer to a number as
    such.
    """
    if row.survivor_id is None:
        return keyring.derive(NETWORK_KEY)
    found = await session.scalar(text("select data_key_id from survivor where id = :id"), {"id": row.survivor_id})
    return await load_data_key(session, keyring, UUID(str(found)))

"""Claiming one text: judge everything again, write the body, seal it beside the number, and take the lease."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.encryption.data_keys import load_data_key
from referralnet.encryption.keyring import Keyring
from referralnet.encryption.sealing import DataKey, open_sealed, seal
from referralnet.messaging.asking_again import why_not_ask_again
from referralnet.messaging.contacts import Contact, load_contact, load_her_contact
from referralnet.messaging.digest import why_no_digest
from referralnet.messaging.outbox import Claim, DueText, take_scheduled, tell_a_person
from referralnet.messaging.permission import Withheld, why_not
from referralnet.messaging.planning import Occurrence
from referralnet.messaging.replanning import is_to_be_replanned
from referralnet.messaging.tables import TextMessage, TextState
from referralnet.messaging.windows import SPAN_SECONDS_MIN, read_windows, slot_now
from referralnet.messaging.wording import Message, Occasion, render

NETWORK_KEY = "texts"
ABOUT_HER = frozenset({Message.STATUS_DIGEST, Message.RECONFIRM_CONTACT})
SETTLED_ELSEWHERE = frozenset({Withheld.APPOINTMENT_CHANGED, Withheld.PLAN_CHANGED, Withheld.NOT_CHOSEN})
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
    letter = await _writer_of(row)(session, row, keyring, now)
    if isinstance(letter, Withheld):
        if letter is Withheld.WINDOW_GONE and now < row.send_before and await _moves_soon(session, row):
            return None
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


def _writer_of(row: TextMessage) -> Callable[..., Awaitable[_Letter | Withheld]]:
    if row.agency_id is None:
        return _answer
    return _about_her if Message(row.kind) in ABOUT_HER else _written


async def _moves_soon(session: AsyncSession, row: TextMessage) -> bool:
    return row.survivor_id is not None and await is_to_be_replanned(session, row.survivor_id)


async def _written(session: AsyncSession, row: TextMessage, keyring: Keyring, now: datetime) -> _Letter | Withheld:
    message, occurrence = Message(row.kind), Occurrence.read(row.occurrence)
    contact = await load_contact(session, row.subject_id, occurrence.appointment_id)
    against = why_not(contact, message, occurrence.starts_at, now)
    if contact is None or against is not None:
        return against or Withheld.NO_CONTACT_PLAN
    until, tells = min(row.send_before, occurrence.starts_at), occurrence.starts_at
    return await _letter(session, contact, message, now, until=until, tells=tells, keyring=keyring)


async def _about_her(session: AsyncSession, row: TextMessage, keyring: Keyring, now: datetime) -> _Letter | Withheld:
    assert row.survivor_id is not None, "a text about a survivor has one"
    contact = await load_her_contact(session, row.survivor_id)
    if contact is None:
        return Withheld.NO_CONTACT_PLAN
    message = Message(row.kind)
    if message is Message.STATUS_DIGEST:
        against = await why_no_digest(session, contact, now)
    else:
        against = why_not_ask_again(contact, row.occurrence, now)
    if against is not None:
        return against
    return await _letter(session, contact, message, now, until=row.send_before, tells=now, keyring=keyring)


async def _letter(
    session: AsyncSession,
    contact: Contact,
    message: Message,
    now: datetime,
    *,
    until: datetime,
    tells: datetime,
    keyring: Keyring,
) -> _Letter | Withheld:
    slot = slot_now(read_windows(contact.safe_windows), ZoneInfo(contact.time_zone), now, until=until)
    if slot is None:
        return Withheld.WINDOW_GONE
    key = await load_data_key(session, keyring, contact.data_key_id)
    body = render(message, contact.language, Occasion(tells, contact.time_zone, contact.sender_label))
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
    if reason in SETTLED_ELSEWHERE:
        # What holds now is told by a text of its own, or nothing is to be told; nobody needs to do anything.
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

"""Claiming texts: judge everything again, write each body, seal it beside the number, and take the lease."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.database.direct import fetch_all
from referralnet.encryption.data_keys import load_data_key
from referralnet.encryption.keyring import Keyring
from referralnet.encryption.sealing import DataKey, open_sealed, seal
from referralnet.identity.failing import Row, note_failure
from referralnet.messaging.asking_again import why_not_ask_again
from referralnet.messaging.contacts import Contact
from referralnet.messaging.digest import why_no_digest
from referralnet.messaging.outbox import Claim, DueText, Turn, put_off, tell_a_person
from referralnet.messaging.permission import Withheld, why_not
from referralnet.messaging.planning import Occurrence
from referralnet.messaging.replanning import is_to_be_replanned
from referralnet.messaging.segments import cost
from referralnet.messaging.tables import TextMessage, TextState
from referralnet.messaging.taking import ABOUT_HER, Taken, take
from referralnet.messaging.windows import SPAN_SECONDS_MIN, read_windows, slot_now
from referralnet.messaging.wording import Message, Occasion, render

NETWORK_KEY = "texts"
SETTLED_ELSEWHERE = frozenset({Withheld.APPOINTMENT_CHANGED, Withheld.PLAN_CHANGED, Withheld.NOT_CHOSEN})
NOT_SENT_TASK = "survivor_not_texted"
# A text whose plan has changed waits so long for jobs/replan_texts.py, which looks as often.
_MOVES_WITHIN = timedelta(seconds=5)


def to_place(text_id: UUID) -> str:
    """Where a text's number stands sealed."""
    return f"text_message.to_sealed:{text_id}"


def body_place(text_id: UUID) -> str:
    """Where a text's body stands sealed."""
    return f"text_message.body_sealed:{text_id}"


@dataclass(frozen=True, slots=True)
class _Letter:
    taken: Taken
    key: DataKey = field(repr=False)
    to: str = field(repr=False)
    body: str = field(repr=False)
    send_before: datetime


_CLAIM = """
    update text_message set state = 'claimed', state_at = $1, fence = fence + 1, attempts = attempts + 1,
      lease_until = $2, send_before = letter.send_before, to_sealed = letter.to_sealed,
      body_sealed = letter.body_sealed, segments = letter.segments
    from unnest($3::uuid[], $4::timestamptz[], $5::bytea[], $6::bytea[], $7::int[])
      as letter (id, send_before, to_sealed, body_sealed, segments)
    where text_message.id = letter.id returning text_message.id, text_message.fence, text_message.attempts
"""


async def claim_texts(
    session: AsyncSession,
    due: DueText | Turn,
    *,
    at_most: int = 1,
    keyring: Keyring,
    now: datetime,
    lease_seconds: float,
) -> list[Claim]:
    """Claim some due texts of one custody, or settle each that may not go.

    Opt-in, pause, suppression, release, referral, appointment and window are judged again here (M1, M2), for each by
    itself; where one speaks against it, the text ends as `held` or `expired` and a person is told.

    Returns:
        the claims of those that are to be handed over.
    """
    taken = await take(session, due, at_most=at_most, now=now)
    judged = [await _judge(session, one, keyring, now) for one in taken]
    letters = [letter for letter in judged if letter is not None]
    return await _lease(session, letters, now=now, until=now + timedelta(seconds=lease_seconds)) if letters else []


async def note_unclaimable(session: AsyncSession, due: DueText, error: Exception, *, now: datetime) -> None:
    """Let a text that could not be claimed come again after a pause; after some of them people learn of it."""
    row = Row("send_texts", due.id, due.agency_id, "text_message", due.id)
    failure = await note_failure(session, row, error, now=now)
    await put_off(session, due.id, until=failure.come_again_at)


async def _judge(session: AsyncSession, taken: Taken, keyring: Keyring, now: datetime) -> _Letter | None:
    """What is to be sent; None where the text has been settled, or left for now."""
    letter = await _writer_of(taken)(session, taken, keyring, now)
    if isinstance(letter, _Letter):
        return letter
    if letter is Withheld.WINDOW_GONE and now < taken.send_before and await _moves_soon(session, taken):
        await put_off(session, taken.id, until=now + _MOVES_WITHIN)
    else:
        await _withhold(session, taken, letter, now)
    return None


async def _lease(session: AsyncSession, letters: Sequence[_Letter], *, now: datetime, until: datetime) -> list[Claim]:
    by_id = {letter.taken.id: letter for letter in letters}
    columns = zip(
        *(
            (
                letter.taken.id,
                letter.send_before,
                seal(letter.key, letter.to, to_place(letter.taken.id)),
                seal(letter.key, letter.body, body_place(letter.taken.id)),
                cost(letter.body).segments,
            )
            for letter in letters
        ),
        strict=True,
    )
    claimed = await fetch_all(session, _CLAIM, now, until, *columns)
    assert len(claimed) == len(letters), "they are locked"
    return [_claim(by_id[row["id"]], row["fence"], row["attempts"], until) for row in claimed]


def _claim(letter: _Letter, fence: int, attempts: int, lease_until: datetime) -> Claim:
    text = DueText(letter.taken.id, letter.taken.agency_id)
    return Claim(text, fence, lease_until, letter.send_before, letter.to, letter.body, attempts)


def _writer_of(taken: Taken) -> Callable[..., Awaitable[_Letter | Withheld]]:
    if taken.agency_id is None:
        return _answer
    return _about_her if taken.message in ABOUT_HER else _written


async def _moves_soon(session: AsyncSession, taken: Taken) -> bool:
    return taken.survivor_id is not None and await is_to_be_replanned(session, taken.survivor_id)


async def _written(_session: AsyncSession, taken: Taken, keyring: Keyring, now: datetime) -> _Letter | Withheld:
    starts_at, contact = Occurrence.read(taken.occurrence).starts_at, taken.contact
    against = why_not(contact, taken.message, starts_at, now)
    if contact is None or against is not None:
        return against or Withheld.NO_CONTACT_PLAN
    return await _letter(taken, contact, now, until=min(taken.send_before, starts_at), tells=starts_at, keyring=keyring)


async def _about_her(session: AsyncSession, taken: Taken, keyring: Keyring, now: datetime) -> _Letter | Withheld:
    contact = taken.contact
    if contact is None:
        return Withheld.NO_CONTACT_PLAN
    if taken.message is Message.STATUS_DIGEST:
        against = await why_no_digest(session, contact, now)
    else:
        against = why_not_ask_again(contact, taken.occurrence, now)
    if against is not None:
        return against
    return await _letter(taken, contact, now, until=taken.send_before, tells=now, keyring=keyring)


async def _letter(
    taken: Taken, contact: Contact, now: datetime, *, until: datetime, tells: datetime, keyring: Keyring
) -> _Letter | Withheld:
    slot = slot_now(read_windows(contact.safe_windows), ZoneInfo(contact.time_zone), now, until=until)
    if slot is None:
        return Withheld.WINDOW_GONE
    key = await taken.key(keyring)
    body = render(taken.message, contact.language, Occasion(tells, contact.time_zone, contact.sender_label))
    return _Letter(taken, key, _phone(contact, key), body, slot.send_before)


async def _answer(_session: AsyncSession, taken: Taken, keyring: Keyring, now: datetime) -> _Letter | Withheld:
    if (taken.send_before - now).total_seconds() < SPAN_SECONDS_MIN or taken.to_sealed is None:
        return Withheld.WINDOW_GONE
    key = keyring.derive(NETWORK_KEY)
    body = render(taken.message, taken.occurrence["language"])
    return _Letter(taken, key, open_sealed(key, taken.to_sealed, to_place(taken.id)), body, taken.send_before)


def _phone(contact: Contact, key: DataKey) -> str:
    return open_sealed(key, contact.phone_sealed, f"contact_plan.phone_sealed:{contact.plan_id}")


async def _withhold(session: AsyncSession, taken: Taken, reason: Withheld, now: datetime) -> None:
    state = TextState.EXPIRED if reason is Withheld.WINDOW_GONE else TextState.HELD
    if reason in SETTLED_ELSEWHERE:
        # What holds now is told by a text of its own, or nothing is to be told; nobody needs to do anything.
        state = TextState.CANCELLED
    else:
        await tell_a_person(session, taken.agency_id, NOT_SENT_TASK, taken.id, reason, now=now)
    await session.execute(
        update(TextMessage)
        .where(TextMessage.id == taken.id)
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

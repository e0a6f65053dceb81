"""What a survivor's text does: to her number in the network, and to her plan in each custody that holds it (M4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.encryption.keyring import Keyring
from referralnet.encryption.sealing import seal
from referralnet.identity.tasks import open_task
from referralnet.messaging.answers import Answer, beyond_the_opening, language_of, understand
from referralnet.messaging.cancelling import cancel_texts
from referralnet.messaging.claiming import NETWORK_KEY, to_place
from referralnet.messaging.planning import URGENT, Occurrence
from referralnet.messaging.receiving import open_inbound
from referralnet.messaging.suppressing import is_suppressed, lift, suppress
from referralnet.messaging.tables import InboundText, TextMessage, TextState
from referralnet.messaging.wording import Message

_REPLY_WITHIN = timedelta(minutes=5)
_PAUSES = {Answer.OPT_OUT: "stop", Answer.UNSAFE: "unsafe"}
_TASKS = {
    Answer.OPT_OUT: "survivor_stopped_texts",
    Answer.UNSAFE: "survivor_unsafe",
    Answer.CALL_ME: "survivor_asks_for_call",
    Answer.OPT_IN: "survivor_asks_for_texts",
    Answer.UNCLEAR: "survivor_wrote",
}
_ON_THE_PHONE = (TextState.ACCEPTED, TextState.SENT, TextState.DELIVERED, TextState.UNKNOWN)
_ASKING = (Message.APPOINTMENT_SET, Message.APPOINTMENT_CHANGED, Message.APPOINTMENT_REMINDER)


@dataclass(frozen=True, slots=True)
class Received:
    """A text that came in, as the worker reads it."""

    id: UUID
    phone_lookup: bytes = field(repr=False)
    number: str = field(repr=False)
    answer: Answer
    language: str
    received_at: datetime
    beyond: str = field(default="", repr=False)
    """Of a text that ends everything: the words that follow, among them her code phrase where she has one."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """An appointment that a "1" is about: the one last asked for on this phone. `asked_at` tells it from others."""

    appointment_id: UUID
    referral_id: UUID
    asked_at: datetime


async def waiting_inbound(session: AsyncSession, *, first: int = 200) -> Sequence[UUID]:
    """Texts that wait, in the order they came; for the dispatcher."""
    waiting = select(InboundText.id).where(InboundText.handled_at.is_(None))
    return (await session.scalars(waiting.order_by(InboundText.received_at, InboundText.id).limit(first))).all()


async def take_inbound(session: AsyncSession, keyring: Keyring, inbound_id: UUID, *, now: datetime) -> Received | None:
    """Lock one text and say what it means; None where another worker has it. Handled when this transaction commits."""
    waiting = select(InboundText).where(InboundText.id == inbound_id, InboundText.handled_at.is_(None))
    row = (await session.scalars(waiting.with_for_update(skip_locked=True))).one_or_none()
    if row is None:
        return None
    number, body = open_inbound(keyring, row)
    assert row.from_lookup is not None, "what waits is not erased"
    answer = understand(body)
    beyond = beyond_the_opening(body) if answer is Answer.END_EVERYTHING else ""
    received = Received(row.id, row.from_lookup, number, answer, language_of(body), row.received_at, beyond)
    await session.execute(update(InboundText).where(InboundText.id == inbound_id).values(handled_at=now))
    return received


async def answer_number(session: AsyncSession, keyring: Keyring, received: Received, *, now: datetime) -> None:
    """What holds for a number whoever knows it: suppression, and the one reply that known and unknown numbers get
    alike.
    """
    if received.answer in (Answer.OPT_OUT, Answer.END_EVERYTHING):
        if await suppress(session, received.phone_lookup, via="text", now=now):
            await _reply(session, keyring, received, Message.OPT_OUT_CONFIRMATION, now)
    elif received.answer is Answer.OPT_IN:
        await lift(session, received.phone_lookup)
    elif received.answer is Answer.HELP and not await is_suppressed(session, received.phone_lookup):
        await _reply(session, keyring, received, Message.HELP_REPLY, now)


async def answer_in_custody(
    session: AsyncSession, agency_id: UUID, received: Received, *, now: datetime
) -> list[Confirmation]:
    """What a text does in one agency's custody; nothing where no plan there has this number.

    "3" and STOP pause the plan and stop every unsent text in this transaction; what a person has to know becomes a
    task.

    Returns:
        for a "1", the appointment it may confirm: the caller confirms the one that was asked about last.
    """
    found = await session.execute(
        text("select id, survivor_id from contact_plan where phone_lookup = :lookup"), {"lookup": received.phone_lookup}
    )
    plans = [(row.id, row.survivor_id) for row in found]
    confirmations: list[Confirmation] = []
    for plan_id, survivor_id in plans:
        if reason := _PAUSES.get(received.answer):
            await pause_texts(session, plan_id, survivor_id, reason, now)
        if received.answer is Answer.OPT_IN:
            await _leave_to_staff(session, plan_id)
        if received.answer is Answer.CONFIRM:
            confirmations += await _asked(session, survivor_id, received.received_at)
        elif kind := _TASKS.get(received.answer):
            await task_about(session, agency_id, kind, survivor_id, now=now)
    return confirmations


async def task_about(session: AsyncSession, agency_id: UUID, kind: str, survivor_id: UUID, *, now: datetime) -> None:
    """Put what a survivor's text asks of people on her custodian's worklist."""
    await open_task(session, agency_id=agency_id, kind=kind, subject_kind="survivor", subject_id=survivor_id, now=now)


async def pause_texts(session: AsyncSession, plan_id: UUID, survivor_id: UUID, reason: str, now: datetime) -> None:
    """Pause her plan for a reason of contact_plan.paused_reason, and stop every text to her that has not left."""
    paused = text(
        "update contact_plan set paused_at = :now, paused_reason = :reason where id = :id and paused_at is null"
    )
    await session.execute(paused, {"now": now, "reason": reason, "id": plan_id})
    count = await cancel_texts(session, survivor_id=survivor_id, reason=f"paused_{reason}", now=now)
    await record(session, Action.TEXTS_STOPPED, "contact_plan", plan_id, reason=reason, count=count)


async def _leave_to_staff(session: AsyncSession, plan_id: UUID) -> None:
    """Texts do not begin again by themselves: whoever holds the phone can write START. A person asks her first."""
    waiting = text("update contact_plan set paused_reason = 'staff' where id = :id and paused_reason = 'stop'")
    await session.execute(waiting, {"id": plan_id})


async def _asked(session: AsyncSession, survivor_id: UUID, received_at: datetime) -> list[Confirmation]:
    asked = (
        select(TextMessage.subject_id, TextMessage.occurrence, TextMessage.state_at)
        .where(
            TextMessage.survivor_id == survivor_id,
            TextMessage.kind.in_(_ASKING),
            TextMessage.state.in_(_ON_THE_PHONE),
            TextMessage.state_at <= received_at,
        )
        .order_by(TextMessage.due_at.desc())
        .limit(20)
    )
    found = [(row.subject_id, Occurrence.read(row.occurrence), row.state_at) for row in await session.execute(asked)]
    return [
        Confirmation(occurrence.appointment_id, referral_id, asked_at)
        for referral_id, occurrence, asked_at in found
        if occurrence.starts_at > received_at
    ][:1]


async def _reply(session: AsyncSession, keyring: Keyring, received: Received, message: Message, now: datetime) -> None:
    text_id = uuid4()
    values = {
        "id": text_id,
        "subject_id": received.id,
        "kind": message,
        "priority": URGENT,
        "due_at": received.received_at,
        "claimable_at": received.received_at,
        "send_before": received.received_at + _REPLY_WITHIN,
        "occurrence": {"language": received.language},
        "state": TextState.SCHEDULED,
        "state_at": now,
        "created_at": now,
        "to_sealed": seal(keyring.derive(NETWORK_KEY), received.number, to_place(text_id)),
    }
    await session.execute(insert(TextMessage).values(values).on_conflict_do_nothing().inline())

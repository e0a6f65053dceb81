"""What a survivor's text does: to her number in the network, and to her plan in each custody that holds it (M4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.encryption.keyring import Keyring
from referralnet.encryption.sealing import seal
from referralnet.identity.tasks import open_task
from referralnet.messaging.answers import (
    Answer,
    beyond_the_opening,
    language_of,
    meant_with_a_phrase,
    says_more,
    understand,
)
from referralnet.messaging.cancelling import cancel_texts
from referralnet.messaging.carriers import Keyword, Written
from referralnet.messaging.claiming import NETWORK_KEY, to_place
from referralnet.messaging.planning import Occurrence
from referralnet.messaging.policy import URGENT
from referralnet.messaging.proving import NumberedPlan, Proof, plans_of_number, proof_of, says_beside_phrase
from referralnet.messaging.receiving import open_inbound
from referralnet.messaging.scheduling import segments_at_most
from referralnet.messaging.suppressing import end_hold, hold_while_unread, is_suppressed, lift, suppress
from referralnet.messaging.tables import InboundText, TextMessage, TextState
from referralnet.messaging.wording import Message
from referralnet.messaging.words import keep_words

_REPLY_WITHIN = timedelta(minutes=5)
_PAUSES = {Answer.OPT_OUT: "stop", Answer.UNSAFE: "unsafe"}
_TASKS = {
    Answer.OPT_OUT: "survivor_stopped_texts",
    Answer.UNSAFE: "survivor_unsafe",
    Answer.CALL_ME: "survivor_asks_for_call",
    Answer.OPT_IN: "survivor_asks_for_texts",
}
_WROTE_TASK = "survivor_wrote"
_HEARD = {Keyword.OPT_IN: Answer.OPT_IN, Keyword.HELP: Answer.HELP}
_ON_THE_PHONE = (TextState.ACCEPTED, TextState.SENT, TextState.DELIVERED, TextState.UNKNOWN)
_ASKING = (
    Message.APPOINTMENT_SET,
    Message.APPOINTMENT_CHANGED,
    Message.APPOINTMENT_REMINDER,
    Message.RECONFIRM_CONTACT,
)


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
    """The words that follow those that say what is wanted, among them her code phrase where she has one."""
    if_proven: Answer | None = None
    """What a text that is otherwise unclear asks for, where the words beyond are her code phrase."""
    words: str = field(default="", repr=False)
    """All of a text in which there is anything that a person has to read, whatever else it asks for."""
    is_answered: bool = False
    """The carrier has answered it already: a second answer would be one too many."""
    waits_in: tuple[UUID, ...] | None = None
    """The custodies that failed to handle it, where it was tried before."""

    @property
    def stops_number(self) -> bool:
        """Whether it ends all texts to its number, whoever holds it in custody."""
        return self.answer in (Answer.OPT_OUT, Answer.END_EVERYTHING)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a "1" is about: an appointment, or with no `appointment_id` whether the number still is hers.

    `asked_at` tells it from others on this phone; the last one asked counts.
    """

    subject_id: UUID
    appointment_id: UUID | None
    asked_at: datetime
    proof: Proof


@dataclass(frozen=True, slots=True)
class Effect:
    """What a text did in one custody: what a "1" may confirm there, and whether a proven START begins with it."""

    asked: tuple[Asked, ...] = ()
    starts: bool = False


async def waiting_inbound(session: AsyncSession, *, first: int = 200) -> Sequence[UUID]:
    """Texts that wait, in the order they came; for the dispatcher."""
    waiting = select(InboundText.id).where(InboundText.handled_at.is_(None))
    return (await session.scalars(waiting.order_by(InboundText.received_at, InboundText.id).limit(first))).all()


async def take_inbound(session: AsyncSession, keyring: Keyring, inbound_id: UUID) -> Received | None:
    """Lock one text and say what it means; None where another worker has it."""
    waiting = select(InboundText).where(InboundText.id == inbound_id, InboundText.handled_at.is_(None))
    row = (await session.scalars(waiting.with_for_update(skip_locked=True))).one_or_none()
    if row is None:
        return None
    number, body = open_inbound(keyring, row)
    assert row.from_lookup is not None, "what waits is not erased"
    handled = Keyword(row.handled_by_carrier) if row.handled_by_carrier else None
    written = Written(row.carrier_sid, number, body, handled)
    waits_in = None if row.waits_in is None else tuple(row.waits_in)
    return replace(_received(row.id, row.from_lookup, written, row.received_at), waits_in=waits_in)


async def settle_inbound(session: AsyncSession, received: Received, *, now: datetime) -> None:
    """Every custody, and the number as such, has done what the text says."""
    handled = update(InboundText).where(InboundText.id == received.id).values(handled_at=now, waits_in=None)
    await session.execute(handled)
    await end_hold(session, received.phone_lookup)


async def leave_inbound(session: AsyncSession, received: Received, waits_in: Sequence[UUID], *, now: datetime) -> None:
    """These custodies failed to handle a text: it comes again for them alone. What the others did is not done twice:
    a person may have changed it since.

    Where she is unsafe, nothing is texted to the number until each of them knows.
    """
    await session.execute(
        update(InboundText).where(InboundText.id == received.id).values(waits_in=list(waits_in) or None)
    )
    if received.answer is Answer.UNSAFE:
        await hold_while_unread(session, received.phone_lookup, now=now)


async def hold_number_of(session: AsyncSession, inbound_id: UUID, *, now: datetime) -> None:
    """Text nothing to the number of a text that came in and cannot be handled, until it is."""
    lookup = await number_of_inbound(session, inbound_id)
    if lookup is not None:
        await hold_while_unread(session, lookup, now=now)


async def number_of_inbound(session: AsyncSession, inbound_id: UUID) -> bytes | None:
    """The hash of the number of a text that waits."""
    waiting = select(InboundText.from_lookup).where(InboundText.id == inbound_id, InboundText.handled_at.is_(None))
    return await session.scalar(waiting)


def _received(inbound_id: UUID, lookup: bytes, written: Written, received_at: datetime) -> Received:
    body, if_proven = written.body, None
    answer = _with_carrier(understand(body), written.handled)
    beyond = beyond_the_opening(body) if answer is Answer.END_EVERYTHING else ""
    if answer is Answer.UNCLEAR and (meant := meant_with_a_phrase(body)) is not None:
        if_proven, beyond = meant
    return Received(
        inbound_id,
        lookup,
        written.number,
        answer,
        language_of(body),
        received_at,
        beyond,
        if_proven,
        words=body if answer is Answer.UNCLEAR or _says_more(written) else "",
        is_answered=written.handled is not None,
    )


def _says_more(written: Written) -> bool:
    # One word that the carrier has acted upon is a keyword of its own settings, in whichever language.
    return says_more(written.body) and (written.handled is None or len(written.body.split()) > 1)


def _with_carrier(read: Answer, handled: Keyword | None) -> Answer:
    """A STOP that the carrier has heard is one, whatever we read; of the rest, what we cannot read."""
    if handled is Keyword.OPT_OUT:
        return read if read is Answer.END_EVERYTHING else Answer.OPT_OUT
    return _HEARD[handled] if handled is not None and read is Answer.UNCLEAR else read


async def stop_number(session: AsyncSession, keyring: Keyring, received: Received, *, now: datetime) -> None:
    """Suppress the number of a text that ends texts, whoever holds it in custody, and confirm it once."""
    if await suppress(session, received.phone_lookup, via="text", now=received.received_at):
        await _reply(session, keyring, received, Message.OPT_OUT_CONFIRMATION, now)


async def answer_number(session: AsyncSession, keyring: Keyring, received: Received, *, now: datetime) -> None:
    """What else holds for a number whoever knows it, and the one reply that known and unknown numbers get alike."""
    if received.answer is Answer.OPT_IN:
        await lift(session, received.phone_lookup, written_at=received.received_at)
    elif received.answer is Answer.HELP and not await is_suppressed(session, received.phone_lookup):
        await _reply(session, keyring, received, Message.HELP_REPLY, now)


async def answer_in_custody(
    session: AsyncSession, keyring: Keyring, agency_id: UUID, received: Received, *, now: datetime
) -> Effect:
    """What a text does in one agency's custody; nothing where no plan there has this number.

    "3" and STOP pause the plan and stop every unsent text in this transaction, whoever wrote it; what a person has to
    know becomes a task, and says whether the text proves that it is hers where that matters.

    Returns:
        for a "1", what it may confirm: the caller confirms what was asked about last.
    """
    asked: list[Asked] = []
    starts = False
    for plan in await plans_of_number(session, received.phone_lookup):
        proof, answer = Proof.MISSING, received.answer
        if received.if_proven is not None or answer in (Answer.CONFIRM, Answer.OPT_IN):
            proof = await proof_of(session, keyring, plan, received.beyond)
        if received.if_proven is not None and proof is Proof.GIVEN:
            answer = received.if_proven
        if await _is_to_be_read(session, keyring, plan, received, answer):
            await keep_words(
                session,
                keyring,
                agency_id=agency_id,
                survivor_id=plan.survivor_id,
                inbound_id=received.id,
                words=received.words,
                received_at=received.received_at,
            )
            await task_about(session, agency_id, _WROTE_TASK, plan.survivor_id, now=now)
        if reason := _PAUSES.get(answer):
            await pause_texts(session, plan.id, plan.survivor_id, reason, now)
        if answer is Answer.OPT_IN:
            await _leave_to_staff(session, plan.id)
            starts = True
        if answer is Answer.CONFIRM:
            asked += await _asked(session, plan.survivor_id, received.received_at, proof)
        elif kind := _TASKS.get(answer):
            reason = str(proof) if answer is Answer.OPT_IN else None
            await task_about(session, agency_id, kind, plan.survivor_id, reason=reason, now=now)
    return Effect(tuple(asked), starts)


async def _is_to_be_read(
    session: AsyncSession, keyring: Keyring, plan: NumberedPlan, received: Received, answer: Answer
) -> bool:
    """Whether she wrote anything beside what is done about it: "stop, he is here" is a STOP, and was said to people."""
    if answer is Answer.END_EVERYTHING:
        # What follows is her code phrase, as agreed, or more than that.
        return received.words != "" and await says_beside_phrase(session, keyring, plan, received.beyond)
    return answer is Answer.UNCLEAR or (received.if_proven is None and received.words != "")


async def task_about(
    session: AsyncSession, agency_id: UUID, kind: str, survivor_id: UUID, *, reason: str | None = None, now: datetime
) -> None:
    """Put what a survivor's text asks of people on her custodian's worklist."""
    detail = None if reason is None else {"reason": reason}
    await open_task(
        session, agency_id=agency_id, kind=kind, subject_kind="survivor", subject_id=survivor_id, now=now, detail=detail
    )


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


async def _asked(session: AsyncSession, survivor_id: UUID, received_at: datetime, proof: Proof) -> list[Asked]:
    asked = (
        select(TextMessage.kind, TextMessage.subject_id, TextMessage.occurrence, TextMessage.state_at)
        .where(
            TextMessage.survivor_id == survivor_id,
            TextMessage.kind.in_(_ASKING),
            TextMessage.state.in_(_ON_THE_PHONE),
            TextMessage.state_at <= received_at,
        )
        .order_by(TextMessage.due_at.desc())
        .limit(20)
    )
    for row in await session.execute(asked):
        if row.kind == Message.RECONFIRM_CONTACT:
            return [Asked(row.subject_id, None, row.state_at, proof)]
        occurrence = Occurrence.read(row.occurrence)
        if occurrence.starts_at > received_at:
            return [Asked(row.subject_id, occurrence.appointment_id, row.state_at, proof)]
    return []


async def _reply(session: AsyncSession, keyring: Keyring, received: Received, message: Message, now: datetime) -> None:
    if received.is_answered:
        return
    text_id = uuid4()
    values = {
        "id": text_id,
        "subject_id": received.id,
        "kind": message,
        "priority": URGENT,
        "due_at": received.received_at,
        "claimable_at": received.received_at,
        "send_before": received.received_at + _REPLY_WITHIN,
        "segments": segments_at_most(received.language, message),
        "occurrence": {"language": received.language},
        "state": TextState.SCHEDULED,
        "state_at": now,
        "created_at": now,
        "to_sealed": seal(keyring.derive(NETWORK_KEY), received.number, to_place(text_id)),
    }
    await session.execute(insert(TextMessage).values(values).on_conflict_do_nothing().inline())

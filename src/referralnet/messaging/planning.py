"""From a notice to the texts it calls for: when each is due, or a person who is told why there is none (M1, M2, M9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.identity.tasks import open_task
from referralnet.messaging.cancelling import cancel_texts
from referralnet.messaging.contacts import Contact, load_contact
from referralnet.messaging.permission import Withheld, why_not
from referralnet.messaging.policy import REMINDERS_BEFORE
from referralnet.messaging.tables import Notice, TextMessage, TextState
from referralnet.messaging.windows import Slot, next_slot, read_windows
from referralnet.messaging.wording import Message

URGENT, ROUTINE = 0, 1
# What is told must be news: a text that something is off or moved goes before a text that nothing has changed.
_PRIORITY = {Message.APPOINTMENT_CHANGED: URGENT, Message.APPOINTMENT_CANCELLED: URGENT}


@dataclass(frozen=True, slots=True)
class Due:
    """One text to be sent in one slot."""

    message: Message
    slot: Slot


@dataclass(frozen=True, slots=True)
class Occurrence:
    """What a notice says of an appointment."""

    appointment_id: UUID
    starts_at: datetime
    time_zone: str

    @classmethod
    def read(cls, stored: dict[str, Any]) -> Occurrence:
        """From the stored JSON."""
        starts_at = datetime.fromisoformat(stored["starts_at"])
        return cls(UUID(stored["appointment_id"]), starts_at, stored["time_zone"])


async def unhandled_notices(session: AsyncSession, *, first: int = 200) -> Sequence[tuple[UUID, UUID]]:
    """(notice id, custodian agency id) of what waits, oldest first; for the dispatcher."""
    columns = select(Notice.id, Notice.agency_id).where(Notice.handled_at.is_(None))
    rows = await session.execute(columns.order_by(Notice.created_at, Notice.id).limit(first))
    return [(row.id, row.agency_id) for row in rows]


async def plan_notice(session: AsyncSession, notice_id: UUID, *, now: datetime) -> int:
    """Turn one notice into texts, in its custodian's context; what was pending is replaced in this transaction (M9).

    Returns:
        how many texts were planned; 0 also where another worker has the notice.
    """
    columns = select(Notice.agency_id, Notice.referral_id, Notice.kind, Notice.occurrence)
    waiting = columns.where(Notice.id == notice_id, Notice.handled_at.is_(None)).with_for_update(skip_locked=True)
    notice = (await session.execute(waiting)).one_or_none()
    if notice is None:
        return 0
    message, occurrence = Message(notice.kind), Occurrence.read(notice.occurrence)
    await session.execute(update(Notice).where(Notice.id == notice_id).values(handled_at=now))
    if message is not Message.APPOINTMENT_SET:
        # A text planned from an older notice after the trigger had run.
        await cancel_texts(session, subject_id=notice.referral_id, reason="superseded", now=now)
    contact = await load_contact(session, notice.referral_id, occurrence.appointment_id)
    against = why_not(contact, message, occurrence.starts_at, now)
    if against is Withheld.APPOINTMENT_CHANGED:
        return 0  # a later notice tells what holds now
    if contact is None or against is not None:
        await _tell_a_person(session, notice.agency_id, notice.referral_id, against, now)
        return 0
    due, gone = texts_due(message, occurrence, contact, now)
    if gone:
        await _tell_a_person(session, notice.agency_id, notice.referral_id, Withheld.WINDOW_GONE, now)
    for text_due in due:
        await _schedule(session, text_due, contact, notice.referral_id, notice.occurrence, now)
    return len(due)


def texts_due(message: Message, occurrence: Occurrence, contact: Contact, now: datetime) -> tuple[list[Due], bool]:
    """The announcement in the next safe window and, for a time that holds, the reminders. Pure.

    Returns:
        the texts, and whether one that should be sent has no window left before the appointment.
    """
    windows, zone = read_windows(contact.safe_windows), ZoneInfo(contact.time_zone)
    announced = next_slot(windows, zone, since=now, until=occurrence.starts_at)
    due = [] if announced is None else [Due(message, announced)]
    gone = announced is None
    for before in () if message is Message.APPOINTMENT_CANCELLED else REMINDERS_BEFORE:
        moment = occurrence.starts_at - before
        if moment <= now:
            continue
        slot = next_slot(windows, zone, since=moment, until=occurrence.starts_at)
        if slot is None:
            gone = True
        elif all(slot.due_at > earlier.slot.due_at for earlier in due):
            due.append(Due(Message.APPOINTMENT_REMINDER, slot))
    return due, gone


async def _schedule(
    session: AsyncSession, due: Due, contact: Contact, referral_id: UUID, occurrence: dict[str, Any], now: datetime
) -> None:
    text_id = uuid4()
    values = {
        "id": text_id,
        "agency_id": contact.agency_id,
        "survivor_id": contact.survivor_id,
        "subject_id": referral_id,
        "kind": due.message,
        "priority": _PRIORITY.get(due.message, ROUTINE),
        "due_at": due.slot.due_at,
        "claimable_at": due.slot.due_at,
        "send_before": due.slot.send_before,
        "occurrence": occurrence,
        "state": TextState.SCHEDULED,
        "state_at": now,
        "created_at": now,
    }
    await session.execute(insert(TextMessage).values(values).on_conflict_do_nothing().inline())
    await record(session, Action.TEXT_PLANNED, "text_message", text_id, kind=due.message)


async def _tell_a_person(
    session: AsyncSession, agency_id: UUID, referral_id: UUID, reason: Withheld | None, now: datetime
) -> None:
    detail = {"reason": str(reason or Withheld.NO_CONTACT_PLAN)}
    await open_task(
        session,
        agency_id=agency_id,
        kind="survivor_not_texted",
        subject_kind="referral",
        subject_id=referral_id,
        now=now,
        detail=detail,
    )

"""From a notice to the texts it calls for: when each is due, or a person who is told why there is none (M1, M2, M9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.messaging.cancelling import cancel_texts
from referralnet.messaging.contacts import Contact, load_contact
from referralnet.messaging.digest import plan_digest
from referralnet.messaging.notices import REFERRAL_NEWS
from referralnet.messaging.permission import Withheld, why_not
from referralnet.messaging.scheduling import schedule_text, tell_not_texted
from referralnet.messaging.tables import SENT_OR_SENDING, Notice, TextMessage
from referralnet.messaging.text_policy import reminder_hours
from referralnet.messaging.windows import Slot, before, next_slot, read_windows
from referralnet.messaging.wording import Message


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


@dataclass(frozen=True, slots=True)
class Told:
    """What is on her phone of an appointment, or on its way there. `at`: when the last of it was due."""

    announced: bool = False
    at: datetime | None = None


class WaitingNotice(NamedTuple):
    """A notice that waits, its custodian, and what it is about."""

    id: UUID
    agency_id: UUID
    referral_id: UUID


async def unhandled_notices(session: AsyncSession, *, first: int = 200) -> Sequence[WaitingNotice]:
    """What waits, oldest first; for the dispatcher."""
    columns = select(Notice.id, Notice.agency_id, Notice.referral_id).where(Notice.handled_at.is_(None))
    rows = await session.execute(columns.order_by(Notice.created_at, Notice.id).limit(first))
    return [WaitingNotice(*row) for row in rows]


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
    await session.execute(update(Notice).where(Notice.id == notice_id).values(handled_at=now))
    if notice.kind == REFERRAL_NEWS:
        return await _plan_news(session, notice.referral_id, now)
    message, occurrence = Message(notice.kind), Occurrence.read(notice.occurrence)
    contact = await load_contact(session, notice.referral_id, occurrence.appointment_id)
    against = why_not(contact, message, occurrence.starts_at, now)
    if against is Withheld.APPOINTMENT_CHANGED:
        # Another notice tells what holds now, and may have been read before: those of one moment come in any order.
        return 0
    if message is not Message.APPOINTMENT_SET:
        # A text planned from an older notice after the trigger had run.
        await cancel_texts(session, subject_id=notice.referral_id, reason="superseded", now=now)
    if contact is None or against is not None:
        reason = against or Withheld.NO_CONTACT_PLAN
        await tell_not_texted(session, notice.agency_id, "referral", notice.referral_id, reason, now=now)
        return 0
    due, gone = texts_due(message, occurrence, contact, now)
    if gone:
        await tell_not_texted(session, notice.agency_id, "referral", notice.referral_id, Withheld.WINDOW_GONE, now=now)
    return await _schedule(session, due, contact, notice.referral_id, notice.occurrence, now)


async def plan_again(
    session: AsyncSession,
    referral_id: UUID,
    message: Message,
    stored: dict[str, Any],
    *,
    taken_back: bool,
    now: datetime,
) -> int:
    """Plan what is still to be told of an appointment, after her contact plan changed (survivor's custody).

    Args:
        message, stored: the kind and the occurrence of the last notice of it.
        taken_back: whether texts about it had been waiting. Only then is a person told where none can go any more.

    Returns:
        how many texts were planned.
    """
    occurrence = Occurrence.read(stored)
    contact = await load_contact(session, referral_id, occurrence.appointment_id)
    if contact is None or occurrence.starts_at <= now:
        return 0
    against = why_not(contact, message, occurrence.starts_at, now)
    told = await _told(session, referral_id, stored)
    wanted = None if told.announced or (message is Message.APPOINTMENT_CANCELLED and not taken_back) else message
    due, gone = ([], True) if against else texts_due(wanted, occurrence, contact, now, told.at)
    if message is Message.APPOINTMENT_CANCELLED and wanted is None:
        return 0
    if gone and taken_back and against is not Withheld.APPOINTMENT_CHANGED:
        reason = against or Withheld.WINDOW_GONE
        await tell_not_texted(session, contact.agency_id, "referral", referral_id, reason, now=now)
    return await _schedule(session, due, contact, referral_id, stored, now)


def texts_due(
    message: Message | None,
    occurrence: Occurrence,
    contact: Contact,
    now: datetime,
    told_at: datetime | None = None,
) -> tuple[list[Due], bool]:
    """The announcement in the next safe window and, for a time that holds, the reminders. Pure.

    Args:
        message: the announcement, or None where it is on her phone.
        told_at: when the last text about this time was due that is on her phone; it counts as every reminder before.

    Returns:
        the texts, and whether one that should be sent has no window left before the appointment.
    """
    windows, zone = read_windows(contact.safe_windows), ZoneInfo(contact.time_zone)
    moments = [] if message is None else [(message, now)]
    if message is not Message.APPOINTMENT_CANCELLED:
        reminders = (before(occurrence.starts_at, hours, zone) for hours in reminder_hours(contact.reminder_hours))
        moments += [(Message.APPOINTMENT_REMINDER, at) for at in reminders if told_at is None or told_at < at]
    due: list[Due] = []
    gone = False
    for kind, moment in moments:
        slot = next_slot(windows, zone, since=max(moment, now), until=occurrence.starts_at)
        if slot is None:
            gone = True
        elif all(slot.due_at > earlier.slot.due_at for earlier in due):
            due.append(Due(kind, slot))
    return due, gone


async def _told(session: AsyncSession, referral_id: UUID, stored: dict[str, Any]) -> Told:
    told = select(TextMessage.kind, TextMessage.due_at).where(
        TextMessage.subject_id == referral_id,
        TextMessage.occurrence == stored,
        TextMessage.state.in_(SENT_OR_SENDING),
    )
    rows = (await session.execute(told)).all()
    announced = any(row.kind != Message.APPOINTMENT_REMINDER for row in rows)
    return Told(announced, max((row.due_at for row in rows), default=None))


async def _schedule(
    session: AsyncSession,
    due: Sequence[Due],
    contact: Contact,
    referral_id: UUID,
    stored: dict[str, Any],
    now: datetime,
) -> int:
    for one in due:
        await schedule_text(session, contact, one.message, one.slot, subject_id=referral_id, occurrence=stored, now=now)
    return len(due)


async def _plan_news(session: AsyncSession, referral_id: UUID, now: datetime) -> int:
    of_referral = text("select survivor_id from survivor_referral where referral_id = :id")
    survivor_id = await session.scalar(of_referral, {"id": referral_id})
    return 0 if survivor_id is None else await plan_digest(session, UUID(str(survivor_id)), now=now)

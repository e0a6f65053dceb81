"""The text that asks whether her number still is hers, some days before it has to be confirmed anew (M1)."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.messaging.contacts import Contact
from referralnet.messaging.permission import Withheld, why_not_at_all
from referralnet.messaging.policy import RECONFIRM_BEFORE
from referralnet.messaging.scheduling import schedule_text
from referralnet.messaging.tables import SENT_OR_SENDING, TextMessage
from referralnet.messaging.windows import Slot, next_slot, read_windows
from referralnet.messaging.wording import Message


async def plan_asking_again(session: AsyncSession, contact: Contact, *, now: datetime) -> int:
    """Plan the question for the date in her plan, in her custodian's context.

    Nothing is planned where she may not be texted, or has just been asked by a person: then the date itself becomes a
    task when it passes (survivors/reconfirming.py).

    Returns:
        1 where a text was planned.
    """
    occurrence = _occurrence(contact)
    if why_not_at_all(contact, now) is not None or await _was_asked(session, contact, occurrence):
        return 0
    slot = asking_slot(contact, now)
    if slot is None:
        return 0
    message, about = Message.RECONFIRM_CONTACT, contact.survivor_id
    return await schedule_text(session, contact, message, slot, subject_id=about, occurrence=occurrence, now=now)


def asking_slot(contact: Contact, now: datetime) -> Slot | None:
    """Her first safe hour from some days before the date on, and before the date is over. Pure."""
    zone = ZoneInfo(contact.time_zone)
    since = datetime.combine(contact.reconfirm_by - RECONFIRM_BEFORE, time(), zone)
    until = datetime.combine(contact.reconfirm_by + timedelta(days=1), time(), zone)
    return None if since <= now else next_slot(read_windows(contact.safe_windows), zone, since=since, until=until)


def why_not_ask_again(contact: Contact, occurrence: dict[str, Any], now: datetime) -> Withheld | None:
    """The first reason not to ask, at the moment of sending. Pure."""
    if occurrence != _occurrence(contact):
        return Withheld.PLAN_CHANGED
    return why_not_at_all(contact, now)


def _occurrence(contact: Contact) -> dict[str, Any]:
    return {"reconfirm_by": contact.reconfirm_by.isoformat()}


async def _was_asked(session: AsyncSession, contact: Contact, occurrence: dict[str, Any]) -> bool:
    asked = select(TextMessage.id).where(
        TextMessage.survivor_id == contact.survivor_id,
        TextMessage.kind == Message.RECONFIRM_CONTACT,
        TextMessage.occurrence == occurrence,
        TextMessage.state.in_(SENT_OR_SENDING),
    )
    return await session.scalar(asked.limit(1)) is not None

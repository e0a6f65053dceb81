"""Putting one text into the outbox for its slot, or on a person's worklist because there is none."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.identity.tasks import open_task
from referralnet.messaging.checking import dearest
from referralnet.messaging.contacts import Contact
from referralnet.messaging.permission import Withheld
from referralnet.messaging.policy import PRIORITY, ROUTINE
from referralnet.messaging.tables import TextMessage, TextState
from referralnet.messaging.windows import Slot
from referralnet.messaging.wording import Message, WordingMissing, catalogue

NOT_TEXTED_TASK = "survivor_not_texted"


async def schedule_text(
    session: AsyncSession,
    contact: Contact,
    message: Message,
    slot: Slot,
    *,
    subject_id: UUID,
    occurrence: dict[str, Any],
    now: datetime,
) -> bool:
    """One text, due at the beginning of its slot; False where the same text waits already.

    Args:
        subject_id: what it is about: a referral, or herself.
        occurrence: what a later look needs to judge it again.
    """
    text_id = uuid4()
    values = {
        "id": text_id,
        "agency_id": contact.agency_id,
        "survivor_id": contact.survivor_id,
        "subject_id": subject_id,
        "kind": message,
        "priority": PRIORITY.get(message, ROUTINE),
        "due_at": slot.due_at,
        "claimable_at": slot.due_at,
        "send_before": slot.send_before,
        "segments": segments_at_most(contact.language, message),
        "occurrence": occurrence,
        "state": TextState.SCHEDULED,
        "state_at": now,
        "created_at": now,
    }
    added = insert(TextMessage).values(values).on_conflict_do_nothing().returning(TextMessage.id)
    if await session.scalar(added) is None:
        return False
    await record(session, Action.TEXT_PLANNED, "text_message", text_id, kind=message)
    return True


def segments_at_most(language: str, message: Message) -> int:
    """What a text is counted as before it is written; whether it can be written is judged when it is claimed."""
    try:
        return dearest(language, message).segments
    except WordingMissing:
        return catalogue()[message].segments_at_most


async def tell_not_texted(
    session: AsyncSession, agency_id: UUID, subject_kind: str, subject_id: UUID, reason: Withheld, *, now: datetime
) -> None:
    """Tell a person that no text goes out, and why: of a referral, or of a survivor."""
    await open_task(
        session,
        agency_id=agency_id,
        kind=NOT_TEXTED_TASK,
        subject_kind=subject_kind,
        subject_id=subject_id,
        now=now,
        detail={"reason": str(reason)},
    )

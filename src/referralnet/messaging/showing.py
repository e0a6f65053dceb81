"""Each text to her as her phone would show it, for the people of the agency that has her in its custody.

What was sent is not kept in words beyond its hours (M10): the body is written again from the same wording, in the
language and under the label of her contact plan as it stands now.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.errors import NotFound
from referralnet.messaging import segments, wording
from referralnet.messaging.delivery import Delivery, Line, describe_delivery
from referralnet.messaging.segments import Cost
from referralnet.messaging.tables import TextMessage, TextState
from referralnet.messaging.wording import Message, Occasion, WordingMissing
from referralnet.survivors.tables import ContactPlan

TEXTS_MAX = 100


@dataclass(frozen=True, slots=True)
class ShownText:
    """One text; `body`, `cost` and `language` are None where she has no contact plan any more."""

    id: UUID
    subject_id: UUID
    """What it is about: a referral, or herself."""
    kind: Message
    due_at: datetime
    send_before: datetime
    time_zone: str | None
    state_at: datetime
    delivery: Delivery
    language: str | None
    body: str | None
    cost: Cost | None

    @property
    def is_ahead(self) -> bool:
        """Whether it still waits for its hour."""
        return self.delivery.line is Line.QUEUED


async def show_texts(session: AsyncSession, referral_id: UUID) -> list[ShownText]:
    """The texts about a referral, the last due first; row security leaves none to any other agency."""
    return await _show(session, TextMessage.subject_id == referral_id)


async def show_texts_to(session: AsyncSession, survivor_id: UUID) -> list[ShownText]:
    """Every text to a survivor, the last due first; row security leaves none to any other agency."""
    return await _show(session, TextMessage.survivor_id == survivor_id)


async def show_text(session: AsyncSession, text_id: UUID) -> ShownText:
    """One text.

    Raises:
        NotFound: there is none in this custody.
    """
    found = await _show(session, TextMessage.id == text_id)
    if not found:
        raise NotFound
    return found[0]


async def _show(session: AsyncSession, about: ColumnElement[bool]) -> list[ShownText]:
    columns = select(
        TextMessage.id, TextMessage.subject_id, TextMessage.kind, TextMessage.due_at, TextMessage.send_before,
        TextMessage.state, TextMessage.state_at, TextMessage.error_code, TextMessage.occurrence,
        ContactPlan.language, ContactPlan.sender_label, ContactPlan.time_zone,
    ).outerjoin(ContactPlan, ContactPlan.survivor_id == TextMessage.survivor_id)  # fmt: skip
    newest = columns.where(about).order_by(TextMessage.due_at.desc(), TextMessage.id).limit(TEXTS_MAX)
    return [_shown(row) for row in await session.execute(newest)]


def _shown(row: Any) -> ShownText:
    kind = Message(row.kind)
    body = _body(kind, row) if row.language else None
    return ShownText(
        id=row.id,
        subject_id=row.subject_id,
        kind=kind,
        due_at=row.due_at,
        send_before=row.send_before,
        time_zone=row.time_zone,
        state_at=row.state_at,
        delivery=describe_delivery(TextState(row.state), row.error_code),
        language=row.language,
        body=body,
        cost=segments.cost(body) if body else None,
    )


def _body(kind: Message, row: Any) -> str | None:
    starts_at = row.occurrence.get("starts_at")
    occasion = None
    if wording.catalogue()[kind].variables:
        at = datetime.fromisoformat(starts_at) if starts_at else row.due_at
        occasion = Occasion(at, row.time_zone, row.sender_label)
    try:
        return wording.render(kind, row.language, occasion)
    except WordingMissing:
        return None

"""What became of each text, for the people of the agency that has her in its custody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.messaging.tables import CarrierState, TextMessage, TextState


@dataclass(frozen=True, slots=True)
class TextRow:
    """One text: its kind, its moment and its state; never its number or its words."""

    id: UUID
    kind: str
    due_at: datetime
    send_before: datetime
    state: TextState
    state_at: datetime
    attempts: int
    error_code: str | None
    waits_for_carrier: bool
    """It is due, and the carrier gives no clear answer to any text."""


async def list_texts(session: AsyncSession, referral_id: UUID) -> list[TextRow]:
    """The texts about a referral, by when they are due; row security leaves none to any other agency."""
    return await _list(session, TextMessage.subject_id == referral_id)


async def list_texts_to(session: AsyncSession, survivor_id: UUID) -> list[TextRow]:
    """Every text to a survivor, by when it is due; row security leaves none to any other agency."""
    return await _list(session, TextMessage.survivor_id == survivor_id)


async def _list(session: AsyncSession, about: ColumnElement[bool]) -> list[TextRow]:
    columns = select(
        TextMessage.id,
        TextMessage.kind,
        TextMessage.due_at,
        TextMessage.send_before,
        TextMessage.state,
        TextMessage.state_at,
        TextMessage.attempts,
        TextMessage.error_code,
        and_(
            TextMessage.state == TextState.SCHEDULED,
            TextMessage.due_at <= func.now(),
            exists(CarrierState.id).where(CarrierState.silent_since.is_not(None)),
        ).label("waits_for_carrier"),
    )
    rows = await session.execute(columns.where(about).order_by(TextMessage.due_at, TextMessage.id))
    return [
        TextRow(
            id=row.id,
            kind=row.kind,
            due_at=row.due_at,
            send_before=row.send_before,
            state=TextState(row.state),
            state_at=row.state_at,
            attempts=row.attempts,
            error_code=row.error_code,
            waits_for_carrier=row.waits_for_carrier,
        )
        for row in rows
    ]

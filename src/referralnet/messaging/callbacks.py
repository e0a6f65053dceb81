"""What the carrier reports about a text: statuses only ever move forward, and settle what was unknown (M5, M7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.encryption.keyring import Keyring
from referralnet.encryption.lookup import lookup_hash
from referralnet.identity.tasks import settle_tasks
from referralnet.messaging.carriers import Report
from referralnet.messaging.carriers.meanings import opts_out
from referralnet.messaging.claiming import NOT_SENT_TASK, number_of_text
from referralnet.messaging.outbox import UNSETTLED_TASK, DueText, tell_a_person
from referralnet.messaging.permit import Held, hold_sending
from referralnet.messaging.policy import CALLBACKS_KEPT
from referralnet.messaging.suppressing import suppress
from referralnet.messaging.tables import CarrierCallback, TextMessage, TextState

FORGOTTEN_AT_ONCE = 5_000
# How far along each state is. A report moves a text only to a higher rank, and no two have the same, so that the order
# in which reports come decides nothing; `delivered` is the last word, even when late.
RANK = {
    TextState.ACCEPTED: 1,
    TextState.SENT: 2,
    TextState.FAILED: 3,
    TextState.UNDELIVERED: 4,
    TextState.DELIVERED: 5,
}


@dataclass(frozen=True, slots=True)
class StoredReport:
    """A report that waits to be applied, and the text it is about."""

    id: UUID
    text: DueText
    report: Report


_NEVER_HANDED_OVER = frozenset({TextState.SCHEDULED, TextState.HELD, TextState.EXPIRED, TextState.CANCELLED})
_log = structlog.get_logger("referralnet.messaging")

NEVER_LISTED = "never_at_carrier"
"""Our own guess about a text, because the carrier's list lacked it for long; any word of the carrier's is better."""


def moves_forward(present: TextState, reported: TextState) -> bool:
    """Whether a report may change a text; where it has not been seen at the carrier, any report is news. Pure."""
    return RANK[reported] > RANK.get(present, 0)


async def unhandled_callbacks(session: AsyncSession, *, first: int = 500) -> Sequence[StoredReport]:
    """Reports that wait, oldest first, with the custody of their texts; for the dispatcher."""
    rows = await session.execute(
        select(
            CarrierCallback.id,
            CarrierCallback.text_id,
            TextMessage.agency_id,
            CarrierCallback.carrier_sid,
            CarrierCallback.status,
            CarrierCallback.error_code,
        )
        .outerjoin(TextMessage, TextMessage.id == CarrierCallback.text_id)
        .where(CarrierCallback.handled_at.is_(None))
        .order_by(CarrierCallback.received_at, CarrierCallback.id)
        .limit(first)
    )
    return [
        StoredReport(
            row.id,
            DueText(row.text_id, row.agency_id),
            Report(row.carrier_sid, TextState(row.status), row.error_code),
        )
        for row in rows
    ]


async def handle_callback(session: AsyncSession, stored: StoredReport, *, keyring: Keyring, now: datetime) -> bool:
    """Apply a waiting report in the custody of its text; False where the text is being sent right now: it waits."""
    if not await apply_report(session, stored.text, stored.report, keyring=keyring, now=now):
        return False
    await session.execute(update(CarrierCallback).where(CarrierCallback.id == stored.id).values(handled_at=now))
    return True


async def forget_callbacks(session: AsyncSession, *, now: datetime) -> int:
    """Delete some reports that were applied long ago, for the dispatcher; returns how many.

    The text has what they said. One that comes once more after that is applied once more, and changes nothing (M7).
    """
    old = select(CarrierCallback.id).where(CarrierCallback.handled_at < now - CALLBACKS_KEPT)
    some = old.order_by(CarrierCallback.handled_at).limit(FORGOTTEN_AT_ONCE)
    gone = await session.execute(
        delete(CarrierCallback)
        .where(CarrierCallback.id.in_(some))
        .returning(CarrierCallback.id)
        .execution_options(synchronize_session=False)
    )
    return len(gone.all())


async def apply_report(
    session: AsyncSession, text: DueText, report: Report, *, keyring: Keyring, now: datetime
) -> bool:
    """Move a text forward to what the carrier reports, in its custody.

    Returns:
        False where another transaction holds the text and the report has to wait.
    """
    exists = await session.scalar(select(TextMessage.id).where(TextMessage.id == text.id))
    if exists is None:
        return True  # nothing of ours
    locked = select(TextMessage).where(TextMessage.id == text.id).with_for_update(skip_locked=True)
    row = (await session.scalars(locked)).one_or_none()
    if row is None:
        return False
    if opts_out(report.error_code) and row.to_sealed is not None:
        # Whether it says anything new about the text or not.
        number = await number_of_text(session, row, keyring)
        await suppress(session, lookup_hash(keyring, "phone", number), via="carrier", now=now)
    present = TextState(row.state)
    if present in _NEVER_HANDED_OVER and row.attempts == 0:
        # Somebody else has: a copy of this database, with the same texts and the same carrier.
        _log.error("text_sent_elsewhere", text_id=str(row.id))
        await hold_sending(session, Held.SENT_ELSEWHERE)
    if row.error_code == NEVER_LISTED or moves_forward(present, report.state):
        await _move(session, row, report, now=now)
        await _tell(session, text, report, now=now)
    return True


async def _move(session: AsyncSession, row: TextMessage, report: Report, *, now: datetime) -> None:
    values = {"state": report.state, "state_at": now, "lease_until": None, "error_code": report.error_code}
    if row.state not in RANK:
        # It is with the carrier, whatever we believed: take it from whoever holds a claim.
        values["fence"] = row.fence + 1
    moved = update(TextMessage).where(TextMessage.id == row.id).values(values)
    await session.execute(moved.execution_options(synchronize_session=False))
    if row.carrier_sid is None:
        await _name(session, row.id, report.carrier_sid)


async def _name(session: AsyncSession, text_id: UUID, carrier_sid: str) -> None:
    """Keep what the carrier calls a text; not where it calls another text the same, which must not stop its reports."""
    named = update(TextMessage).where(TextMessage.id == text_id).values(carrier_sid=carrier_sid)
    try:
        async with session.begin_nested():
            await session.execute(named.execution_options(synchronize_session=False))
    except IntegrityError:
        return


async def _tell(session: AsyncSession, text: DueText, report: Report, *, now: datetime) -> None:
    await settle_tasks(session, UNSETTLED_TASK, text.id, now=now)
    if report.state is TextState.DELIVERED:
        await settle_tasks(session, NOT_SENT_TASK, text.id, now=now)
    elif report.state in (TextState.UNDELIVERED, TextState.FAILED):
        reason = report.error_code or report.state
        await tell_a_person(session, text.agency_id, NOT_SENT_TASK, text.id, reason, now=now)

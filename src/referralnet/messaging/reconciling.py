"""Settling `unknown` texts by the carrier's own list, and telling a person of each (M5). Nothing here ever sends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.database.acting import Dispatcher
from referralnet.encryption.data_keys import KeyGone
from referralnet.encryption.keyring import Keyring
from referralnet.encryption.sealing import open_sealed
from referralnet.messaging import outbox
from referralnet.messaging.callbacks import NEVER_LISTED, apply_report
from referralnet.messaging.carriers import Ambiguous, Busy, RemoteText, Report
from referralnet.messaging.claiming import body_place, key_of_text, to_place
from referralnet.messaging.outbox import DueText
from referralnet.messaging.sending import Sender
from referralnet.messaging.tables import TextMessage, TextState

# A carrier's list lags behind its answers.
_LIST_LAG = timedelta(seconds=5)
_CLOCKS_DIFFER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class _Unsettled:
    text: DueText
    to: str
    body: str
    since: datetime
    unknown_since: datetime


async def untold_texts(session: AsyncSession, *, now: datetime, first: int = 200) -> Sequence[DueText]:
    """Unknown texts that nobody was told of: those that a withdrawal found in a dead worker's hands. For the
    dispatcher.
    """
    return await _unknown(session, first, TextMessage.told_at.is_(None), TextMessage.state_at < now - _LIST_LAG)


async def tell_of_one_unknown(session: AsyncSession, text: DueText, *, now: datetime) -> None:
    """Open a task for an unknown text, in its custody."""
    still = update(TextMessage).where(TextMessage.id == text.id, TextMessage.state == TextState.UNKNOWN)
    if await session.scalar(still.values(told_at=now).returning(TextMessage.id)) is not None:
        await outbox.tell_a_person(session, text.agency_id, outbox.UNSETTLED_TASK, text.id, "interrupted", now=now)


async def texts_to_look_up(session: AsyncSession, *, now: datetime, first: int = 200) -> Sequence[DueText]:
    """Unknown texts that may stand in the carrier's list, for the dispatcher."""
    # Without a number there is nothing to look for any more.
    return await _unknown(session, first, TextMessage.state_at < now - _LIST_LAG, TextMessage.to_sealed.is_not(None))


async def settle_by_listing(sender: Sender, text: DueText, *, unlisted_seconds: float) -> int:
    """Look an unknown text up in the carrier's list: found, it is with the carrier; missing for long, it never was.

    Args:
        unlisted_seconds: after so long an unlisted text is settled as failed; the person who was told decides what
        to do.

    Returns:
        1 where it was settled.
    """
    async with sender.database.transaction(text.custody) as session:
        unsettled = await _open(session, text, sender.keyring)
    return 0 if unsettled is None else await _settle(sender, unsettled, unlisted_seconds)


async def alike_at_carrier(sender: Sender, text: DueText) -> Sequence[RemoteText]:
    """What the carrier lists with the number and the body of an unsettled text, and no text of ours is known to be.

    Raises:
        Busy, Ambiguous: there is no list now.
    """
    async with sender.database.transaction(text.custody) as session:
        unsettled = await _open(session, text, sender.keyring)
    return [] if unsettled is None else await _alike(sender, unsettled)


async def _unknown(session: AsyncSession, first: int, *where: ColumnElement[bool]) -> Sequence[DueText]:
    columns = select(TextMessage.id, TextMessage.agency_id).where(TextMessage.state == TextState.UNKNOWN, *where)
    rows = await session.execute(columns.order_by(TextMessage.state_at).limit(first))
    return [DueText(row.id, row.agency_id) for row in rows]


async def _open(session: AsyncSession, text: DueText, keyring: Keyring) -> _Unsettled | None:
    row = (await session.scalars(select(TextMessage).where(TextMessage.id == text.id))).one_or_none()
    if row is None or row.to_sealed is None or row.body_sealed is None:
        return None
    try:
        key = await key_of_text(session, row, keyring)
    except KeyGone:
        return None  # erased: nothing of it can be looked up any more
    to, body = open_sealed(key, row.to_sealed, to_place(row.id)), open_sealed(key, row.body_sealed, body_place(row.id))
    return _Unsettled(text, to, body, row.claimable_at, row.state_at)


async def _settle(sender: Sender, unsettled: _Unsettled, unlisted_seconds: float) -> int:
    try:
        mine = await _alike(sender, unsettled)
    except (Busy, Ambiguous):
        return 0
    now = sender.clock.now()
    async with sender.database.transaction(unsettled.text.custody) as session:
        if len(mine) == 1:
            report = Report(mine[0].sid, mine[0].state or TextState.ACCEPTED, mine[0].error_code)
            return int(await apply_report(session, unsettled.text, report, keyring=sender.keyring, now=now))
        if mine or now - unsettled.unknown_since < timedelta(seconds=unlisted_seconds):
            return 0  # two alike, or too early to say: the person who was told decides
        return await _never_there(session, unsettled.text.id, now)


async def _alike(sender: Sender, unsettled: _Unsettled) -> list[RemoteText]:
    listed = await sender.carrier.list_recent(unsettled.to, unsettled.since - _CLOCKS_DIFFER)
    return await _not_ours_yet(sender, [remote for remote in listed if remote.body == unsettled.body])


async def _not_ours_yet(sender: Sender, listed: Sequence[RemoteText]) -> list[RemoteText]:
    if not listed:
        return []
    async with sender.database.transaction(Dispatcher()) as session:
        named = select(TextMessage.carrier_sid).where(TextMessage.carrier_sid.in_([remote.sid for remote in listed]))
        known = set(await session.scalars(named))
    return [remote for remote in listed if remote.sid not in known]


async def _never_there(session: AsyncSession, text_id: UUID, now: datetime) -> int:
    # The task stays open: that it was never sent is exactly what a person has to act upon.
    settled = await session.scalar(
        update(TextMessage)
        .where(TextMessage.id == text_id, TextMessage.state == TextState.UNKNOWN)
        .values(state=TextState.FAILED, state_at=now, error_code=NEVER_LISTED)
        .returning(TextMessage.id)
    )
    return int(settled is not None)

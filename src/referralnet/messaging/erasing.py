"""Bodies and numbers of texts are erased, here and at the carrier, once nothing more can arrive about them (M10)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.database.acting import Dispatcher
from referralnet.database.transactions import Database
from referralnet.messaging.carriers import Ambiguous, Busy, Refused
from referralnet.messaging.outbox import DueText, tell_a_person
from referralnet.messaging.permit import may_send
from referralnet.messaging.policy import (
    ERASED_AGAIN_AFTER,
    KEPT_AFTER_LAST_STATUS,
    LAST_STATES,
    SILENT_AFTER,
    SILENT_STATES,
)
from referralnet.messaging.reconciling import alike_at_carrier
from referralnet.messaging.sending import Sender
from referralnet.messaging.tables import CarrierCallback, InboundText, TextMessage, TextState
from referralnet.messaging.words import forget_words

NOT_ERASED_TASK = "text_not_erased"
ANOTHER_CARRIERS = "another_carriers"
"""It is with a carrier that was chosen before: there, a person has to erase it."""
NEVER_REPORTED = "never_reported"
"""Nobody knows what the carrier calls it, or whether it has it."""
AT_ONCE_MAX = 200
"""Of each kind in one look. Fewer were due where fewer were erased, or the carrier is to be asked again later."""


@dataclass(frozen=True, slots=True)
class _Remote:
    """What the carrier still keeps: a text of ours, or with no `text` one that came in. Without a `sid` it has to be
    looked for.
    """

    id: UUID
    sid: str | None
    text: DueText | None

    @property
    def is_inbound(self) -> bool:
        return self.text is None

    @property
    def table(self) -> type[InboundText | TextMessage]:
        return InboundText if self.text is None else TextMessage


async def erase_here(database: Database, *, now: datetime) -> int:
    """Erase numbers and bodies whose time of keeping is over from this database; returns of how many texts.

    A text that nobody could settle waits until the carrier was asked for it by number and body.
    """
    unasked = and_(TextMessage.state == TextState.UNKNOWN, TextMessage.carrier_erased_at.is_(None))
    still_here = or_(TextMessage.to_sealed.is_not(None), TextMessage.body_sealed.is_not(None))
    async with database.transaction(Dispatcher()) as session:
        due = await _texts(session, still_here, _is_over(now), ~unasked)
        erased = await _erase_inbound(session, now) + await forget_words(session, now=now)
    for custody, texts in itertools.groupby(
        sorted(due, key=lambda text: str(text.agency_id)), lambda text: text.custody
    ):
        ids = [text.id for text in texts]
        async with database.transaction(custody) as session:
            kept = update(TextMessage).where(TextMessage.id.in_(ids), _is_over(now))
            await session.execute(kept.values(to_sealed=None, body_sealed=None, erased_at=now))
        erased += len(ids)
    return erased


async def erase_at_carrier(sender: Sender) -> int:
    """Have the carrier erase its records of texts whose time of keeping is over; returns of how many.

    Asking twice does no harm, so nothing is claimed: a worker that dies is followed by the next look. A database that
    was restored elsewhere asks nothing until a person has allowed it to text (M11).
    """
    now = sender.clock.now()
    async with sender.database.transaction(Dispatcher()) as session:
        if not await may_send(session):
            return 0
        due = await _at_carrier(session, now)
    erased = 0
    for remote in due:
        try:
            for sid in await _sids(sender, remote):
                await _erase(sender, sid, inbound=remote.is_inbound)
        except Busy:
            break
        except Ambiguous:
            await _note(sender, remote, erase_tried_at=now)
        except Refused as refused:
            # What is never reported cannot be found later either: a person was told, and here it need not wait.
            done = {"carrier_erased_at": now} if refused.code == NEVER_REPORTED else {"erase_tried_at": now}
            await _note(sender, remote, refused.code, **done)
        else:
            await _note(sender, remote, carrier_erased_at=now)
            erased += 1
    return erased


async def _erase(sender: Sender, sid: str, *, inbound: bool) -> None:
    if not sender.carrier.knows(sid):
        raise Refused(ANOTHER_CARRIERS)
    await sender.carrier.erase(sid, inbound=inbound)


def _is_over(now: datetime) -> ColumnElement[bool]:
    last = and_(TextMessage.state.in_(LAST_STATES), TextMessage.state_at < now - KEPT_AFTER_LAST_STATUS)
    return or_(last, and_(TextMessage.state.in_(SILENT_STATES), TextMessage.state_at < now - SILENT_AFTER))


async def _texts(session: AsyncSession, *where: ColumnElement[bool]) -> list[DueText]:
    columns = select(TextMessage.id, TextMessage.agency_id).where(*where)
    rows = await session.execute(columns.order_by(TextMessage.state_at).limit(AT_ONCE_MAX))
    return [DueText(row.id, row.agency_id) for row in rows]


async def _erase_inbound(session: AsyncSession, now: datetime) -> int:
    over = select(InboundText.id).where(
        InboundText.body_sealed.is_not(None), InboundText.handled_at < now - KEPT_AFTER_LAST_STATUS
    )
    ids = (await session.scalars(over.order_by(InboundText.handled_at).limit(AT_ONCE_MAX))).all()
    nothing = {"from_lookup": None, "from_sealed": None, "body_sealed": None}
    await session.execute(update(InboundText).where(InboundText.id.in_(ids)).values(nothing))
    return len(ids)


async def _at_carrier(session: AsyncSession, now: datetime) -> list[_Remote]:
    again = now - ERASED_AGAIN_AFTER
    to_look_for = and_(TextMessage.state == TextState.UNKNOWN, TextMessage.to_sealed.is_not(None))
    sent = (
        select(TextMessage.id, TextMessage.agency_id, TextMessage.carrier_sid)
        .where(
            TextMessage.carrier_erased_at.is_(None),
            or_(TextMessage.carrier_sid.is_not(None), to_look_for),
            or_(TextMessage.erase_tried_at.is_(None), TextMessage.erase_tried_at < again),
            _is_over(now),
        )
        .order_by(TextMessage.state_at)
        .limit(AT_ONCE_MAX)
    )
    came_in = (
        select(InboundText.id, InboundText.carrier_sid)
        .where(
            InboundText.carrier_erased_at.is_(None),
            or_(InboundText.erase_tried_at.is_(None), InboundText.erase_tried_at < again),
            InboundText.handled_at < now - KEPT_AFTER_LAST_STATUS,
        )
        .order_by(InboundText.handled_at)
        .limit(AT_ONCE_MAX)
    )
    ours = [_Remote(row.id, row.carrier_sid, DueText(row.id, row.agency_id)) for row in await session.execute(sent)]
    return ours + [_Remote(row.id, row.carrier_sid, None) for row in await session.execute(came_in)]


async def _sids(sender: Sender, remote: _Remote) -> Sequence[str]:
    if remote.text is None:
        return [remote.sid] if remote.sid else []
    known = await _names_of(sender, remote.text, remote.sid)
    if known:
        return sorted(known)
    if not sender.carrier.lists:
        raise Refused(NEVER_REPORTED)
    # Nobody could say which of several alike it is. All of them are old by now: none is needed any more.
    return [found.sid for found in await alike_at_carrier(sender, remote.text)]


async def _names_of(sender: Sender, text: DueText, sid: str | None) -> set[str]:
    """Every name by which the carrier has told of a text: a record under a second one holds her number as well."""
    async with sender.database.transaction(text.custody) as session:
        told = await session.scalars(
            select(CarrierCallback.carrier_sid).where(CarrierCallback.text_id == text.id).distinct()
        )
        return set(told) | ({sid} if sid else set())


async def _note(sender: Sender, remote: _Remote, refused: str | None = None, **values: datetime) -> None:
    custody = Dispatcher() if remote.text is None else remote.text.custody
    async with sender.database.transaction(custody) as session:
        await session.execute(update(remote.table).where(remote.table.id == remote.id).values(**values))
        if refused is not None and remote.text is not None:
            agency_id = remote.text.agency_id
            await tell_a_person(session, agency_id, NOT_ERASED_TASK, remote.id, refused, now=sender.clock.now())

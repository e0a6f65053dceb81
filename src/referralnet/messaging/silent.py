"""What the carrier took a day ago without a last word is asked about, and is settled or shown as what it is (M5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.database.acting import Dispatcher
from referralnet.messaging.callbacks import apply_report
from referralnet.messaging.carriers import Ambiguous, Busy, Report
from referralnet.messaging.delivery import NO_LAST_WORD
from referralnet.messaging.outbox import DueText
from referralnet.messaging.permit import may_send
from referralnet.messaging.policy import ASKED_ABOUT_AFTER, SILENT_AFTER
from referralnet.messaging.sending import Sender
from referralnet.messaging.tables import TextMessage, TextState

AT_ONCE_MAX = 200
_WITHOUT_LAST_WORD = (TextState.ACCEPTED, TextState.SENT)


@dataclass(frozen=True, slots=True)
class _Silent:
    text: DueText
    sid: str


async def ask_about_silent(sender: Sender) -> int:
    """Ask about each silent text once a day, until nothing more is expected of it; returns of how many it learnt more.

    Where the carrier cannot be asked, or says nothing final either, the people who sent the text read just that. Asking
    twice does no harm, so nothing is claimed. A database that was restored elsewhere asks nothing (M11).
    """
    now = sender.clock.now()
    async with sender.database.transaction(Dispatcher()) as session:
        silent = await _silent(session, now) if await may_send(session) else ()
    settled = 0
    for one in silent:
        try:
            report = await _ask(sender, one.sid)
        except Busy:
            break
        except Ambiguous:
            continue
        async with sender.database.transaction(one.text.custody) as session:
            settled += await _settle(session, sender, one, report, now)
    return settled


async def _silent(session: AsyncSession, now: datetime) -> Sequence[_Silent]:
    not_today = or_(TextMessage.asked_about_at.is_(None), TextMessage.asked_about_at < now - ASKED_ABOUT_AFTER)
    rows = await session.execute(
        select(TextMessage.id, TextMessage.agency_id, TextMessage.carrier_sid)
        .where(
            TextMessage.state.in_(_WITHOUT_LAST_WORD),
            TextMessage.state_at < now - ASKED_ABOUT_AFTER,
            TextMessage.state_at > now - SILENT_AFTER,
            TextMessage.carrier_sid.is_not(None),
            not_today,
        )
        .order_by(TextMessage.state_at)
        .limit(AT_ONCE_MAX)
    )
    return [_Silent(DueText(row.id, row.agency_id), row.carrier_sid) for row in rows]


async def _ask(sender: Sender, sid: str) -> Report | None:
    if not sender.carrier.lists or not sender.carrier.knows(sid):
        return None
    remote = await sender.carrier.look_up(sid)
    return None if remote is None or remote.state is None else Report(sid, remote.state, remote.error_code)


async def _settle(session: AsyncSession, sender: Sender, one: _Silent, report: Report | None, now: datetime) -> bool:
    mine = update(TextMessage).where(TextMessage.id == one.text.id)
    before = await session.scalar(select(TextMessage.state).where(TextMessage.id == one.text.id))
    if report is not None and not await apply_report(session, one.text, report, keyring=sender.keyring, now=now):
        return False
    # Whatever it has told, a day has gone by: what is still without a last word is shown as that.
    await session.execute(mine.values(asked_about_at=now))
    still = mine.where(TextMessage.state.in_(_WITHOUT_LAST_WORD)).values(error_code=NO_LAST_WORD)
    await session.execute(still.execution_options(synchronize_session=False))
    return before != await session.scalar(select(TextMessage.state).where(TextMessage.id == one.text.id))

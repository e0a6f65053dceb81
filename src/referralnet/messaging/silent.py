"""What the carrier took a day ago without a last word is asked about, and is settled or shown as what it is (M5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.messaging.callbacks import apply_report
from referralnet.messaging.carriers import Ambiguous, Report
from referralnet.messaging.delivery import NO_LAST_WORD
from referralnet.messaging.outbox import DueText
from referralnet.messaging.permit import may_send
from referralnet.messaging.policy import ASKED_ABOUT_AFTER, SILENT_AFTER
from referralnet.messaging.sending import Sender
from referralnet.messaging.tables import TextMessage, TextState

AT_ONCE_MAX = 200
_WITHOUT_LAST_WORD = (TextState.ACCEPTED, TextState.SENT)


@dataclass(frozen=True, slots=True)
class Silent:
    """A text that was taken, and what the carrier calls it."""

    text: DueText
    sid: str


async def ask_about_silent(sender: Sender, silent: Silent) -> bool:
    """Ask about a silent text; returns whether more is known of it now.

    Where the carrier cannot be asked, or says nothing final either, the people who sent the text read just that. Asking
    twice does no harm, so nothing is claimed.

    Raises:
        Busy: the carrier asks to come again later.
    """
    try:
        report = await _ask(sender, silent.sid)
    except Ambiguous:
        return False
    async with sender.database.transaction(silent.text.custody) as session:
        return await _settle(session, sender, silent, report, sender.clock.now())


async def silent_texts(session: AsyncSession, *, now: datetime, first: int = AT_ONCE_MAX) -> Sequence[Silent]:
    """What is to be asked about today, for the dispatcher: each once a day, until nothing more is expected of it.

    A database that was restored elsewhere asks nothing (M11).
    """
    if not await may_send(session):
        return ()
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
        .limit(first)
    )
    return [Silent(DueText(row.id, row.agency_id), row.carrier_sid) for row in rows]


async def _ask(sender: Sender, sid: str) -> Report | None:
    if not sender.carrier.lists or not sender.carrier.knows(sid):
        return None
    remote = await sender.carrier.look_up(sid)
    return None if remote is None or remote.state is None else Report(sid, remote.state, remote.error_code)


async def _settle(session: AsyncSession, sender: Sender, one: Silent, report: Report | None, now: datetime) -> bool:
    mine = update(TextMessage).where(TextMessage.id == one.text.id)
    before = await session.scalar(select(TextMessage.state).where(TextMessage.id == one.text.id))
    if report is not None and not await apply_report(session, one.text, report, keyring=sender.keyring, now=now):
        return False
    # Whatever it has told, a day has gone by: what is still without a last word is shown as that.
    await session.execute(mine.values(asked_about_at=now))
    still = mine.where(TextMessage.state.in_(_WITHOUT_LAST_WORD)).values(error_code=NO_LAST_WORD)
    await session.execute(still.execution_options(synchronize_session=False))
    return before != await session.scalar(select(TextMessage.state).where(TextMessage.id == one.text.id))

"""The digest: one text that says there is news, and nothing of what it is. Only where she chose it.

Whoever reads along learns that somebody has news for this phone, and may offer a call. Not what about, from whom, how
much of it, or when it happened: it waits for more, comes at most once a day, and its words have no value but the label.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.messaging.contacts import Contact, load_her_contact
from referralnet.messaging.permission import Withheld, why_not_at_all
from referralnet.messaging.policy import NEWS_APART, NEWS_GATHERS_FOR, NEWS_WITHIN
from referralnet.messaging.scheduling import schedule_text, tell_not_texted
from referralnet.messaging.tables import SENT_OR_SENDING, TextMessage
from referralnet.messaging.windows import Slot, next_slot, read_windows
from referralnet.messaging.wording import Message


async def plan_digest(session: AsyncSession, survivor_id: UUID, *, now: datetime) -> int:
    """Plan the text that tells her of news, in her custodian's context; several news make one text.

    Returns:
        1 where a text was planned. 0 where she did not choose it, one waits already, or a person was told instead.
    """
    contact = await load_her_contact(session, survivor_id)
    if contact is None or not contact.status_digest:
        return 0
    against = await why_no_digest(session, contact, now)
    if against is Withheld.RELEASE_ENDED:
        return 0  # nothing that she may be told of
    if against is None:
        slot = digest_slot(contact, now, await _last_at(session, survivor_id))
        if slot is not None:
            message = Message.STATUS_DIGEST
            return await schedule_text(session, contact, message, slot, subject_id=survivor_id, occurrence={}, now=now)
        against = Withheld.WINDOW_GONE
    await tell_not_texted(session, contact.agency_id, "survivor", survivor_id, against, now=now)
    return 0


def digest_slot(contact: Contact, now: datetime, last: datetime | None) -> Slot | None:
    """Her first safe hour after more news was waited for, a day or more after the `last` text. Pure."""
    since = now + NEWS_GATHERS_FOR if last is None else max(now + NEWS_GATHERS_FOR, last + NEWS_APART)
    windows, zone = read_windows(contact.safe_windows), ZoneInfo(contact.time_zone)
    return next_slot(windows, zone, since=since, until=since + NEWS_WITHIN)


async def why_no_digest(session: AsyncSession, contact: Contact, now: datetime) -> Withheld | None:
    """The first reason not to tell her of news, judged when planning and again at the moment of sending."""
    if not contact.status_digest:
        return Withheld.NOT_CHOSEN
    if (against := why_not_at_all(contact, now)) is not None:
        return against
    since = await _last_at(session, contact.survivor_id)
    return None if await _has_news(session, contact.survivor_id, since) else Withheld.RELEASE_ENDED


async def _last_at(session: AsyncSession, survivor_id: UUID) -> datetime | None:
    last = select(func.max(TextMessage.due_at)).where(
        TextMessage.survivor_id == survivor_id,
        TextMessage.kind == Message.STATUS_DIGEST,
        TextMessage.state.in_(SENT_OR_SENDING),
    )
    at: datetime | None = await session.scalar(last)
    return at


# News counts while she lets the agency know of her that it is from: after a withdrawal there is nothing to tell (C4).
_NEWS = text("""
    select exists (select from notice
      join survivor_referral link on link.referral_id = notice.referral_id
      join release on release.id = link.release_id and is_live(release)
    where link.survivor_id = :survivor_id and notice.kind = 'referral_news'
      and notice.created_at > coalesce(cast(:since as timestamptz), '-infinity'))
""")


async def _has_news(session: AsyncSession, survivor_id: UUID, since: datetime | None) -> bool:
    return bool(await session.scalar(_NEWS, {"survivor_id": survivor_id, "since": since}))

"""Her record has changed since the referral was sent: the custodian sees where, and tells it anew, or does not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.consent.categories import Category
from referralnet.consent.disclosures import NEWS_TASK
from referralnet.consent.news import News, news_of, tell_news
from referralnet.consent.refusals import ReleaseReplaced
from referralnet.consent.tables import DisclosureItem, DisclosureMade
from referralnet.consent.withdrawal_lock import hold_release_open
from referralnet.database.acting import Member
from referralnet.encryption.keyring import Keyring
from referralnet.errors import NotFound
from referralnet.identity.access import Permission, require
from referralnet.identity.tasks import open_task
from referralnet.referrals.lifecycle import ENDS
from referralnet.referrals.tables import Referral, SurvivorReferral


@dataclass(frozen=True, slots=True)
class Shared:
    """A disclosure as its custodian lists it: what was told of, and not what."""

    id: UUID
    version: int
    made_at: datetime
    categories: frozenset[Category]


async def update_to_share(
    session: AsyncSession, actor: Member, referral_id: UUID, *, keyring: Keyring, now: datetime
) -> News:
    """Which categories of what was told for an open referral have changed since; none where nothing has.

    Raises:
        NotPermitted, NotFound: not a coordinator; no such open referral of this agency's.
        NoLiveRelease, ReleaseWithdrawn, ReleaseNotStarted, ReleaseExpired
    """
    require(actor, Permission.SEND_REFERRALS)
    link = await _link(session, referral_id)
    return await _news(session, referral_id, link, keyring, now)


async def share_update(
    session: AsyncSession, actor: Member, referral_id: UUID, *, keyring: Keyring, now: datetime
) -> UUID:
    """Tell what is true today, under the same release, in the categories that were told before.

    The target reads the newest version; one that has accepted gets a task. Returns the disclosure's id.

    Raises:
        as update_to_share; and NothingNew, ReleaseReplaced: another release took its place just now.
    """
    require(actor, Permission.SEND_REFERRALS)
    link = await _lock(session, referral_id)
    news = await _news(session, referral_id, link, keyring, now)
    disclosure_id = await tell_news(
        session, news, referral_id=referral_id, release_id=link.release_id, keyring=keyring, now=now
    )
    if link.accepted_at is not None:
        await open_task(
            session, agency_id=link.target_agency_id, kind=NEWS_TASK, subject_kind="referral", subject_id=referral_id,
            now=now,
        )  # fmt: skip
    return disclosure_id


async def shared(session: AsyncSession, actor: Member, disclosure_id: UUID) -> Shared:
    """One disclosure of this custody.

    Raises:
        NotFound: there is none such.
    """
    require(actor, Permission.SEND_REFERRALS)
    categories = func.array_agg(DisclosureItem.category).label("categories")
    columns = (
        select(DisclosureMade.id, DisclosureMade.version, DisclosureMade.made_at, categories)
        .join(DisclosureItem, DisclosureItem.disclosure_id == DisclosureMade.id)
        .where(DisclosureMade.id == disclosure_id)
        .group_by(DisclosureMade.id)
    )
    row = (await session.execute(columns)).one_or_none()
    if row is None:
        raise NotFound(field="disclosure_id")
    return Shared(row.id, row.version, row.made_at, frozenset(Category(name) for name in row.categories))


async def _lock(session: AsyncSession, referral_id: UUID) -> Any:
    """Locked, so that of two updates at once the second finds nothing new; the release first, as whoever ends it."""
    link = await _link(session, referral_id)
    await hold_release_open(session, link.release_id)
    locked = await _link(session, referral_id, lock=True)
    if locked.release_id != link.release_id:
        raise ReleaseReplaced(field="referral_id")
    return locked


async def _link(session: AsyncSession, referral_id: UUID, *, lock: bool = False) -> Any:
    columns = (
        select(
            SurvivorReferral.survivor_id,
            SurvivorReferral.need_id,
            SurvivorReferral.release_id,
            Referral.target_agency_id,
            Referral.accepted_at,
        )
        .join(Referral, Referral.id == SurvivorReferral.referral_id)
        .where(Referral.id == referral_id, Referral.status.not_in(ENDS))
    )
    if lock:
        columns = columns.with_for_update(of=SurvivorReferral)
    row = (await session.execute(columns)).one_or_none()
    if row is None:
        raise NotFound(field="referral_id")
    return row


async def _news(session: AsyncSession, referral_id: UUID, link: Any, keyring: Keyring, now: datetime) -> News:
    about = {"release_id": link.release_id, "survivor_id": link.survivor_id, "need_id": link.need_id}
    return await news_of(session, referral_id=referral_id, **about, keyring=keyring, now=now)

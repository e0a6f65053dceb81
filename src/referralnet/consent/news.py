"""What has changed in her record since it was told: compared opened, in the custodian's custody, and stored nowhere.

A fingerprint of what was told would do as well, and would be a pseudonym of her (C5).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.consent.categories import DISCLOSED, Category
from referralnet.consent.copies import Because, Told, store_copy
from referralnet.consent.judging import Released, judge
from referralnet.consent.refusals import NoLiveRelease, NothingNew
from referralnet.consent.releases import find_released
from referralnet.consent.sealed_items import open_item, told_of
from referralnet.consent.tables import DisclosureItem, DisclosureMade
from referralnet.consent.withdrawal_lock import hold_release_open
from referralnet.encryption.data_keys import load_data_key
from referralnet.encryption.keyring import Keyring
from referralnet.encryption.sealing import DataKey
from referralnet.survivors.facts import open_facts


@dataclass(frozen=True, slots=True)
class News:
    """What was told last for a referral, and which of its categories say something else today."""

    version: int
    made_at: datetime
    changed: frozenset[Category]
    told: Told = field(repr=False)


async def news_of(
    session: AsyncSession,
    *,
    referral_id: UUID,
    release_id: UUID,
    survivor_id: UUID,
    need_id: UUID,
    keyring: Keyring,
    now: datetime,
) -> News:
    """What would be told today, in the categories that were told last under this release.

    Raises:
        NoLiveRelease: nothing was told under it, or it was never in force.
        ReleaseWithdrawn, ReleaseNotStarted, ReleaseExpired
    """
    released, key, last = await _last(session, referral_id, release_id, keyring, now)
    then = await _told(session, key, last.id)
    judge(released, released.recipient_agency_id, frozenset(then), now)
    wanted = {fact for category in then for fact in DISCLOSED[category]}
    facts = await open_facts(session, survivor_id, wanted, need_id=need_id, keyring=keyring)
    today = told_of(then, facts)
    changed = frozenset(category for category in then if then[category] != today[category])
    return News(last.version, last.made_at, changed, today)


async def tell_news(
    session: AsyncSession, news: News, *, referral_id: UUID, release_id: UUID, keyring: Keyring, now: datetime
) -> UUID:
    """Seal what is true today as the next version, under the same release; returns the disclosure's id.

    Raises:
        NothingNew: nothing has changed.
    """
    if not news.changed:
        raise NothingNew(field="referral_id")
    released, key, last = await _last(session, referral_id, release_id, keyring, now)
    return await store_copy(
        session, released, key, news.told, referral_id=referral_id, because=Because.UPDATE, version=last.version + 1,
        now=now,
    )  # fmt: skip


async def _last(
    session: AsyncSession, referral_id: UUID, release_id: UUID, keyring: Keyring, now: datetime
) -> tuple[Released, DataKey, Any]:
    await hold_release_open(session, release_id)
    released = await find_released(session, release_id)
    newest = (
        select(DisclosureMade.id, DisclosureMade.version, DisclosureMade.made_at)
        .where(DisclosureMade.referral_id == referral_id, DisclosureMade.release_id == release_id)
        .order_by(DisclosureMade.version.desc())
        .limit(1)
    )
    last = (await session.execute(newest)).one_or_none()
    if released is None:
        raise NoLiveRelease(field="referral_id")
    judge(released, released.recipient_agency_id, frozenset(), now)
    if last is None:
        raise NoLiveRelease(field="referral_id")
    return released, await load_data_key(session, keyring, released.required_key_id), last


async def _told(session: AsyncSession, key: DataKey, disclosure_id: UUID) -> dict[Category, dict[str, str]]:
    columns = select(DisclosureItem.category, DisclosureItem.sealed)
    rows = await session.execute(columns.where(DisclosureItem.disclosure_id == disclosure_id))
    return {Category(row.category): open_item(key, disclosure_id, row.category, row.sealed) for row in rows}

"""Disclosures: a sealed copy of what was released, for one recipient, readable while the release lives (C1-C3, U1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.consent.categories import DISCLOSED, Category
from referralnet.consent.judging import Released, judge
from referralnet.consent.refusals import AlreadyDisclosed, NoLiveRelease
from referralnet.consent.releases import known_categories
from referralnet.consent.sealed_items import open_item, seal_items
from referralnet.consent.tables import DisclosureItem, DisclosureMade, Release, SurvivorRelease
from referralnet.consent.withdrawal_lock import hold_release_open
from referralnet.database.acting import Member
from referralnet.encryption.data_keys import KeyGone, load_data_key
from referralnet.encryption.keyring import Keyring
from referralnet.identity.access import Permission, require
from referralnet.identity.step_up import require_fresh
from referralnet.survivors.facts import open_facts


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What was released, opened: by category, the facts in words or codes; without facts, nothing is recorded."""

    id: UUID
    categories: dict[Category, dict[str, str]] = field(repr=False)
    made_at: datetime
    expires_at: datetime


async def make_disclosure(
    session: AsyncSession,
    actor: Member,
    *,
    referral_id: UUID,
    release_id: UUID,
    survivor_id: UUID,
    recipient_agency_id: UUID,
    categories: frozenset[Category],
    keyring: Keyring,
    now: datetime,
    need_id: UUID | None = None,
) -> UUID:
    """Seal a copy of the categories for the recipient, under the release's key. A later change does not reach it.

    `need_id` is the need that the referral was made for; the newest where it is not given.

    Raises:
        NoLiveRelease, ReleaseNamesAnotherAgency, ReleaseWithdrawn, ReleaseNotStarted, ReleaseExpired,
        CategoryNotReleased, UnknownCategory, AlreadyDisclosed
    """
    require(actor, Permission.SEND_REFERRALS)
    categories = known_categories(categories)
    await hold_release_open(session, release_id)
    released = await _released(session, release_id, survivor_id)
    judge(released, recipient_agency_id, categories, now)
    await _require_unused(session, referral_id, release_id)
    key = await load_data_key(session, keyring, released.data_key_id)
    wanted = {fact for category in categories for fact in DISCLOSED[category]}
    facts = await open_facts(session, survivor_id, wanted, need_id=need_id, keyring=keyring)
    disclosure_id = uuid4()
    made = {
        "id": disclosure_id,
        "agency_id": released.agency_id,
        "recipient_agency_id": recipient_agency_id,
        "release_id": release_id,
        "data_key_id": released.data_key_id,
        "referral_id": referral_id,
        "made_at": now,
    }
    await session.execute(insert(DisclosureMade).values(made).inline())
    await session.execute(insert(DisclosureItem).values(seal_items(key, disclosure_id, categories, facts)).inline())
    await record(
        session,
        Action.DISCLOSURE_MADE,
        "disclosure",
        disclosure_id,
        release=str(release_id),
        recipient=str(recipient_agency_id),
        categories=[str(category) for category in sorted(categories)],
    )
    return disclosure_id


async def read_disclosure(
    session: AsyncSession, actor: Member, referral_id: UUID, *, keyring: Keyring, now: datetime
) -> Disclosure:
    """Open the disclosure of an accepted referral to its recipient; the row in the trail commits with the read (U1).

    Raises:
        StepUpNeeded: no second factor within the last five minutes.
        NoLiveRelease: nothing to read, for whatever reason: never made, not accepted, expired, withdrawn, not yours.
            Which one it is, is not told (C6).
    """
    require(actor, Permission.READ_DISCLOSURES)
    require_fresh(actor, now)
    newest = select(DisclosureMade.id, DisclosureMade.release_id).where(DisclosureMade.referral_id == referral_id)
    found = (await session.execute(newest.order_by(DisclosureMade.made_at.desc()).limit(1))).one_or_none()
    if found is None:
        raise NoLiveRelease
    await hold_release_open(session, found.release_id)
    # From here on nobody can end the release, and what was ended before is seen as ended: the lock is older than
    # the snapshot of this statement.
    items = await _visible_items(session, found.id)
    # Without an expiry the release is not live, or names another agency than the reader's: its own custodian's, say.
    if not items or items[0].expires_at is None or not items[0].made_at <= now < items[0].expires_at:
        raise NoLiveRelease
    seen = [item.category for item in items]
    await record(
        session, Action.DISCLOSURE_READ, "disclosure", found.id, release=str(found.release_id), categories=seen
    )
    try:
        key = await load_data_key(session, keyring, items[0].data_key_id)
    except KeyGone:
        raise NoLiveRelease from None
    return Disclosure(
        id=found.id,
        categories={Category(item.category): open_item(key, found.id, item.category, item.sealed) for item in items},
        made_at=items[0].made_at,
        expires_at=items[0].expires_at,
    )


async def _require_unused(session: AsyncSession, referral_id: UUID, release_id: UUID) -> None:
    used = DisclosureMade.referral_id == referral_id, DisclosureMade.release_id == release_id
    if await session.scalar(select(DisclosureMade.id).where(*used)) is not None:
        raise AlreadyDisclosed(field="release_id")


async def _released(session: AsyncSession, release_id: UUID, survivor_id: UUID) -> Released:
    """The survivor's release, where it is in this custody."""
    columns = (
        select(
            Release.agency_id,
            Release.recipient_agency_id,
            Release.data_key_id,
            Release.categories,
            Release.status,
            Release.starts_at,
            Release.expires_at,
        )
        .join(SurvivorRelease, SurvivorRelease.release_id == Release.id)
        .where(Release.id == release_id, SurvivorRelease.survivor_id == survivor_id)
    )
    row = (await session.execute(columns)).one_or_none()
    if row is None:
        raise NoLiveRelease(field="release_id")
    return Released(*row)


async def _visible_items(session: AsyncSession, disclosure_id: UUID) -> list[Any]:
    expires_at = func.live_until(DisclosureMade.release_id).label("expires_at")
    columns = (
        select(
            DisclosureItem.category,
            DisclosureItem.sealed,
            DisclosureMade.data_key_id,
            DisclosureMade.made_at,
            expires_at,
        )
        .join(DisclosureMade, DisclosureMade.id == DisclosureItem.disclosure_id)
        .where(DisclosureMade.id == disclosure_id)
    )
    return list(await session.execute(columns.order_by(DisclosureItem.category)))

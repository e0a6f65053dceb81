"""The sealed copies that disclosures are: made for one recipient under one release, and carried over to the next."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.consent.categories import Category
from referralnet.consent.judging import Released
from referralnet.consent.sealed_items import open_item, seal_items
from referralnet.consent.tables import DisclosureItem, DisclosureMade
from referralnet.encryption.data_keys import load_data_key
from referralnet.encryption.keyring import Keyring
from referralnet.encryption.sealing import DataKey

Told = Mapping[Category, dict[str, str]]


class Because(StrEnum):
    """Why a copy was made; the trail and the accounting say it."""

    SENT = "sent"
    UPDATE = "update"
    RENEWAL = "renewal"
    NARROWING = "narrowing"


async def store_copy(
    session: AsyncSession,
    released: Released,
    key: DataKey,
    told: Told,
    *,
    referral_id: UUID,
    because: Because,
    now: datetime,
    version: int = 1,
) -> UUID:
    """Seal what is told under the release's key, for its recipient, with its row in the trail."""
    disclosure_id = uuid4()
    made = {
        "id": disclosure_id,
        "agency_id": released.agency_id,
        "recipient_agency_id": released.recipient_agency_id,
        "release_id": released.id,
        "data_key_id": key.id,
        "referral_id": referral_id,
        "version": version,
        "made_at": now,
    }
    await session.execute(insert(DisclosureMade).values(made).inline())
    await session.execute(insert(DisclosureItem).values(seal_items(key, disclosure_id, told)).inline())
    await record(
        session,
        Action.DISCLOSURE_MADE,
        "disclosure",
        disclosure_id,
        release=str(released.id),
        recipient=str(released.recipient_agency_id),
        referral=str(referral_id),
        categories=[str(category) for category in sorted(told)],
        because=because,
    )
    return disclosure_id


async def carry_over(
    session: AsyncSession,
    old: Released,
    new: Released,
    referral_ids: Sequence[UUID],
    *,
    keyring: Keyring,
    because: Because,
    now: datetime,
) -> int:
    """Seal anew, under the new release's key, what was told under the old one for these referrals.

    What the new release leaves out is not carried: it dies with the old key. It is the copy that is carried, and not
    what is true today; returns how many were.
    """
    newest = await _newest(session, old.id, referral_ids)
    if not newest:
        return 0
    old_key = await load_data_key(session, keyring, old.required_key_id)
    new_key = await load_data_key(session, keyring, new.required_key_id)
    sealed = await _items(session, list(newest.values()))
    carried = 0
    for referral_id, disclosure_id in newest.items():
        told = {
            Category(item.category): open_item(old_key, disclosure_id, item.category, item.sealed)
            for item in sealed[disclosure_id]
            if item.category in new.categories
        }
        if told:
            await store_copy(session, new, new_key, told, referral_id=referral_id, because=because, now=now)
            carried += 1
    return carried


async def _newest(session: AsyncSession, release_id: UUID, referral_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """By referral, the newest copy made under a release."""
    columns = (
        select(DisclosureMade.referral_id, DisclosureMade.id)
        .ext(distinct_on(DisclosureMade.referral_id))
        .where(DisclosureMade.release_id == release_id, DisclosureMade.referral_id.in_(referral_ids))
        .order_by(DisclosureMade.referral_id, DisclosureMade.version.desc())
    )
    return {row.referral_id: row.id for row in await session.execute(columns)}


async def _items(session: AsyncSession, disclosure_ids: Sequence[UUID]) -> dict[UUID, list[Any]]:
    columns = select(DisclosureItem.disclosure_id, DisclosureItem.category, DisclosureItem.sealed)
    found: dict[UUID, list[Any]] = defaultdict(list)
    for row in await session.execute(columns.where(DisclosureItem.disclosure_id.in_(disclosure_ids))):
        found[row.disclosure_id].append(row)
    return found

"""She leaves something out of what she released: a new release with less takes the place of the old one.

It is a withdrawal of a part, so her word is enough, and whoever hears it takes it. What is left she has signed before.
One key for each release: what is left is sealed anew under the new key, and what is left out dies with the old one.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.consent.categories import Category
from referralnet.consent.ending import Via
from referralnet.consent.judging import judge
from referralnet.consent.proposing import Follows, store_release
from referralnet.consent.refusals import NothingLeftToRelease, ReleaseReplaced
from referralnet.consent.releases import (
    Ended,
    ReleaseRow,
    ReleaseStatus,
    Succession,
    find_release,
    find_released,
    known_categories,
)
from referralnet.consent.tables import SurvivorRelease
from referralnet.consent.withdrawal_lock import close_release_to_readers, hold_consent_open
from referralnet.database.acting import Member
from referralnet.encryption.data_keys import KeyPurpose, create_data_key
from referralnet.encryption.keyring import Keyring
from referralnet.survivors.checking import coded

# Of a wider release: its signature is not copied, because it is sealed in its own place.
_SIGNED = ("signer", "signer_id", "method", "signed_at", "taken_by", "witnessed_by", "paper_kept_by")


async def write_narrowed(
    session: AsyncSession,
    actor: Member,
    release_id: UUID,
    *,
    categories: frozenset[Category] | None,
    expires_at: datetime | None,
    via: Via,
    keyring: Keyring,
    now: datetime,
) -> UUID:
    """A release with fewer categories or a nearer end than the one it follows, in force at once; returns its id.

    Raises:
        NotFound: no such release in this custody.
        NothingLeftToRelease: it would not be less, or nothing.
        ReleaseWithdrawn, ReleaseReplaced, ReleaseNotStarted, ReleaseExpired, CategoryNotReleased, UnknownCategory
    """
    via = coded(Via, via, field="via")
    old = await _lock(session, release_id)
    kept = old.categories if categories is None else known_categories(categories)
    await _judge(session, old, kept, now)
    ends = old.expires_at if expires_at is None else expires_at
    if not now < ends <= old.expires_at or (kept == old.categories and ends == old.expires_at):
        raise NothingLeftToRelease(field="expires_at" if kept == old.categories else None)
    key = await create_data_key(session, keyring, agency_id=actor.agency_id, purpose=KeyPurpose.RELEASE, now=now)
    new_id = uuid4()
    narrowed = {
        "id": new_id,
        "agency_id": actor.agency_id,
        "recipient_agency_id": old.recipient_agency_id,
        "data_key_id": key.id,
        "purpose": old.purpose,
        "categories": sorted(kept),
        "status": ReleaseStatus.ACTIVE,
        # As before, so that a clock which is ahead leaves no moment in which neither is in force.
        "starts_at": old.starts_at,
        "expires_at": ends,
        "created_at": now,
    }
    follows = Follows(release_id, Succession.NARROWING)
    await store_release(session, actor, old.survivor_id, narrowed, await _as_signed(session, release_id), follows)
    await record(session, Action.RELEASE_NARROWED, "release", new_id, via=via, follows=str(release_id))
    return new_id


async def _lock(session: AsyncSession, release_id: UUID) -> ReleaseRow:
    row = await find_release(session, release_id)
    await hold_consent_open(session, row.survivor_id)
    await close_release_to_readers(session, release_id)
    return await find_release(session, release_id)


async def _judge(session: AsyncSession, old: ReleaseRow, kept: frozenset[Category], now: datetime) -> None:
    if old.ended_via in (Ended.RENEWAL, Ended.NARROWING):
        raise ReleaseReplaced(field="release_id")
    released = await find_released(session, old.id)
    assert released is not None, "it was found and is locked"
    judge(released, old.recipient_agency_id, kept, now)


async def _as_signed(session: AsyncSession, release_id: UUID) -> dict[str, object]:
    shown = ("form_version", "form_language", "form_hash")
    columns = select(*(getattr(SurvivorRelease, name) for name in _SIGNED + shown))
    row = (await session.execute(columns.where(SurvivorRelease.release_id == release_id))).one()
    return {**row._mapping, "signature_kind": "earlier", "proposal_id": uuid4()}  # noqa: SLF001 (as in releases.py)

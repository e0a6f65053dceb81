"""Erasing a survivor: everything she consented to ends, her keys are destroyed, her rows go; for ever (P4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.consent.ending import Via
from referralnet.consent.tables import Release, SurvivorRelease
from referralnet.database.acting import Member
from referralnet.encryption.data_keys import destroy_data_key
from referralnet.errors import InvalidInput, NotFound
from referralnet.identity.access import Permission, require
from referralnet.identity.step_up import require_fresh
from referralnet.referrals.withdrawing import withdraw_consent
from referralnet.survivors.tables import Survivor

CONFIRMATION = "ERASE"


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was ended and destroyed: counts, and nothing of whom."""

    releases_ended: int
    referrals_closed: int
    texts_cancelled: int
    keys_destroyed: int


async def erase_survivor(
    session: AsyncSession, actor: Member, survivor_id: UUID, *, confirmation: str, via: Via, now: datetime
) -> Erasure:
    """Erase a survivor of this agency's custody. From the commit on nothing of hers opens, by anybody, ever.

    Her consent is withdrawn first, with all that follows. Then her key and those of all her releases are destroyed, so
    that copies in backups of the data, and disclosures that others hold, stay shut; then her rows are deleted. The
    trail stays, with ids and codes. A backup of the keys opens her again for as long as it is kept.

    Args:
        session: the transaction.
        actor: a coordinator of her agency, with a fresh second factor.
        survivor_id: whom.
        confirmation: the word ERASE, as typed.
        via: how she asked for it.
        now: aware.

    Raises:
        InvalidInput: field ``confirmation``: another word.
        NotFound: no such survivor in this custody; also when she was erased before.
        StepUpNeeded: no second factor within the last five minutes.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    require_fresh(actor, now)
    if confirmation != CONFIRMATION:
        raise InvalidInput(field="confirmation", detail=f"Type {CONFIRMATION}: it cannot be undone.")
    # It locks her consent, so that no release is made meanwhile.
    ended = await withdraw_consent(session, actor, survivor_id=survivor_id, via=via, now=now)
    own_key = await session.scalar(select(Survivor.data_key_id).where(Survivor.id == survivor_id).with_for_update())
    if own_key is None:
        raise NotFound(field="survivor_id")
    key_ids = sorted({own_key, *await _keys_of_releases(session, survivor_id)})
    for key_id in key_ids:
        await destroy_data_key(session, key_id, now=now)
    gone = await session.scalar(delete(Survivor).where(Survivor.id == survivor_id).returning(Survivor.id))
    assert gone is not None, "whoever destroyed her keys may delete her rows"
    erasure = Erasure(ended.releases_ended, ended.referrals_closed, ended.texts_cancelled, len(key_ids))
    await record(
        session,
        Action.SURVIVOR_ERASED,
        "survivor",
        survivor_id,
        via=via,
        releases=erasure.releases_ended,
        referrals=erasure.referrals_closed,
        texts=erasure.texts_cancelled,
        keys=erasure.keys_destroyed,
    )
    return erasure


async def _keys_of_releases(session: AsyncSession, survivor_id: UUID) -> list[UUID]:
    """Of all her releases, expired and ended ones too; one that was only proposed has none."""
    columns = select(Release.data_key_id).join(SurvivorRelease, SurvivorRelease.release_id == Release.id)
    hers = columns.where(SurvivorRelease.survivor_id == survivor_id, Release.data_key_id.is_not(None))
    return list(await session.scalars(hers))

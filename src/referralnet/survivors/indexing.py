"""Making the search hashes of records that have none: older than search, or from a backup without its table."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.encryption.data_keys import KeyGone
from referralnet.encryption.keyring import Keyring
from referralnet.errors import NotFound
from referralnet.survivors.sealed_fields import hold_survivor
from referralnet.survivors.search_keys import index_survivor
from referralnet.survivors.tables import Survivor, SurvivorSearchKey

FIRST = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Batch:
    """What one batch did: it goes on after `last`; `last` is None at the end."""

    indexed: int
    shut: int
    """Their key is destroyed, or not here: they cannot be found, nor opened."""
    last: UUID | None


async def index_batch(
    session: AsyncSession, keyring: Keyring, *, after: UUID = FIRST, survivors_max: int = 100
) -> Batch:
    """Make the hashes of up to `survivors_max` records without any, by id after `after`. Commit each batch.

    On the host, as a role that row security does not bind; nothing of what is opened is shown or kept. Each record is
    locked and read before it is written, so that a correction at the same moment is neither lost nor undone.
    """
    hashed = exists().where(SurvivorSearchKey.survivor_id == Survivor.id)
    without = select(Survivor.id).where(Survivor.id > after, ~hashed).order_by(Survivor.id).limit(survivors_max)
    survivor_ids = list(await session.scalars(without))
    shut = 0
    for survivor_id in survivor_ids:
        try:
            held = await hold_survivor(session, keyring, survivor_id)
        except (KeyGone, NotFound):
            shut += 1
        else:
            await index_survivor(session, keyring, held)
    return Batch(len(survivor_ids) - shut, shut, survivor_ids[-1] if survivor_ids else None)

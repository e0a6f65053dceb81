"""Other names of a survivor, each sealed: she is found by them, and no release discloses them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput, NotFound
from referralnet.identity.access import Permission, require
from referralnet.survivors.checking import coded, plain_text
from referralnet.survivors.sealed_fields import HeldRecord, hold_survivor, seal_field
from referralnet.survivors.search_keys import index_survivor
from referralnet.survivors.tables import SurvivorAlias

ALIASES_MAX = 10
NAME_LENGTH_MAX = 200


class AliasKind(StrEnum):
    """What another name is to her."""

    NICKNAME = "nickname"
    FORMER = "former"
    ALSO_USED = "also_used"
    IMPOSED = "imposed"
    """Somebody else gave it to her: never call her by it."""


@dataclass(frozen=True, slots=True)
class NewAlias:
    """Another name to keep."""

    name: str = field(repr=False)
    kind: AliasKind


async def add_alias(
    session: AsyncSession, actor: Member, survivor_id: UUID, new: NewAlias, *, keyring: Keyring, now: datetime
) -> UUID:
    """Keep another name of a survivor in this custody.

    Raises:
        InvalidInput: naming the field.
        NotFound: no such survivor in this custody.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    held = await hold_survivor(session, keyring, survivor_id)
    present = select(func.count()).where(SurvivorAlias.survivor_id == survivor_id, SurvivorAlias.removed_at.is_(None))
    if (await session.scalar(present) or 0) >= ALIASES_MAX:
        raise InvalidInput(field="name", detail=f"At most {ALIASES_MAX} other names: remove one first.")
    alias_id = await insert_alias(session, actor, held, new, now=now)
    await index_survivor(session, keyring, held)
    return alias_id


async def insert_alias(session: AsyncSession, actor: Member, held: HeldRecord, new: NewAlias, *, now: datetime) -> UUID:
    """Write another name, without its search keys."""
    alias_id, kind = uuid4(), coded(AliasKind, new.kind, field="kind")
    name = plain_text(new.name, field="name", length_max=NAME_LENGTH_MAX)
    values = {
        "id": alias_id,
        "agency_id": held.agency_id,
        "survivor_id": held.id,
        "kind": kind,
        "name_sealed": seal_field(held.key, SurvivorAlias.name_sealed, alias_id, name),
        "recorded_by": actor.member_id,
        "recorded_at": now,
    }
    await session.execute(insert(SurvivorAlias).values(values).inline())
    await record(session, Action.ALIAS_CHANGED, "survivor_alias", alias_id, kind=kind)
    return alias_id


async def remove_alias(
    session: AsyncSession, actor: Member, alias_id: UUID, *, keyring: Keyring, now: datetime
) -> None:
    """Take another name out of use: it stays sealed in the record, and finds her no more.

    Raises:
        NotFound: no such name in this custody, or it was removed.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    present = SurvivorAlias.id == alias_id, SurvivorAlias.removed_at.is_(None)
    survivor_id = await session.scalar(select(SurvivorAlias.survivor_id).where(*present))
    if survivor_id is None:
        raise NotFound(field="alias_id")
    held = await hold_survivor(session, keyring, survivor_id)
    removed = {"removed_by": actor.member_id, "removed_at": now}
    if await session.scalar(update(SurvivorAlias).where(*present).values(removed).returning(SurvivorAlias.id)) is None:
        raise NotFound(field="alias_id")
    await index_survivor(session, keyring, held)
    await record(session, Action.ALIAS_CHANGED, "survivor_alias", alias_id, removed="yes")

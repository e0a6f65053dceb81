"""Who may sign for a minor: her parents, guardians and those who stand in for them. No release discloses them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member
from referralnet.encryption.keyring import Keyring
from referralnet.encryption.sealing import DataKey
from referralnet.errors import InvalidInput, NotFound
from referralnet.identity.access import Permission, require
from referralnet.survivors.abuser_marks import AbuserMark, read_marks
from referralnet.survivors.aliases import NAME_LENGTH_MAX
from referralnet.survivors.checking import coded, plain_text
from referralnet.survivors.sealed_fields import hold_survivor, open_field, seal_field
from referralnet.survivors.tables import SurvivorSigner

SIGNERS_MAX = 10


class Relationship(StrEnum):
    """By what somebody may sign for her."""

    PARENT = "parent"
    GUARDIAN = "guardian"
    """Appointed by a court."""
    AGENT = "agent"
    """By a power of attorney of a parent or guardian."""
    STATE = "state"
    """For a child welfare agency or another office in whose custody she is."""


@dataclass(frozen=True, slots=True)
class NewSigner:
    """Somebody to keep; where an office may sign, its person."""

    name: str = field(repr=False)
    relationship: Relationship


@dataclass(frozen=True, slots=True)
class Signer:
    """Somebody who may sign for her, opened; with every mark, those too that were taken back."""

    id: UUID
    name: str = field(repr=False)
    relationship: Relationship
    recorded_at: datetime
    removed_at: datetime | None
    marks: tuple[AbuserMark, ...]


async def add_signer(
    session: AsyncSession, actor: Member, survivor_id: UUID, new: NewSigner, *, keyring: Keyring, now: datetime
) -> UUID:
    """Keep somebody who may sign for a survivor in this custody.

    Raises:
        InvalidInput: naming the field.
        NotFound: no such survivor in this custody.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    held = await hold_survivor(session, keyring, survivor_id)
    present = SurvivorSigner.survivor_id == survivor_id, SurvivorSigner.removed_at.is_(None)
    if (await session.scalar(select(func.count()).where(*present)) or 0) >= SIGNERS_MAX:
        raise InvalidInput(field="name", detail=f"At most {SIGNERS_MAX} people: remove one first.")
    signer_id, relationship = uuid4(), coded(Relationship, new.relationship, field="relationship")
    name = plain_text(new.name, field="name", length_max=NAME_LENGTH_MAX)
    values = {
        "id": signer_id,
        "agency_id": held.agency_id,
        "survivor_id": survivor_id,
        "relationship": relationship,
        "name_sealed": seal_field(held.key, SurvivorSigner.name_sealed, signer_id, name),
        "recorded_by": actor.member_id,
        "recorded_at": now,
    }
    await session.execute(insert(SurvivorSigner).values(values).inline())
    await _note(session, survivor_id, signer_id, change="added")
    return signer_id


async def remove_signer(session: AsyncSession, actor: Member, signer_id: UUID, *, now: datetime) -> None:
    """Somebody may sign for her no more: what they signed stands, and they stay in her history.

    Raises:
        NotFound: nobody such in this custody, or removed already.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    present = SurvivorSigner.id == signer_id, SurvivorSigner.removed_at.is_(None)
    removed = {"removed_by": actor.member_id, "removed_at": now}
    survivor_id = await session.scalar(
        update(SurvivorSigner).where(*present).values(removed).returning(SurvivorSigner.survivor_id)
    )
    if survivor_id is None:
        raise NotFound(field="signer_id")
    await _note(session, survivor_id, signer_id, change="removed")


async def whose_signer(session: AsyncSession, signer_id: UUID) -> UUID:
    """The survivor in this custody for whom somebody may sign, or could.

    Raises:
        NotFound: nobody such.
    """
    survivor_id = await session.scalar(select(SurvivorSigner.survivor_id).where(SurvivorSigner.id == signer_id))
    if survivor_id is None:
        raise NotFound(field="signer_id")
    return survivor_id


async def require_signer(session: AsyncSession, survivor_id: UUID, signer_id: UUID) -> None:
    """Raise NotFound unless this person may sign for this survivor; marks are asked for apart."""
    hers = SurvivorSigner.id == signer_id, SurvivorSigner.survivor_id == survivor_id
    if await session.scalar(select(SurvivorSigner.id).where(*hers, SurvivorSigner.removed_at.is_(None))) is None:
        raise NotFound(field="signer_id")


async def read_signers(
    session: AsyncSession, key: DataKey, survivor_id: UUID, *, removed: bool = False
) -> list[Signer]:
    """Those who may sign for her, in the order in which they were recorded; with those `removed` as well, or not."""
    columns = select(SurvivorSigner).where(SurvivorSigner.survivor_id == survivor_id)
    chosen = columns if removed else columns.where(SurvivorSigner.removed_at.is_(None))
    rows = (await session.scalars(chosen.order_by(SurvivorSigner.recorded_at, SurvivorSigner.id))).all()
    marks: dict[UUID, list[AbuserMark]] = defaultdict(list)
    for mark in await read_marks(session, survivor_id):
        marks[mark.signer_id].append(mark)
    return [_opened(key, row, marks[row.id]) for row in rows]


def _opened(key: DataKey, row: Any, marks: list[AbuserMark]) -> Signer:
    return Signer(
        id=row.id,
        name=open_field(key, SurvivorSigner.name_sealed, row.id, row.name_sealed),
        relationship=Relationship(row.relationship),
        recorded_at=row.recorded_at,
        removed_at=row.removed_at,
        marks=tuple(marks),
    )


async def _note(session: AsyncSession, survivor_id: UUID, signer_id: UUID, *, change: str) -> None:
    await record(session, Action.SIGNER_CHANGED, "survivor", survivor_id, signer=str(signer_id), change=change)

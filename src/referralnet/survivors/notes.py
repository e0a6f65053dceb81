"""Notes on a survivor, one for each category, sealed; a new version stands beside the old ones and over none."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import insert, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member
from referralnet.encryption.keyring import Keyring
from referralnet.encryption.sealing import DataKey, open_sealed
from referralnet.errors import Refusal
from referralnet.identity.access import Permission, require
from referralnet.survivors.checking import coded, plain_text_or_none
from referralnet.survivors.sealed_fields import HeldRecord, hold_survivor, open_field, seal_field
from referralnet.survivors.tables import SurvivorNote

NOTE_LENGTH_MAX = 2000


class NoteCategory(StrEnum):
    """What a note is about. A release of the category of the same name discloses it; nothing discloses `general`."""

    SAFETY = "safety"
    LEGAL = "legal"
    IMMIGRATION = "immigration"
    MEDICAL = "medical"
    GENERAL = "general"


class NoteChanged(Refusal):
    """Somebody has written this note since you read it. Read it again, then write yours."""

    code = "NOTE_CHANGED"


@dataclass(frozen=True, slots=True)
class Note:
    """One version of a note, opened; `text` is none where it was emptied."""

    category: NoteCategory
    version: int
    text: str | None = field(repr=False)
    written_by: UUID
    written_at: datetime


async def write_note(
    session: AsyncSession,
    actor: Member,
    survivor_id: UUID,
    category: NoteCategory,
    text: str | None,
    *,
    after_version: int,
    keyring: Keyring,
    now: datetime,
) -> UUID:
    """Write the next version of a note; an empty text says that there is nothing to tell any more.

    Args:
        session: the caller's.
        actor: whoever writes.
        survivor_id: in this custody.
        category: which note.
        text: at most 2000 characters, in lines.
        after_version: the version that the writer has read, 0 where there is none.
        keyring: opens her key.
        now: when it was written.

    Raises:
        InvalidInput: naming the field.
        NotFound: no such survivor in this custody.
        NoteChanged: another version was written since.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    held = await hold_survivor(session, keyring, survivor_id)
    category = coded(NoteCategory, category, field="category")
    newest = select(SurvivorNote.version).where(
        SurvivorNote.survivor_id == survivor_id, SurvivorNote.category == category
    )
    present = await session.scalar(newest.order_by(SurvivorNote.version.desc()).limit(1)) or 0
    if present != after_version:
        raise NoteChanged(field="after_version")
    return await insert_note(session, actor, held, category, text, version=present + 1, now=now)


async def insert_note(
    session: AsyncSession,
    actor: Member,
    held: HeldRecord,
    category: NoteCategory,
    text: str | None,
    *,
    version: int,
    now: datetime,
    field: str = "text",
) -> UUID:
    """Write one version."""
    note_id = uuid4()
    plain = plain_text_or_none(text, field=field, length_max=NOTE_LENGTH_MAX, lines=True)
    values = {
        "id": note_id,
        "agency_id": held.agency_id,
        "survivor_id": held.id,
        "category": category,
        "version": version,
        "text_sealed": seal_field(held.key, SurvivorNote.text_sealed, note_id, plain),
        "written_by": actor.member_id,
        "written_at": now,
    }
    await session.execute(insert(SurvivorNote).values(values).inline())
    await record(session, Action.NOTE_WRITTEN, "survivor_note", note_id, category=category, version=version)
    return note_id


async def read_notes(
    session: AsyncSession,
    key: DataKey,
    survivor_id: UUID,
    *,
    categories: frozenset[NoteCategory] = frozenset(NoteCategory),
    every_version: bool = False,
) -> list[Note]:
    """The newest version of each note, or all of them, opened with her key; by category, newest first."""
    columns = select(SurvivorNote).where(SurvivorNote.survivor_id == survivor_id, SurvivorNote.category.in_(categories))
    if not every_version:
        columns = columns.ext(distinct_on(SurvivorNote.category))
    rows = await session.scalars(columns.order_by(SurvivorNote.category, SurvivorNote.version.desc()))
    return [
        Note(NoteCategory(row.category), row.version, _open(key, row), row.written_by, row.written_at) for row in rows
    ]


def _open(key: DataKey, row: SurvivorNote) -> str | None:
    if row.moved and row.text_sealed is not None:
        return open_sealed(key, row.text_sealed, f"survivor.safety_note_sealed:{row.survivor_id}")
    return open_field(key, SurvivorNote.text_sealed, row.id, row.text_sealed)

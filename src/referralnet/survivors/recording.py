"""Survivors: recorded sealed, listed without identity, revealed with a fresh second factor and a row in the trail."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member
from referralnet.encryption.data_keys import KeyPurpose, create_data_key, load_data_key
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput, NotFound
from referralnet.identity.access import Permission, require
from referralnet.identity.step_up import require_fresh
from referralnet.survivors.checking import plain_text, plain_text_or_none
from referralnet.survivors.sealed_fields import open_field, seal_field
from referralnet.survivors.tables import Survivor

NAME_LENGTH_MAX = 200
SAFETY_NOTE_LENGTH_MAX = 2000
_AGE_YEARS_MAX = 120


@dataclass(frozen=True, slots=True)
class NewSurvivor:
    """A survivor to record. A given name may be all she wants to say: the family name may then be a dash."""

    given_name: str = field(repr=False)
    family_name: str = field(repr=False)
    date_of_birth: date | None = field(default=None, repr=False)
    safety_note: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SurvivorIdentity:
    """Who a survivor is, opened; it shows in no representation."""

    id: UUID
    given_name: str = field(repr=False)
    family_name: str = field(repr=False)
    date_of_birth: date | None = field(repr=False)
    safety_note: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class SurvivorRow:
    """A survivor as a list shows her: not at all."""

    id: UUID
    created_at: datetime


async def record_survivor(
    session: AsyncSession, actor: Member, new: NewSurvivor, *, keyring: Keyring, now: datetime
) -> UUID:
    """Take a survivor into the custody of the member's agency, sealed under a key of her own.

    Raises:
        InvalidInput: naming the field.
        NotPermitted: the member keeps no survivors.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    given_name = plain_text(new.given_name, field="given_name", length_max=NAME_LENGTH_MAX)
    family_name = plain_text(new.family_name, field="family_name", length_max=NAME_LENGTH_MAX)
    note = plain_text_or_none(new.safety_note, field="safety_note", length_max=SAFETY_NOTE_LENGTH_MAX, lines=True)
    born = _possible_birth(new.date_of_birth, now)
    survivor_id = uuid4()
    key = await create_data_key(session, keyring, agency_id=actor.agency_id, purpose=KeyPurpose.SURVIVOR, now=now)
    statement = insert(Survivor).values(
        id=survivor_id,
        agency_id=actor.agency_id,
        data_key_id=key.id,
        given_name_sealed=seal_field(key, Survivor.given_name_sealed, survivor_id, given_name),
        family_name_sealed=seal_field(key, Survivor.family_name_sealed, survivor_id, family_name),
        date_of_birth_sealed=seal_field(key, Survivor.date_of_birth_sealed, survivor_id, born),
        safety_note_sealed=seal_field(key, Survivor.safety_note_sealed, survivor_id, note),
        created_by=actor.member_id,
        created_at=now,
    )
    await session.execute(statement.inline())
    await record(session, Action.SURVIVOR_RECORDED, "survivor", survivor_id)
    return survivor_id


async def reveal_survivor(
    session: AsyncSession, actor: Member, survivor_id: UUID, *, keyring: Keyring, now: datetime
) -> SurvivorIdentity:
    """Open a survivor's identity to a member of her agency; the row in the trail commits with the read (U1).

    Raises:
        StepUpNeeded: no second factor within the last five minutes.
        NotFound: no such survivor in this custody; the same for another agency's as for none.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    require_fresh(actor, now)
    columns = select(
        Survivor.data_key_id,
        Survivor.given_name_sealed,
        Survivor.family_name_sealed,
        Survivor.date_of_birth_sealed,
        Survivor.safety_note_sealed,
    )
    row = (await session.execute(columns.where(Survivor.id == survivor_id))).one_or_none()
    if row is None:
        raise NotFound(field="survivor_id")
    await record(session, Action.SURVIVOR_REVEALED, "survivor", survivor_id)
    key = await load_data_key(session, keyring, row.data_key_id)
    born = open_field(key, Survivor.date_of_birth_sealed, survivor_id, row.date_of_birth_sealed)
    return SurvivorIdentity(
        id=survivor_id,
        given_name=open_field(key, Survivor.given_name_sealed, survivor_id, row.given_name_sealed),
        family_name=open_field(key, Survivor.family_name_sealed, survivor_id, row.family_name_sealed),
        date_of_birth=None if born is None else date.fromisoformat(born),
        safety_note=open_field(key, Survivor.safety_note_sealed, survivor_id, row.safety_note_sealed),
    )


async def list_survivors(session: AsyncSession, actor: Member, *, first: int = 100) -> list[SurvivorRow]:
    """The survivors in the acting agency's custody, newest first, without identity; row security chooses them."""
    require(actor, Permission.KEEP_SURVIVORS)
    columns = select(Survivor.id, Survivor.created_at)
    rows = await session.execute(columns.order_by(Survivor.created_at.desc(), Survivor.id.desc()).limit(first))
    return [SurvivorRow(*row) for row in rows]


def _possible_birth(born: date | None, now: datetime) -> str | None:
    """The date in ISO form. A day ahead is let through: it may be tomorrow already where she was born."""
    if born is None:
        return None
    today = now.date()
    if born > today + timedelta(days=1) or born.year < today.year - _AGE_YEARS_MAX:
        raise InvalidInput(field="date_of_birth", detail=f"It lies ahead, or more than {_AGE_YEARS_MAX} years back.")
    return born.isoformat()

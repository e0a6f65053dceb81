"""Survivors: recorded sealed, after a look whether they are here already, and listed by a neutral label alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import exists, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member
from referralnet.encryption.data_keys import KeyPurpose, create_data_key
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput
from referralnet.identity.access import Permission, require
from referralnet.identity.hourly_caps import require_below_cap
from referralnet.survivors.aliases import ALIASES_MAX, NAME_LENGTH_MAX, NewAlias, insert_alias
from referralnet.survivors.case_labels import check_label, made_label, open_labels
from referralnet.survivors.checking import plain_text, plain_text_or_none
from referralnet.survivors.likeness import Likeness, LooksAlike, compare, insert_likeness
from referralnet.survivors.notes import NoteCategory, insert_note
from referralnet.survivors.phone_numbers import PHONES_MAX, NewPhone, insert_phone, normalise_phone
from referralnet.survivors.sealed_fields import HeldRecord, seal_field
from referralnet.survivors.search_keys import Traits, index_survivor
from referralnet.survivors.tables import Survivor, SurvivorLikeness

PRONOUNS_LENGTH_MAX = 40
_AGE_YEARS_MAX = 120


@dataclass(frozen=True, slots=True)
class NewSurvivor:
    """A survivor to record. A given name may be all she wants to say: the family name may then be a dash.

    Without a `case_label` one is made out of chance. `not_the_same_as` are records that look like hers and, by the
    coordinator's word, are not.
    """

    given_name: str = field(repr=False)
    family_name: str = field(repr=False)
    date_of_birth: date | None = field(default=None, repr=False)
    safety_note: str | None = field(default=None, repr=False)
    pronouns: str | None = field(default=None, repr=False)
    case_label: str | None = field(default=None, repr=False)
    aliases: tuple[NewAlias, ...] = ()
    phones: tuple[NewPhone, ...] = ()
    not_the_same_as: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class SurvivorRow:
    """A survivor as a list shows her: not at all, but for a label that says nothing."""

    id: UUID
    case_label: str | None
    created_at: datetime


async def record_survivor(
    session: AsyncSession, actor: Member, new: NewSurvivor, *, keyring: Keyring, now: datetime
) -> UUID:
    """Take a survivor into the custody of the member's agency, sealed under a key of her own.

    Raises:
        InvalidInput: naming the field.
        NotPermitted: the member keeps no survivors.
        LooksAlike: a record of this custody looks like hers, and is not among `not_the_same_as`.
        HourlyCapReached: too many attempts were refused.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    fields, traits = _checked(new, now)
    await require_below_cap(session, Action.ATTEMPT_REFUSED)
    alike = {one.survivor_id for one in await compare(session, keyring, actor.agency_id, traits)}
    if alike - new.not_the_same_as:
        raise LooksAlike(field="not_the_same_as")
    key = await create_data_key(session, keyring, agency_id=actor.agency_id, purpose=KeyPurpose.SURVIVOR, now=now)
    held = HeldRecord(uuid4(), actor.agency_id, key)
    await _insert(session, actor, held, fields, now)
    await record(session, Action.SURVIVOR_RECORDED, "survivor", held.id)
    for alias in new.aliases:
        await insert_alias(session, actor, held, alias, now=now)
    for phone in new.phones:
        await insert_phone(session, actor, held, phone, now=now)
    if new.safety_note is not None and new.safety_note.strip():
        safety = NoteCategory.SAFETY
        await insert_note(session, actor, held, safety, new.safety_note, version=1, now=now, field="safety_note")
    await index_survivor(session, keyring, held, traits)
    for other_id in sorted(alike):
        await insert_likeness(session, actor, held.id, other_id, Likeness.DIFFERENT, now=now)
    return held.id


async def list_survivors(
    session: AsyncSession, actor: Member, *, keyring: Keyring, first: int = 100
) -> list[SurvivorRow]:
    """The survivors in the acting agency's custody, newest first, without identity; row security chooses them.

    A record that a person found to be the same survivor as another is left out.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    folded = exists().where(
        SurvivorLikeness.other_id == Survivor.id,
        SurvivorLikeness.decision == Likeness.SAME,
        SurvivorLikeness.undone_at.is_(None),
    )
    columns = select(Survivor.id, Survivor.created_at).where(~folded)
    newest = columns.order_by(Survivor.created_at.desc(), Survivor.id.desc()).limit(first)
    rows = (await session.execute(newest)).all()
    labels = await open_labels(session, keyring, [row.id for row in rows])
    return [SurvivorRow(row.id, labels.get(row.id), row.created_at) for row in rows]


def possible_birth(born: date | None, now: datetime) -> str | None:
    """The date in ISO form. A day ahead is let through: it may be tomorrow already where she was born.

    Raises:
        InvalidInput: field ``date_of_birth``.
    """
    if born is None:
        return None
    today = now.date()
    if born > today + timedelta(days=1) or born.year < today.year - _AGE_YEARS_MAX:
        raise InvalidInput(field="date_of_birth", detail=f"It lies ahead, or more than {_AGE_YEARS_MAX} years back.")
    return born.isoformat()


def _checked(new: NewSurvivor, now: datetime) -> tuple[dict[str, str | None], Traits]:
    """The fields of her row, in the clear, and by what she will be found."""
    if len(new.aliases) > ALIASES_MAX:
        raise InvalidInput(field="aliases", detail=f"At most {ALIASES_MAX}.")
    if len(new.phones) > PHONES_MAX:
        raise InvalidInput(field="phones", detail=f"At most {PHONES_MAX}.")
    given_name = plain_text(new.given_name, field="given_name", length_max=NAME_LENGTH_MAX)
    family_name = plain_text(new.family_name, field="family_name", length_max=NAME_LENGTH_MAX)
    names = (given_name, family_name, *(alias.name for alias in new.aliases))
    label = check_label(new.case_label, names) if new.case_label and new.case_label.strip() else made_label()
    fields = {
        "given_name": given_name,
        "family_name": family_name,
        "date_of_birth": possible_birth(new.date_of_birth, now),
        "pronouns": plain_text_or_none(new.pronouns, field="pronouns", length_max=PRONOUNS_LENGTH_MAX),
        "case_label": label,
    }
    phones = tuple(dict.fromkeys(normalise_phone(phone.number, field="number") for phone in new.phones))
    return fields, Traits(names, phones, new.date_of_birth, label)


async def _insert(
    session: AsyncSession, actor: Member, held: HeldRecord, fields: dict[str, str | None], now: datetime
) -> None:
    sealed = {
        f"{name}_sealed": seal_field(held.key, getattr(Survivor, f"{name}_sealed"), held.id, value)
        for name, value in fields.items()
    }
    values = {
        "id": held.id,
        "agency_id": held.agency_id,
        "data_key_id": held.key.id,
        "created_by": actor.member_id,
        "created_at": now,
        **sealed,
    }
    await session.execute(insert(Survivor).values(values).inline())

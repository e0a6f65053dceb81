"""The facts of a survivor that a disclosure may carry, opened one by one: nothing is decrypted unasked."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from referralnet.encryption.keyring import Keyring
from referralnet.survivors.notes import NoteCategory, read_notes
from referralnet.survivors.safe_windows import describe_windows
from referralnet.survivors.sealed_fields import load_survivor_key, open_field
from referralnet.survivors.tables import ContactPlan, Need, Survivor


class Fact(StrEnum):
    """One thing that is known of a survivor."""

    GIVEN_NAME = "given_name"
    FAMILY_NAME = "family_name"
    DATE_OF_BIRTH = "date_of_birth"
    SAFETY_NOTE = "safety_note"
    LEGAL_NOTE = "legal_note"
    IMMIGRATION_NOTE = "immigration_note"
    MEDICAL_NOTE = "medical_note"
    PHONE = "phone"
    CONTACT_LANGUAGE = "contact_language"
    TIME_ZONE = "time_zone"
    SAFE_WINDOWS = "safe_windows"
    VOICEMAIL_OK = "voicemail_ok"
    SERVICE_TYPE = "service_type"
    URGENCY = "urgency"
    REGION = "region"
    LANGUAGE = "language"
    HOUSEHOLD_SIZE = "household_size"
    AGE_BAND = "age_band"
    ACCESSIBILITY = "accessibility"
    IMMIGRATION_SENSITIVE = "immigration_sensitive"


_COLUMNS: dict[Fact, InstrumentedAttribute[Any]] = {
    Fact.GIVEN_NAME: Survivor.given_name_sealed,
    Fact.FAMILY_NAME: Survivor.family_name_sealed,
    Fact.DATE_OF_BIRTH: Survivor.date_of_birth_sealed,
    Fact.PHONE: ContactPlan.phone_sealed,
    Fact.CONTACT_LANGUAGE: ContactPlan.language,
    Fact.TIME_ZONE: ContactPlan.time_zone,
    Fact.SAFE_WINDOWS: ContactPlan.safe_windows,
    Fact.VOICEMAIL_OK: ContactPlan.voicemail_ok,
    Fact.SERVICE_TYPE: Need.service_type,
    Fact.URGENCY: Need.urgency,
    Fact.REGION: Need.region,
    Fact.LANGUAGE: Need.language,
    Fact.HOUSEHOLD_SIZE: Need.household_size,
    Fact.AGE_BAND: Need.age_band,
    Fact.ACCESSIBILITY: Need.accessibility,
    Fact.IMMIGRATION_SENSITIVE: Need.immigration_sensitive,
}

_NOTES = {
    Fact.SAFETY_NOTE: NoteCategory.SAFETY,
    Fact.LEGAL_NOTE: NoteCategory.LEGAL,
    Fact.IMMIGRATION_NOTE: NoteCategory.IMMIGRATION,
    Fact.MEDICAL_NOTE: NoteCategory.MEDICAL,
}


async def open_facts(
    session: AsyncSession, survivor_id: UUID, facts: Collection[Fact], *, need_id: UUID | None = None, keyring: Keyring
) -> dict[Fact, str]:
    """Those of the facts that are recorded, in words or codes, for a survivor in this custody.

    `need_id` is the need to speak of; the newest where it is not given.

    Raises:
        NotFound: no such survivor in this custody.
        KeyGone: the survivor was erased.
    """
    key = await load_survivor_key(session, keyring, survivor_id)
    opened: dict[Fact, str] = {}
    for table in (Survivor, ContactPlan, Need):
        wanted = [fact for fact, column in _COLUMNS.items() if fact in facts and column.class_ is table]
        if not wanted:
            continue
        row = (await session.execute(_row(table, wanted, survivor_id, need_id))).one_or_none()
        if row is None:
            continue
        row_id, *values = row
        for fact, stored in zip(wanted, values, strict=True):
            column = _COLUMNS[fact]
            value = open_field(key, column, row_id, stored) if column.key.endswith("_sealed") else stored
            if value is not None:
                opened[fact] = _in_words(fact, value)
    if asked := {fact: category for fact, category in _NOTES.items() if fact in facts}:
        notes = await read_notes(session, key, survivor_id, categories=frozenset(asked.values()))
        said = {note.category: note.text for note in notes if note.text is not None}
        opened |= {fact: said[category] for fact, category in asked.items() if category in said}
    return opened


def _row(
    table: type[Survivor | ContactPlan | Need], wanted: list[Fact], survivor_id: UUID, need_id: UUID | None
) -> Any:
    owner = Survivor.id if table is Survivor else table.survivor_id  # type: ignore[union-attr]
    statement = select(table.id, *(_COLUMNS[fact] for fact in wanted)).where(owner == survivor_id)
    if table is Need:
        statement = statement.order_by(Need.created_at.desc(), Need.id.desc()).limit(1)
        if need_id is not None:
            statement = statement.where(Need.id == need_id)
    return statement


def _in_words(fact: Fact, value: Any) -> str:
    if fact is Fact.SAFE_WINDOWS:
        return describe_windows(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(value)
    return str(value)

"""Keyed hashes by which an agency finds its own survivors, and nobody anything else (C5, P4).

Each is an HMAC under a key of the agency and of the kind, so equal names in two agencies share nothing. A dump without
the keyring still shows which hashes are equal; so every value is hashed in one of sixteen ways, chosen by whose it is:
the commonest name shows a sixteenth of its frequency, and two who share it share a hash once in sixteen times. Whoever
asks, asks for all sixteen (docs/decisions/0096).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from uuid import UUID

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.encryption.keyring import Keyring
from referralnet.survivors.name_words import familiar, plain_words, sound
from referralnet.survivors.sealed_fields import HeldRecord, open_field
from referralnet.survivors.tables import ContactPlan, Survivor, SurvivorAlias, SurvivorPhone, SurvivorSearchKey

SPREAD = 16
_HASH_BYTES = 16


class SearchKind(StrEnum):
    """What is hashed; a check on survivor_search_key has the same."""

    NAME = "name"
    NICKNAME = "nickname"
    SOUND = "sound"
    PHONE = "phone"
    BIRTH = "birth"
    LABEL = "label"


@dataclass(frozen=True, slots=True)
class Traits:
    """By what a survivor can be found; it shows in no representation. `phones` are E.164."""

    names: tuple[str, ...] = field(repr=False)
    phones: tuple[str, ...] = field(default=(), repr=False)
    born: date | None = field(default=None, repr=False)
    label: str | None = field(default=None, repr=False)

    @property
    def words(self) -> list[str]:
        """The words of all the names, each once."""
        return list(dict.fromkeys(word for name in self.names for word in plain_words(name)))


class SearchHasher:
    """Hashes for one agency."""

    def __init__(self, keyring: Keyring, agency_id: UUID) -> None:
        self._keys = {kind: keyring.derive(f"search:{kind}:{agency_id}").material for kind in SearchKind}

    def asked(self, kind: SearchKind, value: str) -> list[bytes]:
        """All hashes under which a value may stand."""
        return [self._hash(kind, way, value) for way in range(SPREAD)]

    def kept(self, kind: SearchKind, value: str, survivor_id: UUID) -> bytes:
        """The one under which it stands for this survivor, the same each time."""
        chosen = hmac.digest(self._keys[kind], survivor_id.bytes + value.encode(), hashlib.sha256)[0]
        return self._hash(kind, chosen % SPREAD, value)

    def _hash(self, kind: SearchKind, way: int, value: str) -> bytes:
        return hmac.digest(self._keys[kind], bytes([way]) + value.encode(), hashlib.sha256)[:_HASH_BYTES]


def label_value(label: str) -> str:
    """A case label as it is compared."""
    return " ".join(plain_words(label))


def values_of(traits: Traits) -> Iterator[tuple[SearchKind, str]]:
    """What is hashed for a survivor."""
    for word in traits.words:
        yield SearchKind.NAME, word
        if form := familiar(word):
            yield SearchKind.NICKNAME, form
        if heard := sound(word):
            yield SearchKind.SOUND, heard
    for phone in traits.phones:
        yield SearchKind.PHONE, phone
    if traits.born is not None:
        yield SearchKind.BIRTH, traits.born.isoformat()
    if traits.label is not None:
        yield SearchKind.LABEL, label_value(traits.label)


async def index_survivor(
    session: AsyncSession, keyring: Keyring, record: HeldRecord, traits: Traits | None = None
) -> None:
    """Write a survivor's hashes anew, in place of those there are; her traits are read where they are not given."""
    traits = traits or await read_traits(session, record)
    hasher = SearchHasher(keyring, record.agency_id)
    hashes = {(kind, hasher.kept(kind, value, record.id)) for kind, value in values_of(traits)}
    owner = {"agency_id": record.agency_id, "survivor_id": record.id}
    rows = [{**owner, "kind": kind, "hash": hashed} for kind, hashed in sorted(hashes)]
    await session.execute(delete(SurvivorSearchKey).where(SurvivorSearchKey.survivor_id == record.id))
    await session.execute(insert(SurvivorSearchKey).values(rows).inline())


async def read_traits(session: AsyncSession, record: HeldRecord) -> Traits:
    """What a survivor can be found by, opened from her record; for the program, and shown to nobody."""
    columns = select(
        Survivor.given_name_sealed, Survivor.family_name_sealed, Survivor.date_of_birth_sealed,
        Survivor.case_label_sealed,
    )  # fmt: skip
    row = (await session.execute(columns.where(Survivor.id == record.id))).one()
    born = open_field(record.key, Survivor.date_of_birth_sealed, record.id, row.date_of_birth_sealed)
    return Traits(
        names=(
            open_field(record.key, Survivor.given_name_sealed, record.id, row.given_name_sealed),
            open_field(record.key, Survivor.family_name_sealed, record.id, row.family_name_sealed),
            *await _aliases(session, record),
        ),
        phones=await _phones(session, record),
        born=None if born is None else date.fromisoformat(born),
        label=open_field(record.key, Survivor.case_label_sealed, record.id, row.case_label_sealed),
    )


async def _aliases(session: AsyncSession, record: HeldRecord) -> list[str]:
    present = select(SurvivorAlias.id, SurvivorAlias.name_sealed).where(
        SurvivorAlias.survivor_id == record.id, SurvivorAlias.removed_at.is_(None)
    )
    rows = await session.execute(present)
    return [open_field(record.key, SurvivorAlias.name_sealed, row.id, row.name_sealed) for row in rows]


async def _phones(session: AsyncSession, record: HeldRecord) -> tuple[str, ...]:
    present = select(SurvivorPhone.id, SurvivorPhone.number_sealed).where(
        SurvivorPhone.survivor_id == record.id, SurvivorPhone.removed_at.is_(None)
    )
    numbers = [
        open_field(record.key, SurvivorPhone.number_sealed, row.id, row.number_sealed)
        for row in await session.execute(present)
    ]
    plans = select(ContactPlan.id, ContactPlan.phone_sealed).where(ContactPlan.survivor_id == record.id)
    numbers += [
        open_field(record.key, ContactPlan.phone_sealed, row.id, row.phone_sealed)
        for row in await session.execute(plans)
    ]
    return tuple(dict.fromkeys(numbers))

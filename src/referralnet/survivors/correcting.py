"""Correcting who a survivor is. What stood there before is kept, sealed, by the database itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput
from referralnet.identity.access import Permission, require
from referralnet.survivors.aliases import NAME_LENGTH_MAX, AliasKind, NewAlias, insert_alias
from referralnet.survivors.case_labels import check_label
from referralnet.survivors.checking import coded, plain_text
from referralnet.survivors.recording import PRONOUNS_LENGTH_MAX, possible_birth
from referralnet.survivors.sealed_fields import HeldRecord, hold_survivor, open_field, seal_field
from referralnet.survivors.search_keys import index_survivor, read_traits
from referralnet.survivors.tables import Survivor

_FIELDS = ("given_name", "family_name", "date_of_birth", "pronouns", "case_label")


class Clearable(StrEnum):
    """What may be emptied; a name may be replaced only."""

    DATE_OF_BIRTH = "date_of_birth"
    PRONOUNS = "pronouns"


@dataclass(frozen=True, slots=True)
class Correction:
    """What is right instead; none leaves a field as it is, and `cleared` empties it.

    With `keep_former_name` she is found by the name that was there, too: it becomes an alias.
    """

    given_name: str | None = field(default=None, repr=False)
    family_name: str | None = field(default=None, repr=False)
    date_of_birth: date | None = field(default=None, repr=False)
    pronouns: str | None = field(default=None, repr=False)
    case_label: str | None = field(default=None, repr=False)
    cleared: frozenset[Clearable] = frozenset()
    keep_former_name: bool = False


async def correct_survivor(
    session: AsyncSession, actor: Member, survivor_id: UUID, correction: Correction, *, keyring: Keyring, now: datetime
) -> None:
    """Correct a survivor in this custody. Disclosures that were made are copies, and stay as they were.

    Raises:
        InvalidInput: naming the field; nothing is corrected.
        NotFound: no such survivor in this custody.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    held = await hold_survivor(session, keyring, survivor_id)
    present = await _present(session, held)
    changed = {name: value for name, value in _wanted(correction, now).items() if value != present[name]}
    if not changed:
        raise InvalidInput(field="correction", detail="It changes nothing.")
    sealed = {
        f"{name}_sealed": seal_field(held.key, getattr(Survivor, f"{name}_sealed"), survivor_id, value)
        for name, value in changed.items()
    }
    await session.execute(update(Survivor).where(Survivor.id == survivor_id).values(sealed))
    if correction.keep_former_name and {"given_name", "family_name"} & changed.keys():
        former = NewAlias(f"{present['given_name']} {present['family_name']}"[:NAME_LENGTH_MAX], AliasKind.FORMER)
        await insert_alias(session, actor, held, former, now=now)
    traits = await read_traits(session, held)
    if traits.label is not None:
        check_label(traits.label, traits.names)
    await index_survivor(session, keyring, held, traits)
    await record(session, Action.SURVIVOR_CORRECTED, "survivor", survivor_id, fields=sorted(changed))


def _wanted(correction: Correction, now: datetime) -> dict[str, str | None]:
    """The fields that are to change, as they are stored."""
    wanted: dict[str, str | None] = {str(coded(Clearable, name, field="cleared")): None for name in correction.cleared}
    for name, length_max in (
        ("given_name", NAME_LENGTH_MAX),
        ("family_name", NAME_LENGTH_MAX),
        ("pronouns", PRONOUNS_LENGTH_MAX),
    ):
        value = getattr(correction, name)
        if value is not None:
            wanted[name] = plain_text(value, field=name, length_max=length_max)
    if correction.date_of_birth is not None:
        wanted["date_of_birth"] = possible_birth(correction.date_of_birth, now)
    if correction.case_label is not None:
        wanted["case_label"] = check_label(correction.case_label, ())
    return wanted


async def _present(session: AsyncSession, held: HeldRecord) -> dict[str, str | None]:
    columns: list[Any] = [getattr(Survivor, f"{name}_sealed") for name in _FIELDS]
    row = (await session.execute(select(*columns).where(Survivor.id == held.id))).one()
    return {
        name: open_field(held.key, column, held.id, value)
        for name, column, value in zip(_FIELDS, columns, row, strict=True)
    }

"""Whether a text proves that it is she who wrote it: it holds the code phrase of her contact plan.

The phrase is told to her and never asked for by text: whoever holds a shared or a changed phone would learn from the
question that this number is known (M6), and that there is something to know.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.encryption.data_keys import KeyGone
from referralnet.encryption.keyring import Keyring
from referralnet.messaging.neutrality import fold
from referralnet.survivors.sealed_fields import load_survivor_key, open_field
from referralnet.survivors.tables import ContactPlan


class Proof(StrEnum):
    """What a text says of its writer; the code that a person reads on the task."""

    GIVEN = "code_phrase_given"
    MISSING = "code_phrase_missing"
    NONE_AGREED = "no_code_phrase_agreed"


class NumberedPlan(NamedTuple):
    """A contact plan that has the number of a text that came in."""

    id: UUID
    survivor_id: UUID
    code_phrase_sealed: bytes | None


async def plans_of_number(session: AsyncSession, phone_lookup: bytes) -> list[NumberedPlan]:
    """The plans in this custody that have a number, in the order of their survivors."""
    columns = select(ContactPlan.id, ContactPlan.survivor_id, ContactPlan.code_phrase_sealed)
    plans = columns.where(ContactPlan.phone_lookup == phone_lookup).order_by(ContactPlan.survivor_id)
    return [NumberedPlan(*row) for row in await session.execute(plans)]


async def proof_of(session: AsyncSession, keyring: Keyring, plan: NumberedPlan, beyond: str) -> Proof:
    """What the words beyond the answer itself prove, in the plan's custody. Whoever was erased proves nothing."""
    if plan.code_phrase_sealed is None:
        return Proof.NONE_AGREED
    phrase = await _phrase(session, keyring, plan, plan.code_phrase_sealed)
    return Proof.GIVEN if phrase is not None and holds_phrase(beyond, phrase) else Proof.MISSING


async def says_beside_phrase(session: AsyncSession, keyring: Keyring, plan: NumberedPlan, beyond: str) -> bool:
    """Whether the words beyond the answer itself hold anything but her code phrase."""
    phrase = None
    if plan.code_phrase_sealed is not None:
        phrase = await _phrase(session, keyring, plan, plan.code_phrase_sealed)
    said = f" {fold(beyond)} "
    return bool((said if phrase is None else said.replace(f" {fold(phrase)} ", " ")).strip())


async def _phrase(session: AsyncSession, keyring: Keyring, plan: NumberedPlan, sealed: bytes) -> str | None:
    try:
        key = await load_survivor_key(session, keyring, plan.survivor_id)
    except KeyGone:
        return None
    return open_field(key, ContactPlan.code_phrase_sealed, plan.id, sealed)


def holds_phrase(beyond: str, phrase: str) -> bool:
    """Whether words hold a code phrase, as whole words and however they are written. Pure."""
    wanted = fold(phrase)
    return bool(wanted) and f" {wanted} " in f" {fold(beyond)} "

"""She wrote that everything ends: whose consent that is in one custody, and whether the text proves that it is she."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.encryption.data_keys import KeyGone
from referralnet.encryption.keyring import Keyring
from referralnet.messaging.inbound import Received
from referralnet.messaging.neutrality import fold
from referralnet.survivors.sealed_fields import load_survivor_key, open_field
from referralnet.survivors.tables import ContactPlan


class EndingWish(NamedTuple):
    """A survivor whose plan has this number. Unproven, a person has to ask her: texts pause until then."""

    plan_id: UUID
    survivor_id: UUID
    is_proven: bool


async def ending_wishes(session: AsyncSession, keyring: Keyring, received: Received) -> list[EndingWish]:
    """The plans in this custody that have the number, in the order of their survivors."""
    columns = select(ContactPlan.id, ContactPlan.survivor_id, ContactPlan.code_phrase_sealed)
    plans = columns.where(ContactPlan.phone_lookup == received.phone_lookup).order_by(ContactPlan.survivor_id)
    return [
        EndingWish(row.id, row.survivor_id, await _is_proven(session, keyring, row, received.beyond))
        for row in (await session.execute(plans)).all()
    ]


async def _is_proven(session: AsyncSession, keyring: Keyring, plan: Any, beyond: str) -> bool:
    if plan.code_phrase_sealed is None:
        return beyond == ""
    try:
        key = await load_survivor_key(session, keyring, plan.survivor_id)
    except KeyGone:
        return False
    return holds_phrase(beyond, open_field(key, ContactPlan.code_phrase_sealed, plan.id, plan.code_phrase_sealed))


def holds_phrase(beyond: str, phrase: str) -> bool:
    """Whether the words beyond "end all" hold her code phrase, as whole words and however they are written."""
    wanted = fold(phrase)
    return bool(wanted) and f" {wanted} " in f" {fold(beyond)} "

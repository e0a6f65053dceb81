"""She wrote that everything ends: whose consent that is in one custody, and whether the text proves that it is she."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.encryption.keyring import Keyring
from referralnet.messaging.inbound import Received
from referralnet.messaging.proving import Proof, plans_of_number, proof_of


class EndingWish(NamedTuple):
    """A survivor whose plan has this number. Unproven, a person has to ask her: texts pause until then."""

    plan_id: UUID
    survivor_id: UUID
    is_proven: bool


async def ending_wishes(session: AsyncSession, keyring: Keyring, received: Received) -> list[EndingWish]:
    """The plans in this custody that have the number, in the order of their survivors.

    Where no code phrase was agreed, the words alone prove it, and nothing else may stand beside them.
    """
    wishes = []
    for plan in await plans_of_number(session, received.phone_lookup):
        proof = await proof_of(session, keyring, plan, received.beyond)
        wishes.append(EndingWish(plan.id, plan.survivor_id, _is_proven(proof, received)))
    return wishes


def _is_proven(proof: Proof, received: Received) -> bool:
    return received.beyond == "" if proof is Proof.NONE_AGREED else proof is Proof.GIVEN

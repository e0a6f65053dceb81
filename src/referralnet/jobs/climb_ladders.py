"""Remind of referrals that nobody has answered, and end those whose time is over, each as its own custodian."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.database.acting import Custodian
from referralnet.identity.failing import Row
from referralnet.jobs.one_by_one import one_by_one
from referralnet.jobs.work import Work
from referralnet.referrals.ladder import climb, due_on_ladder

_JOB = "climb_ladders"


async def run(work: Work) -> int:
    """Take every step that is due; returns how many."""

    async def look(session: AsyncSession, *, first: int) -> Sequence[tuple[UUID, UUID]]:
        return await due_on_ladder(session, work.now(), first=first)

    async def take(due: tuple[UUID, UUID]) -> int:
        referral_id, agency_id = due
        async with work.database.transaction(Custodian(agency_id)) as session:
            return len(await climb(session, referral_id, work.now()))

    return await one_by_one(work, _JOB, look, take, row=_row, first=500)


def _row(due: tuple[UUID, UUID]) -> Row:
    referral_id, agency_id = due
    return Row(_JOB, referral_id, agency_id, "referral", referral_id)

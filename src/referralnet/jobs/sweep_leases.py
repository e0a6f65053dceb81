"""Claims whose worker is gone become unknown, and a person sees each."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.identity.failing import Row
from referralnet.jobs.one_by_one import one_by_one
from referralnet.jobs.work import Work
from referralnet.messaging.outbox import DueText, give_up_lease, lapsed_leases
from referralnet.messaging.reconciling import tell_of_one_unknown, untold_texts

_JOB = "sweep_leases"


async def run(work: Work) -> int:
    """Give up every lapsed lease, and tell of what a withdrawal found in a dead worker's hands; returns how many."""

    async def lapsed(session: AsyncSession, *, first: int) -> Sequence[DueText]:
        return await lapsed_leases(session, now=work.now(), first=first)

    async def give_up(text: DueText) -> int:
        async with work.database.transaction(text.custody) as session:
            return await give_up_lease(session, text.id, now=work.now())

    async def untold(session: AsyncSession, *, first: int) -> Sequence[DueText]:
        return await untold_texts(session, now=work.now(), first=first)

    async def tell(text: DueText) -> int:
        async with work.database.transaction(text.custody) as session:
            await tell_of_one_unknown(session, text, now=work.now())
        return 0

    given_up = await one_by_one(work, _JOB, lapsed, give_up, row=_row, first=500)
    await one_by_one(work, _JOB, untold, tell, row=_row)
    return given_up


def _row(text: DueText) -> Row:
    return Row(_JOB, text.id, text.agency_id, "text_message", text.id)

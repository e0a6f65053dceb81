"""Look up in the carrier's list what nobody answered for."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.identity.failing import Row
from referralnet.jobs.one_by_one import one_by_one
from referralnet.jobs.work import Work
from referralnet.messaging.outbox import DueText
from referralnet.messaging.reconciling import settle_by_listing, texts_to_look_up

_JOB = "settle_unknown"


async def run(work: Work) -> int:
    """Settle what the list tells; returns how many: none where the carrier has no list, and reports alone settle."""
    if not work.sender.carrier.lists:
        return 0

    async def look(session: AsyncSession, *, first: int) -> Sequence[DueText]:
        return await texts_to_look_up(session, now=work.now(), first=first)

    async def settle(text: DueText) -> int:
        return await settle_by_listing(work.sender, text, unlisted_seconds=work.text_unlisted_seconds)

    return await one_by_one(work, _JOB, look, settle, row=_row)


def _row(text: DueText) -> Row:
    return Row(_JOB, text.id, text.agency_id, "text_message", text.id)

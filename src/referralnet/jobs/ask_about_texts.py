"""Ask the carrier about what it took a day ago and has said nothing final about."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.identity.failing import Row
from referralnet.jobs.one_by_one import one_by_one
from referralnet.jobs.work import Work
from referralnet.messaging.carriers import Busy
from referralnet.messaging.silent import AT_ONCE_MAX, Silent, ask_about_silent, silent_texts

_JOB = "ask_about_texts"


async def run(work: Work) -> int:
    """Ask about each once a day, for as long as the carrier answers; returns of how many it learnt more."""
    is_busy = False

    async def look(session: AsyncSession, *, first: int) -> Sequence[Silent]:
        return await silent_texts(session, now=work.now(), first=first)

    async def ask(silent: Silent) -> int:
        nonlocal is_busy
        if is_busy:
            return 0
        try:
            return int(await ask_about_silent(work.sender, silent))
        except Busy:
            is_busy = True
            return 0

    return await one_by_one(work, _JOB, look, ask, row=_row, first=AT_ONCE_MAX)


def _row(silent: Silent) -> Row:
    return Row(_JOB, silent.text.id, silent.text.agency_id, "text_message", silent.text.id)

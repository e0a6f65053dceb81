"""Hand over what is due."""

from __future__ import annotations

import asyncio
import contextlib

from referralnet.jobs.work import Work
from referralnet.messaging.looking import send_due

# More than one worker sends in the second that a look lasts, so that agencies have several turns in each.
_TEXTS_PER_LOOK = 500


async def run(work: Work) -> int:
    """Send for as long as it gets on; returns how many texts the carrier was asked to take."""
    asked = 0
    while not work.stopping.is_set():
        look = await send_due(
            work.sender, first=_TEXTS_PER_LOOK, at_once=work.texts_at_once, stopping=work.stopping.is_set
        )
        asked += look.asked
        if look.waits_for_rate:
            await _rest(work)
        elif not look.asked:
            break
    return asked


async def _rest(work: Work) -> None:
    """Until the carrier takes more, or the worker is to stop."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(work.sender.pace.rest_seconds):
            await work.stopping.wait()

"""Hand over what is due."""

from __future__ import annotations

from referralnet.jobs.work import Work
from referralnet.messaging.sending import Outcome, send_due

# Enough to keep the carrier busy until the next tick; a wake-up or the tick brings the rest.
_TEXTS_PER_LOOK = 100


async def run(work: Work) -> int:
    """Send for as long as it gets on; returns how many texts the carrier was asked to take."""
    asked = 0
    while not work.stopping.is_set():
        outcomes = await send_due(
            work.sender, first=_TEXTS_PER_LOOK, at_once=work.texts_at_once, stopping=work.stopping.is_set
        )
        moved = outcomes.total() - outcomes[Outcome.NOT_SENT]
        asked += moved
        if not moved:
            break
    return asked

"""Hand over what is due."""

from __future__ import annotations

from referralnet.jobs.work import Work
from referralnet.messaging.sending import send_due

# Enough to keep the carrier busy until the next tick; a wake-up or the tick brings the rest.
_TEXTS_PER_TICK = 100


async def run(work: Work) -> int:
    """Send until nothing is due; returns how many texts were looked at."""
    looked_at = 0
    while outcomes := await send_due(work.sender, first=_TEXTS_PER_TICK, at_once=work.texts_at_once):
        looked_at += outcomes.total()
    return looked_at

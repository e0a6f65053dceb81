"""Apply what the carrier reported."""

from __future__ import annotations

from referralnet.jobs.work import Work
from referralnet.messaging.callbacks import handle_callbacks


async def run(work: Work) -> int:
    """Apply every waiting report; returns how many."""
    return await handle_callbacks(work.database, keyring=work.keyring, now=work.now())

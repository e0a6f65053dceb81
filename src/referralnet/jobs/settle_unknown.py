"""Look up in the carrier's list what nobody answered for."""

from __future__ import annotations

from referralnet.jobs.work import Work
from referralnet.messaging.reconciling import settle_by_listing


async def run(work: Work) -> int:
    """Settle what the list tells; returns how many."""
    return await settle_by_listing(work.sender, unlisted_seconds=work.text_unlisted_seconds)

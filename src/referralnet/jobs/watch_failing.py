"""Tell whoever runs the network which rows jobs fail on, and settle it once these are handled."""

from __future__ import annotations

from referralnet.identity.failing import raise_alarms, settle_rows_no_longer_failing
from referralnet.jobs.work import Work


async def run(work: Work) -> int:
    """Tell and settle; returns of how many rows."""
    settled = await settle_rows_no_longer_failing(work.database, now=work.now())
    return settled + await raise_alarms(work.database, now=work.now())

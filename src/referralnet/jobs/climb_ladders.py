"""Remind of referrals that nobody has answered, and end those whose time is over, each as its own custodian."""

from __future__ import annotations

import structlog

from referralnet.database.acting import Custodian, Dispatcher
from referralnet.jobs.work import Work
from referralnet.referrals.ladder import climb, due_on_ladder

_log = structlog.get_logger("referralnet.jobs")


async def run(work: Work) -> int:
    """Take every step that is due; returns how many."""
    async with work.database.transaction(Dispatcher()) as session:
        due = await due_on_ladder(session, work.now())
    taken = 0
    for referral_id, agency_id in due:
        if work.stopping.is_set():
            break
        try:
            async with work.database.transaction(Custodian(agency_id)) as session:
                taken += len(await climb(session, referral_id, work.now()))
        except Exception as error:  # noqa: BLE001 (one that fails must not keep the others; the next tick tries again)
            _log.error("ladder_failed", error=type(error).__name__)
    return taken

"""Check the chain of each agency's trail once a day, and at once where an auditor asks; a break is an alarm."""

from __future__ import annotations

from datetime import timedelta

import structlog

from referralnet.audit.checking import check_next, forget_old_checks, plan_checks
from referralnet.database.acting import Dispatcher
from referralnet.jobs.work import Work

EVERY = timedelta(days=1)
_log = structlog.get_logger("referralnet.jobs")


async def run(work: Work) -> int:
    """Check what is asked for or due, one agency a transaction; returns how many chains were checked."""
    async with work.database.transaction(Dispatcher()) as session:
        await plan_checks(session, every=EVERY, now=work.now())
        await forget_old_checks(session, now=work.now())
    checked = 0
    while not work.stopping.is_set():
        async with work.database.transaction(Dispatcher()) as session:
            result = await check_next(session, now=work.now())
        if result is None:
            break
        checked += 1
        if result.broken is not None:
            _log.error("trail_broken", agency_id=str(result.agency_id), position=result.broken.position)
    return checked

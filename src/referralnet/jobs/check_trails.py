"""Check the chain of each agency's trail once a day, and at once where an auditor asks; a break is an alarm."""

from __future__ import annotations

from datetime import timedelta

import structlog

from referralnet.audit.checking import WaitingCheck, check_chain, forget_old_checks, plan_checks, waiting_checks
from referralnet.database.acting import Dispatcher
from referralnet.identity.failing import Row
from referralnet.jobs.one_by_one import one_by_one
from referralnet.jobs.work import Work

EVERY = timedelta(days=1)
_JOB = "check_trails"
_log = structlog.get_logger("referralnet.jobs")


async def run(work: Work) -> int:
    """Check what is asked for or due, one agency a transaction; returns how many chains were checked."""
    async with work.database.transaction(Dispatcher()) as session:
        await plan_checks(session, every=EVERY, now=work.now())
        await forget_old_checks(session, now=work.now())

    async def check(waiting: WaitingCheck) -> int:
        async with work.database.transaction(Dispatcher()) as session:
            result = await check_chain(session, waiting.id, now=work.now())
        if result is not None and result.broken is not None:
            _log.error("trail_broken", agency_id=str(result.agency_id), position=result.broken.position)
        return int(result is not None)

    return await one_by_one(work, _JOB, waiting_checks, check, row=_row)


def _row(waiting: WaitingCheck) -> Row:
    return Row(_JOB, waiting.id, None, "agency", waiting.agency_id)

"""Prove daily, custody by custody, that no key outlives its release; a key that did is an alarm."""

from __future__ import annotations

from uuid import UUID

import structlog

from referralnet.consent.proving import destroy_outliving_keys
from referralnet.database.acting import Custodian
from referralnet.jobs.one_by_one import custody_by_custody
from referralnet.jobs.work import Work

_log = structlog.get_logger("referralnet.jobs")


async def run(work: Work) -> int:
    """Look in every custody; returns how many keys had outlived their release. It should be none."""

    async def prove(agency_id: UUID) -> int:
        async with work.database.transaction(Custodian(agency_id)) as session:
            return await destroy_outliving_keys(session, agency_id, now=work.now())

    outlived = await custody_by_custody(work, "prove_keys", prove)
    if outlived:
        _log.error("keys outlived their releases", count=outlived)
    return outlived

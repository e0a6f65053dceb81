"""Prove daily, custody by custody, that no key outlives its release; a key that did is an alarm."""

from __future__ import annotations

from uuid import UUID

import structlog
from sqlalchemy import text

from referralnet.consent.proving import destroy_outliving_keys
from referralnet.database.acting import Custodian, Dispatcher
from referralnet.jobs.work import Work

_log = structlog.get_logger("referralnet.jobs")


async def run(work: Work) -> int:
    """Look in every custody; returns how many keys had outlived their release. It should be none."""
    async with work.database.transaction(Dispatcher()) as session:
        agency_ids = (await session.scalars(text("select id from agency order by id"))).all()
    outlived = 0
    for agency_id in agency_ids:
        async with work.database.transaction(Custodian(UUID(str(agency_id)))) as session:
            outlived += await destroy_outliving_keys(session, UUID(str(agency_id)), now=work.now())
    if outlived:
        _log.error("keys outlived their releases", count=outlived)
    return outlived

"""Link the newest audit events into their agencies' chains."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.chain import agencies_with_waiting, seal_trail
from referralnet.database.acting import Dispatcher
from referralnet.identity.failing import Row, failing_rows
from referralnet.jobs.one_by_one import one_by_one
from referralnet.jobs.work import Work

_JOB = "seal_audit"


async def run(work: Work) -> int:
    """Seal one batch; returns how many events. Where it fails, each agency by itself: one keeps back no other."""

    async def seal(agency_id: UUID) -> int:
        async with work.database.transaction(Dispatcher()) as session:
            return await seal_trail(session, only=agency_id)

    try:
        async with work.database.transaction(Dispatcher()) as session:
            pausing = {agency_id for agency_id, at in (await failing_rows(session, _JOB)).items() if at > work.now()}
            return await seal_trail(session, but_for=pausing)
    except Exception:  # noqa: BLE001 (what it is about one agency is noted when its turn comes)
        return await one_by_one(work, _JOB, _waiting, seal, row=_row)


async def _waiting(session: AsyncSession, *, first: int) -> Sequence[UUID]:
    del first  # all of them
    return await agencies_with_waiting(session)


def _row(agency_id: UUID) -> Row:
    return Row(_JOB, agency_id, None, "agency", agency_id)

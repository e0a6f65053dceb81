"""End releases whose time is over, each in its own custody: the status and the key go in one transaction."""

from __future__ import annotations

from uuid import UUID

from referralnet.consent.ending import expire_release, run_out_releases
from referralnet.database.acting import Custodian
from referralnet.identity.failing import Row
from referralnet.jobs.one_by_one import one_by_one
from referralnet.jobs.work import Work
from referralnet.referrals.expiring import tell_of_run_out_release

_JOB = "expire_releases"


async def run(work: Work) -> int:
    """Expire every release that has run out; returns how many. What it opened was closed to readers at the instant."""

    async def expire(release: tuple[UUID, UUID]) -> int:
        release_id, agency_id = release
        async with work.database.transaction(Custodian(agency_id)) as session:
            if not await expire_release(session, release_id, now=work.now()):
                return 0
            await tell_of_run_out_release(session, agency_id, release_id, work.now())
            return 1

    return await one_by_one(work, _JOB, run_out_releases, expire, row=_row, first=100)


def _row(release: tuple[UUID, UUID]) -> Row:
    release_id, agency_id = release
    return Row(_JOB, release_id, agency_id, "release", release_id)

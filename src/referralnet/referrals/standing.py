"""What records of one's own custody hold that is open, side by side: dates and counts, and nobody's identity."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ScalarSelect, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.consent.releases import ReleaseStatus
from referralnet.consent.tables import Release, SurvivorRelease
from referralnet.database.acting import Member
from referralnet.identity.access import Permission, require
from referralnet.referrals.tables import Referral, SurvivorReferral
from referralnet.survivors.tables import Need, Survivor

_UNENDED = (ReleaseStatus.PROPOSED, ReleaseStatus.ACTIVE)


class Standing(NamedTuple):
    """When a record was made, and how much of it is open."""

    recorded_at: datetime
    open_needs: int
    releases: int
    referrals: int

    @property
    def is_in_use(self) -> bool:
        """Whether it cannot give way to another record (survivors/likeness.py asks the same as it decides)."""
        return bool(self.releases or self.referrals)


async def standing_of(
    session: AsyncSession, actor: Member, survivor_ids: Collection[UUID], *, now: datetime
) -> dict[UUID, Standing]:
    """How records stand, by their ids; what is not in this custody is left out."""
    require(actor, Permission.KEEP_SURVIVORS)
    columns = select(Survivor.id, Survivor.created_at, _open_needs(), _releases(now), _referrals())
    rows = await session.execute(columns.where(Survivor.id.in_(survivor_ids)))
    return {survivor_id: Standing._make(counted) for survivor_id, *counted in rows}


def _open_needs() -> ScalarSelect[int]:
    return _counted(select(func.count()).where(Need.survivor_id == Survivor.id, Need.closed_at.is_(None)))


def _releases(now: datetime) -> ScalarSelect[int]:
    hers = select(func.count()).join_from(SurvivorRelease, Release, Release.id == SurvivorRelease.release_id)
    of_record = hers.where(SurvivorRelease.survivor_id == Survivor.id)
    return _counted(of_record.where(Release.status.in_(_UNENDED), Release.expires_at > now))


def _referrals() -> ScalarSelect[int]:
    hers = select(func.count()).join_from(SurvivorReferral, Referral, Referral.id == SurvivorReferral.referral_id)
    return _counted(hers.where(SurvivorReferral.survivor_id == Survivor.id, Referral.ended_at.is_(None)))


def _counted(statement: Select[Any]) -> ScalarSelect[int]:
    return statement.correlate(Survivor).scalar_subquery()

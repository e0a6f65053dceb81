"""Ending a release: its status and its key go in one transaction, while nobody reads under it (C3, C4)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.consent.refusals import NoLiveRelease, ReleaseWithdrawn
from referralnet.consent.releases import ReleaseStatus
from referralnet.consent.tables import Release, SurvivorRelease
from referralnet.consent.withdrawal_lock import close_release_to_readers
from referralnet.database.acting import Member
from referralnet.encryption.data_keys import destroy_data_key
from referralnet.errors import NotFound
from referralnet.survivors.checking import coded


class Via(StrEnum):
    """How a survivor said that a release ends."""

    ORAL = "oral"
    WRITTEN = "written"
    TEXT = "text"


async def end_release(session: AsyncSession, actor: Member, release_id: UUID, *, via: Via, now: datetime) -> None:
    """End a release as its survivor wishes: from the commit on, nothing made under it can be read, by anybody.

    Any member of the custodian who may open case data takes a withdrawal; it is recorded with who took it. An expired
    release may be ended too: its key is destroyed with it.

    Raises:
        NotFound: no such release in this custody.
        ReleaseWithdrawn: it was ended before.
        NoLiveRelease: it was never active.
    """
    via = coded(Via, via, field="via")
    await close_release_to_readers(session, release_id)
    columns = select(Release.status, Release.data_key_id).where(Release.id == release_id)
    row = (await session.execute(columns)).one_or_none()
    if row is None:
        raise NotFound(field="release_id")
    if row.status == ReleaseStatus.INACTIVE:
        raise ReleaseWithdrawn(field="release_id")
    if row.status != ReleaseStatus.ACTIVE:
        raise NoLiveRelease(field="release_id")
    await session.execute(update(Release).where(Release.id == release_id).values(status=ReleaseStatus.INACTIVE))
    await session.execute(
        update(SurvivorRelease)
        .where(SurvivorRelease.release_id == release_id)
        .values(ended_at=now, ended_via=via, ended_recorded_by=actor.member_id)
    )
    await destroy_data_key(session, row.data_key_id, now=now)
    await record(session, Action.RELEASE_ENDED, "release", release_id, via=via)


async def unended_releases(session: AsyncSession, survivor_id: UUID) -> list[UUID]:
    """Ids of a survivor's releases that were not ended, expired ones included, in the order to end them in."""
    columns = (
        select(Release.id)
        .join(SurvivorRelease, SurvivorRelease.release_id == Release.id)
        .where(SurvivorRelease.survivor_id == survivor_id, Release.status == ReleaseStatus.ACTIVE)
    )
    return list(await session.scalars(columns.order_by(Release.id)))

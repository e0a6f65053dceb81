"""No key outlives its release: looked for daily, destroyed where one did, and told to people, because it should not be.

A keystore that was put back from an older copy holds keys that had been destroyed since: this is what finds them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.consent.releases import ReleaseStatus
from referralnet.consent.tables import Release
from referralnet.encryption.data_keys import KeyPurpose, StoredDataKey, destroy_data_key
from referralnet.identity.tasks import open_task

# The job that ends what has run out comes by every half minute; after a night without a worker it needs a while.
EXPIRED_AT_LEAST = timedelta(hours=1)


class Outliving(NamedTuple):
    """A key that is still there, and the release that it should have gone with; None where there is none at all."""

    data_key_id: UUID
    release_id: UUID | None


async def outliving_keys(session: AsyncSession, *, now: datetime) -> list[Outliving]:
    """Keys of releases in the acting custody that are not in force any more, and keys that no release has."""
    over = or_(
        Release.id.is_(None),
        Release.status != ReleaseStatus.ACTIVE,
        Release.expires_at <= now - EXPIRED_AT_LEAST,
    )
    columns = (
        select(StoredDataKey.id, Release.id)
        .outerjoin(Release, Release.data_key_id == StoredDataKey.id)
        .where(StoredDataKey.purpose == KeyPurpose.RELEASE, StoredDataKey.wrapped.is_not(None), over)
        .order_by(StoredDataKey.id)
    )
    return [Outliving(*row) for row in await session.execute(columns)]


async def destroy_outliving_keys(session: AsyncSession, agency_id: UUID, *, now: datetime) -> int:
    """Destroy them, with a task for the custodian and a row in the trail for each; returns how many there were."""
    found = await outliving_keys(session, now=now)
    for key_id, release_id in found:
        await destroy_data_key(session, key_id, now=now)
        subject_kind, subject_id = ("release", release_id) if release_id else ("data_key", key_id)
        await record(session, Action.KEY_OUTLIVED_RELEASE, subject_kind, subject_id)
        await open_task(
            session, agency_id=agency_id, kind="key_outlived_release", subject_kind=subject_kind,
            subject_id=subject_id, now=now,
        )  # fmt: skip
    return len(found)

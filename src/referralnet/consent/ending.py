"""Ending a release: its status and its key go in one transaction, while nobody reads under it (C3, C4)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.consent.refusals import NoLiveRelease, ReleaseReplaced, ReleaseWithdrawn
from referralnet.consent.releases import Ended, ReleaseStatus
from referralnet.consent.tables import Release, SurvivorRelease
from referralnet.consent.withdrawal_lock import close_consent, close_release_to_readers
from referralnet.database.acting import Member
from referralnet.encryption.data_keys import destroy_data_key
from referralnet.errors import NotFound
from referralnet.survivors.checking import coded

_NOT_ENDED = (ReleaseStatus.ACTIVE, ReleaseStatus.PROPOSED)
_REPLACED = (Ended.RENEWAL, Ended.NARROWING)


class Via(StrEnum):
    """How a survivor said that a release ends."""

    ORAL = "oral"
    WRITTEN = "written"
    TEXT = "text"


async def end_release(session: AsyncSession, actor: Member, release_id: UUID, *, via: Via, now: datetime) -> bool:
    """End a release as its survivor wishes: from the commit on, nothing made under it can be read, by anybody.

    Any member of the custodian who may open case data takes a withdrawal; it is recorded with who took it.

    Returns:
        whether this ended it: False where time had done so before.

    Raises:
        NotFound: no such release in this custody.
        ReleaseWithdrawn: it was ended before.
        ReleaseReplaced: another took its place, and is the one to withdraw.
        NoLiveRelease: it was never active.
    """
    how = Ended(coded(Via, via, field="via"))
    row = await _lock(session, release_id)
    if row.status == ReleaseStatus.ACTIVE:
        await _end(session, row, how, taken_by=actor.member_id, now=now)
        return True
    if row.ended_via in _REPLACED:
        raise ReleaseReplaced(field="release_id")
    if row.status != ReleaseStatus.INACTIVE:
        raise NoLiveRelease(field="release_id")
    if row.ended_via != Ended.EXPIRY:
        raise ReleaseWithdrawn(field="release_id")
    return False


async def end_every_release(
    session: AsyncSession, survivor_id: UUID, *, via: Via, taken_by: UUID | None, now: datetime
) -> int:
    """End all that a survivor has released, and decline what she was asked to; returns how many were in force.

    Args:
        session: the transaction.
        survivor_id: in this custody.
        via: how she said it.
        taken_by: the member who took her word, or None where she wrote it herself and the worker read it.
        now: aware.
    """
    await close_consent(session, survivor_id)
    ended = 0
    for release_id in await unended_releases(session, survivor_id):
        row = await _lock(session, release_id)
        if row.status == ReleaseStatus.ACTIVE:
            await _end(session, row, Ended(via), taken_by=taken_by, now=now)
            ended += 1
        elif row.status == ReleaseStatus.PROPOSED:
            await _end(session, row, Ended(via), taken_by=taken_by, now=now, status=ReleaseStatus.REJECTED)
    return ended


async def end_in_error(session: AsyncSession, actor: Member, release_id: UUID, *, now: datetime) -> None:
    """Say that a release should never have been: the wrong survivor, or the wrong agency. It ends as if withdrawn.

    Raises:
        NotFound: no such release in this custody.
        NoLiveRelease: it has ended.
    """
    row = await _lock(session, release_id)
    if row.status not in _NOT_ENDED:
        raise NoLiveRelease(field="release_id")
    status = ReleaseStatus.ENTERED_IN_ERROR
    await _end(session, row, Ended.ERROR, taken_by=actor.member_id, now=now, status=status)


async def end_for_block(session: AsyncSession, actor: Member, release_id: UUID, *, now: datetime) -> None:
    """End a release to an agency that its survivor has blocked, or decline it where she had not signed yet."""
    row = await _lock(session, release_id)
    if row.status in _NOT_ENDED:
        status = ReleaseStatus.INACTIVE if row.status == ReleaseStatus.ACTIVE else ReleaseStatus.REJECTED
        await _end(session, row, Ended.BLOCKED, taken_by=actor.member_id, now=now, status=status)


async def end_for_marked_signer(
    session: AsyncSession, actor: Member, survivor_id: UUID, signer_id: UUID, *, now: datetime
) -> list[UUID]:
    """End every release in force that a guardian signed who is an abuser, while her consent is closed; their ids."""
    ended = []
    for release_id in await unended_releases(session, survivor_id, signer_id=signer_id):
        row = await _lock(session, release_id)
        if row.status == ReleaseStatus.ACTIVE:
            await _end(session, row, Ended.SIGNER_MARKED, taken_by=actor.member_id, now=now)
            ended.append(release_id)
    return ended


async def end_for_successor(
    session: AsyncSession, actor: Member, release_id: UUID, *, how: Ended, successor_id: UUID, now: datetime
) -> None:
    """End a release whose place another takes; where time has ended it already, nothing is left to do."""
    row = await _lock(session, release_id)
    if row.status == ReleaseStatus.ACTIVE:
        await _end(session, row, how, taken_by=actor.member_id, now=now, successor_id=successor_id)


async def expire_release(session: AsyncSession, release_id: UUID, *, now: datetime) -> bool:
    """End a release whose time is over, as the worker in its custody; False where it was ended meanwhile."""
    row = await _lock(session, release_id)
    if row.status != ReleaseStatus.ACTIVE or row.expires_at > now:
        return False
    await _end(session, row, Ended.EXPIRY, taken_by=None, now=now)
    return True


async def run_out_releases(session: AsyncSession, *, first: int = 100) -> list[tuple[UUID, UUID]]:
    """Releases whose time is over and that are still active: (release id, agency id). For the dispatcher."""
    # Row security shows the dispatcher these and no others.
    columns = select(Release.id, Release.agency_id).where(Release.status == ReleaseStatus.ACTIVE)
    rows = await session.execute(columns.order_by(Release.expires_at, Release.id).limit(first))
    return [(row.id, row.agency_id) for row in rows]


async def unended_releases(session: AsyncSession, survivor_id: UUID, *, signer_id: UUID | None = None) -> list[UUID]:
    """Ids of a survivor's releases that were not ended, expired ones included, in the order to end them in.

    With `signer_id`, those alone that this guardian signed.
    """
    columns = (
        select(Release.id)
        .join(SurvivorRelease, SurvivorRelease.release_id == Release.id)
        .where(SurvivorRelease.survivor_id == survivor_id, Release.status.in_(_NOT_ENDED))
    )
    if signer_id is not None:
        columns = columns.where(SurvivorRelease.signer_id == signer_id)
    return list(await session.scalars(columns.order_by(Release.id)))


async def _lock(session: AsyncSession, release_id: UUID) -> Any:
    """The release, once nobody reads under it; nobody will until this transaction ends."""
    await close_release_to_readers(session, release_id)
    columns = (
        select(Release.id, Release.status, Release.data_key_id, Release.expires_at, SurvivorRelease.ended_via)
        .join(SurvivorRelease, SurvivorRelease.release_id == Release.id)
        .where(Release.id == release_id)
    )
    row = (await session.execute(columns)).one_or_none()
    if row is None:
        raise NotFound(field="release_id")
    return row


async def _end(
    session: AsyncSession,
    row: Any,
    how: Ended,
    *,
    taken_by: UUID | None,
    now: datetime,
    status: ReleaseStatus = ReleaseStatus.INACTIVE,
    successor_id: UUID | None = None,
) -> None:
    await session.execute(update(Release).where(Release.id == row.id).values(status=status))
    ended: dict[str, Any] = {"ended_at": now, "ended_via": how}
    # The worker may not name a member, and names none.
    ended |= {"ended_recorded_by": taken_by} if taken_by else {}
    await session.execute(update(SurvivorRelease).where(SurvivorRelease.release_id == row.id).values(ended))
    if row.data_key_id is not None:
        await destroy_data_key(session, row.data_key_id, now=now)
    successor = str(successor_id) if successor_id else None
    await record(session, Action.RELEASE_ENDED, "release", row.id, via=how, successor=successor)

"""A handoff by hand: she is given a service's front door, and nobody is told anything of her (C8).

It wants no release, and is hers whether she signs one or declines it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.consent.releases import ReleaseStatus
from referralnet.consent.tables import HandoffMade, Release, SurvivorRelease
from referralnet.database.acting import Member
from referralnet.directory.entry_rows import load_entry_for_referral
from referralnet.errors import InvalidInput, NotFound
from referralnet.identity.access import Permission, require
from referralnet.survivors.tables import Survivor


@dataclass(frozen=True, slots=True)
class HandoffRow:
    """Which service she was shown the way to, by whom and when; names as the directory had them then."""

    id: UUID
    survivor_id: UUID
    service_at_location_id: UUID
    organization_name: str
    service_name: str
    declined_release_id: UUID | None
    made_by: UUID
    made_at: datetime


async def record_handoff(
    session: AsyncSession,
    actor: Member,
    survivor_id: UUID,
    service_at_location_id: UUID,
    *,
    declined_release_id: UUID | None = None,
    now: datetime,
) -> UUID:
    """Record that she was shown the way to a service of the directory; returns the handoff's id.

    Args:
        session: the transaction.
        actor: whoever did it.
        survivor_id: in this custody.
        service_at_location_id: in the directory, whether anybody there is a member of the network or not.
        declined_release_id: the release that she declined, where there was one.
        now: aware.

    Raises:
        NotFound: no such survivor in this custody, or no such service.
        InvalidInput: that release was not declined by her.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    if await session.scalar(select(Survivor.id).where(Survivor.id == survivor_id)) is None:
        raise NotFound(field="survivor_id")
    entry = await load_entry_for_referral(session, service_at_location_id)
    if entry is None:
        raise NotFound(field="service_at_location_id")
    if declined_release_id is not None:
        await _check_declined(session, survivor_id, declined_release_id)
    handoff_id = uuid4()
    values = {
        "id": handoff_id,
        "agency_id": actor.agency_id,
        "survivor_id": survivor_id,
        "service_at_location_id": service_at_location_id,
        "organization_name": entry.organization_name,
        "service_name": entry.service_name,
        "declined_release_id": declined_release_id,
        "made_by": actor.member_id,
        "made_at": now,
    }
    await session.execute(insert(HandoffMade).values(values).inline())
    await record(session, Action.HANDOFF_MADE, "survivor", survivor_id, handoff=str(handoff_id))
    return handoff_id


async def list_handoffs(session: AsyncSession, actor: Member, survivor_id: UUID) -> list[HandoffRow]:
    """A survivor's handoffs, newest first; none where she is not in this custody."""
    require(actor, Permission.KEEP_SURVIVORS)
    return await _rows(session, HandoffMade.survivor_id == survivor_id)


async def handoff(session: AsyncSession, actor: Member, handoff_id: UUID) -> HandoffRow:
    """One handoff of this custody.

    Raises:
        NotFound: there is none such.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    rows = await _rows(session, HandoffMade.id == handoff_id)
    if not rows:
        raise NotFound(field="handoff_id")
    return rows[0]


async def _rows(session: AsyncSession, where: object) -> list[HandoffRow]:
    columns = select(
        HandoffMade.id,
        HandoffMade.survivor_id,
        HandoffMade.service_at_location_id,
        HandoffMade.organization_name,
        HandoffMade.service_name,
        HandoffMade.declined_release_id,
        HandoffMade.made_by,
        HandoffMade.made_at,
    )
    rows = await session.execute(columns.where(where).order_by(HandoffMade.made_at.desc(), HandoffMade.id))  # type: ignore[arg-type]
    return [HandoffRow(*row) for row in rows]


async def _check_declined(session: AsyncSession, survivor_id: UUID, release_id: UUID) -> None:
    declined = (
        select(Release.id)
        .join(SurvivorRelease, SurvivorRelease.release_id == Release.id)
        .where(
            Release.id == release_id,
            SurvivorRelease.survivor_id == survivor_id,
            Release.status == ReleaseStatus.REJECTED,
        )
    )
    if await session.scalar(declined) is None:
        raise InvalidInput(field="declined_release_id", detail="She did not decline it.")

"""Where a need might be met: read in the custody it belongs to, ranked by the directory, which learns of nobody."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.database.acting import Member
from referralnet.directory.matching import Match, Wanted, match
from referralnet.errors import NotFound
from referralnet.identity.access import Permission, require
from referralnet.referrals.sending import FROZEN
from referralnet.survivors.blocks import blocked_agencies
from referralnet.survivors.tables import Need


async def match_need(
    session: AsyncSession,
    actor: Member,
    need_id: UUID,
    *,
    first: int = 20,
    after: tuple[int, UUID] | None = None,
    now: datetime,
) -> list[Match]:
    """Services for a need of one's own custody, best first, each with its reasons; those she blocked are left out.

    Raises:
        NotPermitted: not a coordinator.
        NotFound: no such need in this custody.
        InvalidInput: `first` is not from 1 to 100.
    """
    require(actor, Permission.SEND_REFERRALS)
    columns = select(Need.survivor_id, *(getattr(Need, name) for name in FROZEN))
    row = (await session.execute(columns.where(Need.id == need_id))).one_or_none()
    if row is None:
        raise NotFound(field="need_id")
    wanted = Wanted(
        service_type=row.service_type,
        urgency=row.urgency,
        region=row.region,
        language=row.language,
        household_size=row.household_size,
        age_band=row.age_band,
        accessibility=tuple(row.accessibility),
        immigration_sensitive=row.immigration_sensitive,
    )
    blocked = await blocked_agencies(session, row.survivor_id)
    return await match(session, wanted, without_agencies=blocked, first=first, after=after, now=now)

"""Who a signed-in member is, for the head of every screen."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.database.acting import Member
from referralnet.identity.tables import Agency, MemberAccount


@dataclass(frozen=True, slots=True)
class Profile:
    """A member's own name and agency; `time_zone` is an IANA name."""

    display_name: str
    agency_name: str
    time_zone: str


async def member_names(session: AsyncSession) -> dict[UUID, str]:
    """The names of everybody of the acting member's agency, those turned off as well; row security chooses them."""
    return {
        row.id: row.display_name for row in await session.execute(select(MemberAccount.id, MemberAccount.display_name))
    }


async def own_profile(session: AsyncSession, actor: Member) -> Profile:
    """The acting member's own profile."""
    columns = select(MemberAccount.display_name, Agency.name, Agency.time_zone)
    own = columns.join(Agency, Agency.id == MemberAccount.agency_id).where(MemberAccount.id == actor.member_id)
    return Profile(*(await session.execute(own)).one())

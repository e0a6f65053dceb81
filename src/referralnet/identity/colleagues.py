"""Who of the own agency may work on cases: to give something to."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import any_, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.database.acting import Role
from referralnet.identity.tables import MemberAccount

_COLLEAGUES_MAX = 200


@dataclass(frozen=True, slots=True)
class Colleague:
    """A member of the acting agency."""

    id: UUID
    display_name: str


async def list_colleagues(session: AsyncSession, role: Role) -> list[Colleague]:
    """Trained members of the acting agency with a role, by name; row security shows one's own agency alone."""
    able = select(MemberAccount.id, MemberAccount.display_name).where(
        MemberAccount.disabled_at.is_(None),
        literal(role.value) == any_(MemberAccount.roles),
        MemberAccount.trained_until >= func.current_date(),
    )
    rows = await session.execute(able.order_by(MemberAccount.display_name, MemberAccount.id).limit(_COLLEAGUES_MAX))
    return [Colleague(row.id, row.display_name) for row in rows]


async def names_of(session: AsyncSession, member_ids: Collection[UUID]) -> dict[UUID, str]:
    """The names of members of the acting agency, of those too who work there no more."""
    rows = await session.execute(
        select(MemberAccount.id, MemberAccount.display_name).where(MemberAccount.id.in_(member_ids))
    )
    return {row.id: row.display_name for row in rows}

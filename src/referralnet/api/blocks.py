"""A survivor's block list: whom she keeps away from everything of hers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.api.context import Info
from referralnet.api.errors import Refused
from referralnet.api.performing import perform
from referralnet.database.acting import Member
from referralnet.identity.access import Permission
from referralnet.referrals.blocking import block_from_survivor
from referralnet.survivors import blocks


@strawberry.type(description="Somebody a survivor has blocked: an agency with all its staff, or one person.")
class SurvivorBlock:
    id: UUID
    survivor_id: UUID
    agency_id: UUID | None = strawberry.field(description="Of an agency that is blocked whole.")
    agency_name: str | None
    member_name: str | None = strawberry.field(description="Of one person who is blocked.")
    set_at: datetime

    @classmethod
    def of(cls, row: blocks.BlockRow) -> SurvivorBlock:
        return cls(
            id=row.id,
            survivor_id=row.survivor_id,
            agency_id=row.agency_id,
            agency_name=row.agency_name,
            member_name=row.member_name,
            set_at=row.set_at,
        )


SurvivorBlockResult = Annotated[SurvivorBlock | Refused, strawberry.union("SurvivorBlockResult")]


@strawberry.type
class BlockQuery:
    @strawberry.field(description="Whom a survivor of your agency has blocked.")
    async def survivor_blocks(self, info: Info, survivor_id: UUID) -> list[SurvivorBlock]:
        async with info.context.reading(Permission.KEEP_SURVIVORS) as (session, actor):
            return [SurvivorBlock.of(row) for row in await blocks.list_blocks(session, actor, survivor_id)]


@strawberry.type
class BlockMutation:
    @strawberry.mutation(
        description="Keep an agency, or the one member of it who is named, away from a survivor, at once."
        " Releases to a blocked agency end and its open referrals close. To lift it takes two people."
    )
    async def block_from_survivor(
        self,
        info: Info,
        idempotency_key: str,
        survivor_id: UUID,
        agency_id: UUID,
        member: Annotated[
            str | None, strawberry.argument(description="Login or full name, as it stands there; null: all its staff.")
        ] = None,
    ) -> SurvivorBlockResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            return await block_from_survivor(
                session, actor, survivor_id, agency_id=agency_id, member=member, now=info.context.now
            )

        async def show(session: AsyncSession, actor: Member, block_id: UUID) -> SurvivorBlock:
            return SurvivorBlock.of(await blocks.block(session, actor, block_id))

        content = [survivor_id, agency_id, member]
        return await perform(info, Permission.KEEP_SURVIVORS, idempotency_key, content, act=act, show=show)

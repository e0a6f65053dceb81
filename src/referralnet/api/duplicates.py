"""Records of different packages that may be one: shown to those who may say so, and never merged."""

from __future__ import annotations

from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.api.context import Info
from referralnet.api.identity import DoneResult, show_done
from referralnet.api.paging import page_size
from referralnet.api.performing import perform
from referralnet.database.acting import Member
from referralnet.directory import duplicate_decisions, duplicates
from referralnet.identity.access import Permission


@strawberry.type(description="Two records of different packages that may be one.")
class Duplicate:
    kind: str = strawberry.field(description="organization, service or location (a public one).")
    first_id: UUID
    second_id: UUID
    first_name: str
    second_name: str
    first_package: str
    second_package: str
    score: int = strawberry.field(description="Out of 100.")
    reasons: list[str] = strawberry.field(description="same_name, similar_name, same_phone, same_url, same_address.")


@strawberry.type
class DuplicateQuery:
    @strawberry.field(
        description="Pairs nobody has decided, likeliest first: all for the network admin, one's own for an agency."
    )
    async def duplicates(self, info: Info, first: int = 50) -> list[Duplicate]:
        async with info.context.reading(Permission.DECIDE_DUPLICATES) as (session, _):
            found = await duplicates.list_duplicates(session, first=page_size(first))
            return [
                Duplicate(
                    kind=pair.kind,
                    first_id=pair.first_id,
                    second_id=pair.second_id,
                    first_name=pair.first_name,
                    second_name=pair.second_name,
                    first_package=pair.first_package,
                    second_package=pair.second_package,
                    score=pair.score,
                    reasons=list(pair.reasons),
                )
                for pair in found
            ]


@strawberry.type
class DuplicateMutation:
    @strawberry.mutation(description="Say whether two records are the same; they are not proposed again.")
    async def decide_duplicate(
        self, info: Info, idempotency_key: str, first_id: UUID, second_id: UUID, same: bool
    ) -> DoneResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            return await duplicate_decisions.decide_duplicate(
                session, actor, first_id, second_id, same=same, now=info.context.now
            )

        content = [first_id, second_id, same]
        return await perform(info, Permission.DECIDE_DUPLICATES, idempotency_key, content, act=act, show=show_done)

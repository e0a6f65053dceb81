"""Needs: what a survivor asks for, in codes and counts."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.api.context import Info
from referralnet.api.identity import DoneResult, show_done
from referralnet.api.performing import perform
from referralnet.database.acting import Member
from referralnet.identity.access import Permission
from referralnet.survivors import needs

strawberry.enum(needs.Urgency, description="How soon an answer is needed.")
strawberry.enum(needs.AgeBand, description="Age in bands wide enough to name nobody.")
strawberry.enum(needs.Accessibility, description="What a place must have so that she can use it.")
strawberry.enum(needs.NeedEnd, description="Why a need is closed.")


@strawberry.type(description="What a survivor of your agency asks for.")
class SurvivorNeed:
    id: UUID
    service_type: str
    urgency: needs.Urgency
    region: str
    language: str
    household_size: int
    age_band: needs.AgeBand
    accessibility: list[needs.Accessibility]
    immigration_sensitive: bool
    created_at: datetime
    changed_at: datetime | None
    closed_at: datetime | None
    closed_reason: needs.NeedEnd | None


@strawberry.input(description="What she asks for, in codes and counts, so that it tells nobody who she is.")
class NeedInput:
    service_type: str = strawberry.field(description="A code of the published taxonomy, e.g. emergency_shelter.")
    urgency: needs.Urgency
    region: str = strawberry.field(description="A state (US-IL) or the first three digits of a ZIP code.")
    language: str
    household_size: int
    age_band: needs.AgeBand
    accessibility: list[needs.Accessibility] = strawberry.field(default_factory=list)
    immigration_sensitive: bool

    def new(self) -> needs.NewNeed:
        return needs.NewNeed(
            service_type=self.service_type,
            urgency=self.urgency,
            region=self.region,
            language=self.language,
            household_size=self.household_size,
            age_band=self.age_band,
            accessibility=frozenset(self.accessibility),
            immigration_sensitive=self.immigration_sensitive,
        )


@strawberry.type
class NeedQuery:
    @strawberry.field(description="What a survivor of your agency asks for, newest first, closed needs too.")
    async def needs(self, info: Info, survivor_id: UUID) -> list[SurvivorNeed]:
        async with info.context.reading(Permission.KEEP_SURVIVORS) as (session, actor):
            return [
                SurvivorNeed(
                    id=need.id,
                    service_type=need.service_type,
                    urgency=needs.Urgency(need.urgency),
                    region=need.region,
                    language=need.language,
                    household_size=need.household_size,
                    age_band=needs.AgeBand(need.age_band),
                    accessibility=[needs.Accessibility(code) for code in need.accessibility],
                    immigration_sensitive=need.immigration_sensitive,
                    created_at=need.created_at,
                    changed_at=need.changed_at,
                    closed_at=need.closed_at,
                    closed_reason=None if need.closed_reason is None else needs.NeedEnd(need.closed_reason),
                )
                for need in await needs.list_needs(session, actor, survivor_id)
            ]


@strawberry.type
class NeedMutation:
    @strawberry.mutation(description="Record what she asks for; answers with the need's id.")
    async def record_need(self, info: Info, idempotency_key: str, survivor_id: UUID, need: NeedInput) -> DoneResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            return await needs.record_need(session, actor, survivor_id, need.new(), now=info.context.now)

        content = [survivor_id, need]
        return await perform(info, Permission.KEEP_SURVIVORS, idempotency_key, content, act=act, show=show_done)

    @strawberry.mutation(description="Say anew what she asks for. Referrals that were sent stay as they were.")
    async def update_need(self, info: Info, idempotency_key: str, need_id: UUID, need: NeedInput) -> DoneResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            await needs.update_need(session, actor, need_id, need.new(), now=info.context.now)
            return need_id

        content = [need_id, need]
        return await perform(info, Permission.KEEP_SURVIVORS, idempotency_key, content, act=act, show=show_done)

    @strawberry.mutation(description="Close a need: no referral is sent for it any more. Open ones go on.")
    async def close_need(self, info: Info, idempotency_key: str, need_id: UUID, reason: needs.NeedEnd) -> DoneResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            await needs.close_need(session, actor, need_id, reason, now=info.context.now)
            return need_id

        content = [need_id, reason]
        return await perform(info, Permission.KEEP_SURVIVORS, idempotency_key, content, act=act, show=show_done)

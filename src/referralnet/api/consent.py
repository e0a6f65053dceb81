"""Disclosures, and consent taken back, as the API tells them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.api.categories import Category
from referralnet.api.context import Info
from referralnet.api.errors import Refused
from referralnet.api.performing import perform
from referralnet.api.releases import Release
from referralnet.consent import disclosures, releases
from referralnet.consent.ending import Via
from referralnet.database.acting import Member
from referralnet.identity.access import Permission
from referralnet.referrals import withdrawing


@strawberry.type(description="One fact that was released.")
class DisclosedFact:
    name: str
    value: str


@strawberry.type(description="What was released of one category; no facts means that nothing is recorded.")
class DisclosedCategory:
    category: Category
    facts: list[DisclosedFact]


@strawberry.type(
    description="What the survivor released to your agency for one referral. Each reading is written down."
)
class Disclosure:
    id: UUID
    made_at: datetime
    expires_at: datetime
    categories: list[DisclosedCategory]


@strawberry.type(
    description="Consent is withdrawn: her releases, ended; referrals under them are closed, texts stopped."
)
class ConsentWithdrawn:
    releases: list[Release]


WithdrawConsentResult = Annotated[ConsentWithdrawn | Refused, strawberry.union("WithdrawConsentResult")]


@strawberry.type
class ConsentQuery:
    @strawberry.field(description="What was released to your agency for an accepted referral; wants a second factor.")
    async def disclosure(self, info: Info, referral_id: UUID) -> Disclosure:
        async with info.context.reading(Permission.READ_DISCLOSURES) as (session, actor):
            found = await disclosures.read_disclosure(
                session, actor, referral_id, keyring=info.context.resources.keyring, now=info.context.now
            )
            return Disclosure(
                id=found.id,
                made_at=found.made_at,
                expires_at=found.expires_at,
                categories=[
                    DisclosedCategory(
                        category=category,
                        facts=[DisclosedFact(name=name, value=value) for name, value in facts.items()],
                    )
                    for category, facts in found.categories.items()
                ],
            )


@strawberry.type
class ConsentMutation:
    @strawberry.mutation(description="She takes one release back, and with it what stands on it, in one moment.")
    async def withdraw_release(
        self, info: Info, idempotency_key: str, release_id: UUID, via: Via
    ) -> WithdrawConsentResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            await withdrawing.withdraw_consent(session, actor, release_id=release_id, via=via, now=info.context.now)
            return release_id

        async def show(session: AsyncSession, actor: Member, release_id: UUID) -> ConsentWithdrawn:
            row = await releases.release(session, actor, release_id)
            return ConsentWithdrawn(releases=[Release.of(row, info.context.now)])

        content = [release_id, via]
        return await perform(info, Permission.READ_REFERRALS, idempotency_key, content, act=act, show=show)

    @strawberry.mutation(
        description="She takes back everything: all releases, open referrals and texts, in one moment."
    )
    async def withdraw_consent(
        self, info: Info, idempotency_key: str, survivor_id: UUID, via: Via
    ) -> WithdrawConsentResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            await withdrawing.withdraw_consent(session, actor, survivor_id=survivor_id, via=via, now=info.context.now)
            return survivor_id

        async def show(session: AsyncSession, actor: Member, survivor_id: UUID) -> ConsentWithdrawn:
            rows = await releases.list_releases(session, actor, survivor_id)
            return ConsentWithdrawn(releases=[Release.of(row, info.context.now) for row in rows])

        content = [survivor_id, via]
        return await perform(info, Permission.READ_REFERRALS, idempotency_key, content, act=act, show=show)

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
from referralnet.referrals import updating, withdrawing


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
    version: int = strawberry.field(description="Counts from 1 under one release; an update is the next.")
    made_at: datetime
    expires_at: datetime
    categories: list[DisclosedCategory]


@strawberry.type(
    description="What has changed in her record since it was told for a referral; nothing is told by asking."
)
class UpdateToShare:
    version: int = strawberry.field(description="The newest that was made.")
    made_at: datetime
    changed_categories: list[Category] = strawberry.field(description="Empty where nothing has.")


@strawberry.type(description="What was sealed anew for the target of a referral, under the release that is in force.")
class UpdateShared:
    id: UUID
    version: int
    made_at: datetime
    categories: list[Category]


@strawberry.type(
    description="Consent is withdrawn: her releases, ended; referrals under them are closed, texts stopped."
)
class ConsentWithdrawn:
    releases: list[Release]


ShareUpdateResult = Annotated[UpdateShared | Refused, strawberry.union("ShareUpdateResult")]
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
                version=found.version,
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

    @strawberry.field(
        description="Which categories of what was told for a referral have changed since, for its sender."
    )
    async def update_to_share(self, info: Info, referral_id: UUID) -> UpdateToShare:
        async with info.context.reading(Permission.SEND_REFERRALS) as (session, actor):
            keyring, now = info.context.resources.keyring, info.context.now
            news = await updating.update_to_share(session, actor, referral_id, keyring=keyring, now=now)
            return UpdateToShare(version=news.version, made_at=news.made_at, changed_categories=sorted(news.changed))


@strawberry.type
class ConsentMutation:
    @strawberry.mutation(description="Seal what is true today for the target, under the release that is in force.")
    async def share_update(self, info: Info, idempotency_key: str, referral_id: UUID) -> ShareUpdateResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            keyring, now = info.context.resources.keyring, info.context.now
            return await updating.share_update(session, actor, referral_id, keyring=keyring, now=now)

        async def show(session: AsyncSession, actor: Member, disclosure_id: UUID) -> UpdateShared:
            made = await updating.shared(session, actor, disclosure_id)
            return UpdateShared(
                id=made.id, version=made.version, made_at=made.made_at, categories=sorted(made.categories)
            )

        return await perform(info, Permission.SEND_REFERRALS, idempotency_key, referral_id, act=act, show=show)

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

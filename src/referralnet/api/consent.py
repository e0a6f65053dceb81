"""Releases and disclosures as the API tells them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.api.context import Info
from referralnet.api.errors import Refused
from referralnet.api.performing import perform
from referralnet.consent import disclosures, releases
from referralnet.consent.categories import Category
from referralnet.consent.ending import Via
from referralnet.consent.minors import Purpose, Signer
from referralnet.consent.releases import Method, ReleaseStatus
from referralnet.database.acting import Member
from referralnet.identity.access import Permission
from referralnet.referrals import withdrawing

strawberry.enum(Category, name="ReleaseCategory", description="A kind of information that a release may include.")
strawberry.enum(Purpose, name="ReleasePurpose", description="What a release is for.")
strawberry.enum(Signer, name="ReleaseSigner", description="Who signed.")
strawberry.enum(Method, name="ReleaseMethod", description="How a release was given.")
strawberry.enum(ReleaseStatus, description="Codes of FHIR Consent.status.")
strawberry.enum(Via, name="WithdrawalMethod", description="How she said that it ends.")


@strawberry.type(description="A release as its custodian sees it. It may be active and have expired: see isLive.")
class Release:
    id: UUID
    recipient_agency_id: UUID
    purpose: Purpose
    categories: list[Category]
    status: ReleaseStatus
    starts_at: datetime
    expires_at: datetime
    is_live: bool = strawberry.field(description="Whether it is in force at this instant.")
    signer: Signer
    method: Method
    form_version: str
    form_language: str
    form_hash: str = strawberry.field(description="SHA-256 of the form's text, in hex.")
    ended_at: datetime | None
    ended_via: str | None

    @classmethod
    def of(cls, row: releases.ReleaseRow, now: datetime) -> Release:
        return cls(
            id=row.id,
            recipient_agency_id=row.recipient_agency_id,
            purpose=row.purpose,
            categories=sorted(row.categories),
            status=row.status,
            starts_at=row.starts_at,
            expires_at=row.expires_at,
            is_live=row.is_live(now),
            signer=row.signer,
            method=row.method,
            form_version=row.form_version,
            form_language=row.form_language,
            form_hash=row.form_hash,
            ended_at=row.ended_at,
            ended_via=row.ended_via,
        )


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


@strawberry.input(description="A release she has signed: one agency, one purpose, named categories, a bounded time.")
class ReleaseInput:
    recipient_agency_id: UUID
    purpose: Purpose
    categories: list[Category]
    signer: Signer
    method: Method
    form_language: str
    witnessed_by: UUID | None = None
    term_days: int = strawberry.field(default=releases.TERM_DAYS_DEFAULT, description="1 to 365.")
    starts_at: datetime | None = strawberry.field(default=None, description="Now, where it is not given.")


ReleaseResult = Annotated[Release | Refused, strawberry.union("ReleaseResult")]
WithdrawConsentResult = Annotated[ConsentWithdrawn | Refused, strawberry.union("WithdrawConsentResult")]


@strawberry.type
class ConsentQuery:
    @strawberry.field(description="A survivor's releases, newest first, ended ones included.")
    async def releases(self, info: Info, survivor_id: UUID) -> list[Release]:
        async with info.context.reading(Permission.RECORD_RELEASES) as (session, actor):
            rows = await releases.list_releases(session, actor, survivor_id)
            return [Release.of(row, info.context.now) for row in rows]

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
    @strawberry.mutation(description="Record a release that the survivor has signed.")
    async def record_release(
        self, info: Info, idempotency_key: str, survivor_id: UUID, release: ReleaseInput
    ) -> ReleaseResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            new = releases.NewRelease(
                recipient_agency_id=release.recipient_agency_id,
                purpose=release.purpose,
                categories=frozenset(release.categories),
                signer=release.signer,
                method=release.method,
                form_language=release.form_language,
                witnessed_by=release.witnessed_by,
                term_days=release.term_days,
                starts_at=release.starts_at,
            )
            return await releases.record_release(
                session, actor, survivor_id, new, keyring=info.context.resources.keyring, now=info.context.now
            )

        async def show(session: AsyncSession, actor: Member, release_id: UUID) -> Release:
            return Release.of(await releases.release(session, actor, release_id), info.context.now)

        content = [survivor_id, release]
        return await perform(info, Permission.RECORD_RELEASES, idempotency_key, content, act=act, show=show)

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

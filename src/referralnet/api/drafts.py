"""Sending a draft that was imported from an agency's own list."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.api.categories import Category
from referralnet.api.context import Info
from referralnet.api.referrals import ReferralResult, change
from referralnet.database.acting import Member
from referralnet.identity.access import Permission
from referralnet.referrals.sending import Told
from referralnet.referrals.sending_drafts import send_imported_draft


@strawberry.type
class DraftMutation:
    @strawberry.mutation(description="Send a draft that was imported, under a release that she has signed since.")
    async def send_draft(
        self, info: Info, idempotency_key: str, referral_id: UUID, release_id: UUID, categories: list[Category]
    ) -> ReferralResult:
        told = Told(release_id, frozenset(categories))
        keyring = info.context.resources.keyring

        async def step(session: AsyncSession, actor: Member, referral_id: UUID, /, *, now: datetime) -> None:
            await send_imported_draft(session, actor, referral_id, told, keyring=keyring, now=now)

        return await change(
            info, Permission.SEND_REFERRALS, idempotency_key, referral_id, step, release_id, sorted(categories)
        )

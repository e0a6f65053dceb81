"""Erasing a survivor, for ever."""

from __future__ import annotations

from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.api.context import Info
from referralnet.api.identity import DoneResult, show_done
from referralnet.api.performing import perform
from referralnet.consent.ending import Via
from referralnet.database.acting import Member
from referralnet.identity.access import Permission
from referralnet.referrals.erasing import erase_survivor


@strawberry.type
class ErasureMutation:
    @strawberry.mutation(
        description="Erase a survivor: all her consent ends, her keys are destroyed, her rows go. It cannot be undone. "
        "Wants a fresh second factor, and the word ERASE as confirmation."
    )
    async def erase_survivor(
        self, info: Info, idempotency_key: str, survivor_id: UUID, confirmation: str, via: Via
    ) -> DoneResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            await erase_survivor(session, actor, survivor_id, confirmation=confirmation, via=via, now=info.context.now)
            return survivor_id

        content = [survivor_id, confirmation, via]
        return await perform(info, Permission.KEEP_SURVIVORS, idempotency_key, content, act=act, show=show_done)

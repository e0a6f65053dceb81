"""What the two parties of a referral do beside its steps: who has it, notes, a warm handoff."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.api.context import Info
from referralnet.api.referrals import ReferralResult, change
from referralnet.database.acting import Member
from referralnet.identity.access import Permission
from referralnet.referrals import assigning, handing_over, noting
from referralnet.referrals.lifecycle import Party


@strawberry.type(description="A note between the two parties; of the other's people, nothing.")
class ReferralNote:
    id: UUID
    by: Party
    body: str
    written_at: datetime

    @classmethod
    def of(cls, row: noting.Note) -> ReferralNote:
        return cls(id=row.id, by=row.by, body=row.body, written_at=row.written_at)


@strawberry.type
class BetweenPartiesQuery:
    @strawberry.field(
        description="Notes of a referral, while her release lives; wants a second factor, and each reading is recorded."
    )
    async def referral_notes(self, info: Info, referral_id: UUID) -> list[ReferralNote]:
        async with info.context.reading(Permission.READ_REFERRALS) as (session, actor):
            keyring, now = info.context.resources.keyring, info.context.now
            rows = await noting.read_notes(session, actor, referral_id, keyring=keyring, now=now)
            return [ReferralNote.of(row) for row in rows]


@strawberry.type
class BetweenPartiesMutation:
    @strawberry.mutation(
        description="Give a referral to a colleague, or take it; the other party learns nothing of it."
    )
    async def assign_referral(
        self, info: Info, idempotency_key: str, referral_id: UUID, member_id: UUID
    ) -> ReferralResult:
        step = partial(assigning.assign, member_id=member_id)
        return await change(info, Permission.READ_REFERRALS, idempotency_key, referral_id, step, member_id)

    @strawberry.mutation(description="Confirm for your side that you have spoken with the other about her.")
    async def confirm_warm_handoff(
        self, info: Info, idempotency_key: str, referral_id: UUID, kind: handing_over.HandoffKind
    ) -> ReferralResult:
        step = partial(handing_over.confirm_warm_handoff, kind=kind)
        return await change(info, Permission.READ_REFERRALS, idempotency_key, referral_id, step, kind)

    @strawberry.mutation(description="Write the other party a note, sealed under her release; never to the police.")
    async def write_referral_note(
        self, info: Info, idempotency_key: str, referral_id: UUID, body: str
    ) -> ReferralResult:
        async def step(session: AsyncSession, actor: Member, referral_id: UUID, /, *, now: datetime) -> None:
            keyring = info.context.resources.keyring
            await noting.write_note(session, actor, referral_id, body=body, keyring=keyring, now=now)

        return await change(info, Permission.READ_REFERRALS, idempotency_key, referral_id, step, body)

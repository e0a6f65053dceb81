"""Booking, moving and closing the visits of an accepted referral."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.api.appointments import VisitInput
from referralnet.api.context import Info
from referralnet.api.referrals import ReferralResult, change
from referralnet.database.acting import Member
from referralnet.errors import InvalidInput
from referralnet.identity.access import Permission
from referralnet.referrals import visiting


def _details(visit: VisitInput) -> dict[str, Any]:
    if visit.local_start.tzinfo is not None:
        raise InvalidInput(field="local_start", detail="Give the local time without an offset; time_zone says where.")
    return {
        "local_start": visit.local_start,
        "time_zone": visit.time_zone,
        "duration_minutes": visit.duration_minutes,
        "mode": visit.mode,
    }


@strawberry.type
class VisitMutation:
    @strawberry.mutation(description="Book the first visit; she is texted within her safe hours.")
    async def schedule_visit(
        self, info: Info, idempotency_key: str, referral_id: UUID, visit: VisitInput
    ) -> ReferralResult:
        async def step(session: AsyncSession, actor: Member, referral_id: UUID, /, *, now: datetime) -> object:
            return await visiting.schedule_visit(session, actor, referral_id, **_details(visit), now=now)

        return await change(info, Permission.ANSWER_REFERRALS, idempotency_key, referral_id, step, visit)

    @strawberry.mutation(description="Move the booked visit, or book another; unsent texts are replaced at once.")
    async def reschedule_visit(
        self, info: Info, idempotency_key: str, referral_id: UUID, visit: VisitInput
    ) -> ReferralResult:
        async def step(session: AsyncSession, actor: Member, referral_id: UUID, /, *, now: datetime) -> object:
            return await visiting.reschedule_visit(session, actor, referral_id, **_details(visit), now=now)

        return await change(info, Permission.ANSWER_REFERRALS, idempotency_key, referral_id, step, visit)

    @strawberry.mutation(description="Cancel the booked visit; the referral goes on.")
    async def cancel_visit(self, info: Info, idempotency_key: str, referral_id: UUID) -> ReferralResult:
        return await change(info, Permission.ANSWER_REFERRALS, idempotency_key, referral_id, visiting.cancel_visit)

    @strawberry.mutation(description="She came.")
    async def mark_attended(self, info: Info, idempotency_key: str, referral_id: UUID) -> ReferralResult:
        return await change(info, Permission.ANSWER_REFERRALS, idempotency_key, referral_id, visiting.mark_attended)

    @strawberry.mutation(description="She did not come; her coordinator gets the task to ask how she is.")
    async def mark_no_show(self, info: Info, idempotency_key: str, referral_id: UUID) -> ReferralResult:
        return await change(info, Permission.ANSWER_REFERRALS, idempotency_key, referral_id, visiting.mark_no_show)

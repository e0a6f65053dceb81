"""Booking, moving and closing the visits of an accepted referral."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.api.appointments import VisitChangeInput, VisitInput, arranged_in
from referralnet.api.context import Info
from referralnet.api.referrals import ReferralResult
from referralnet.api.referrals import change as step_of
from referralnet.appointments.changing import VisitChange
from referralnet.appointments.local_time import offset_of
from referralnet.database.acting import Member
from referralnet.errors import InvalidInput
from referralnet.identity.access import Permission
from referralnet.referrals import visiting


def _details(visit: VisitInput) -> dict[str, Any]:
    return {
        "local_start": _naive(visit.local_start),
        "time_zone": visit.time_zone,
        "duration_minutes": visit.duration_minutes,
        "mode": visit.mode,
        "utc_offset": offset_of(visit.utc_offset) if visit.utc_offset else None,
        "arranged": arranged_in(visit),
    }


def _change(change: VisitChangeInput) -> VisitChange:
    return VisitChange(
        local_start=_naive(change.local_start) if change.local_start else None,
        time_zone=change.time_zone,
        utc_offset=offset_of(change.utc_offset) if change.utc_offset else None,
        duration_minutes=change.duration_minutes,
        mode=change.mode,
        arranged=arranged_in(change),
    )


def _naive(local_start: datetime) -> datetime:
    if local_start.tzinfo is not None:
        raise InvalidInput(field="local_start", detail="Give the local time without an offset; time_zone says where.")
    return local_start


@strawberry.type
class VisitMutation:
    @strawberry.mutation(description="Book the first visit; she is texted within her safe hours.")
    async def schedule_visit(
        self, info: Info, idempotency_key: str, referral_id: UUID, visit: VisitInput
    ) -> ReferralResult:
        async def step(session: AsyncSession, actor: Member, referral_id: UUID, /, *, now: datetime) -> object:
            return await visiting.schedule_visit(session, actor, referral_id, **_details(visit), now=now)

        return await step_of(info, Permission.ANSWER_REFERRALS, idempotency_key, referral_id, step, visit)

    @strawberry.mutation(description="Move the booked visit, or book another; unsent texts are replaced at once.")
    async def reschedule_visit(
        self, info: Info, idempotency_key: str, referral_id: UUID, visit: VisitInput
    ) -> ReferralResult:
        async def step(session: AsyncSession, actor: Member, referral_id: UUID, /, *, now: datetime) -> object:
            return await visiting.reschedule_visit(session, actor, referral_id, **_details(visit), now=now)

        return await step_of(info, Permission.ANSWER_REFERRALS, idempotency_key, referral_id, step, visit)

    @strawberry.mutation(
        description="Change what is named of the booked visit, and leave the rest. She is texted of another time alone."
    )
    async def change_visit(
        self, info: Info, idempotency_key: str, referral_id: UUID, change: VisitChangeInput
    ) -> ReferralResult:
        async def step(session: AsyncSession, actor: Member, referral_id: UUID, /, *, now: datetime) -> object:
            return await visiting.change_visit(session, actor, referral_id, _change(change), now=now)

        return await step_of(info, Permission.ANSWER_REFERRALS, idempotency_key, referral_id, step, change)

    @strawberry.mutation(description="The sender, where it sees to her way to the visit, says that it is arranged.")
    async def mark_travel_arranged(
        self, info: Info, idempotency_key: str, referral_id: UUID, arranged: bool = True
    ) -> ReferralResult:
        async def step(session: AsyncSession, actor: Member, referral_id: UUID, /, *, now: datetime) -> object:
            return await visiting.say_travel_is_arranged(session, actor, referral_id, arranged=arranged, now=now)

        return await step_of(info, Permission.SEND_REFERRALS, idempotency_key, referral_id, step, arranged)

    @strawberry.mutation(description="Cancel the booked visit; the referral goes on.")
    async def cancel_visit(self, info: Info, idempotency_key: str, referral_id: UUID) -> ReferralResult:
        return await step_of(info, Permission.ANSWER_REFERRALS, idempotency_key, referral_id, visiting.cancel_visit)

    @strawberry.mutation(description="She came.")
    async def mark_attended(self, info: Info, idempotency_key: str, referral_id: UUID) -> ReferralResult:
        return await step_of(info, Permission.ANSWER_REFERRALS, idempotency_key, referral_id, visiting.mark_attended)

    @strawberry.mutation(description="She did not come; her coordinator gets the task to ask how she is.")
    async def mark_no_show(self, info: Info, idempotency_key: str, referral_id: UUID) -> ReferralResult:
        return await step_of(info, Permission.ANSWER_REFERRALS, idempotency_key, referral_id, visiting.mark_no_show)

"""Handoffs by hand: she was shown the way to a service, member or not, and how the calls to it went."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.api.context import Info
from referralnet.api.errors import Refused
from referralnet.api.performing import perform
from referralnet.consent import handoffs
from referralnet.database.acting import Member
from referralnet.identity.access import Permission
from referralnet.referrals import calling
from referralnet.referrals.lifecycle import RejectReason

strawberry.enum(calling.CallAnswer, description="What a call came to.")


@strawberry.type(description="A call about a handoff: codes and times, and nothing that was said of her.")
class HandoffCall:
    id: UUID
    made_by: UUID
    called_at: datetime
    answer: calling.CallAnswer
    reason: RejectReason | None

    @classmethod
    def of(cls, row: calling.CallRow) -> HandoffCall:
        return cls(id=row.id, made_by=row.made_by, called_at=row.called_at, answer=row.answer, reason=row.reason)


@strawberry.type(description="She was shown the way to a service; nobody there was told anything of her.")
class Handoff:
    id: UUID
    service_at_location_id: UUID
    organization_name: str = strawberry.field(description="As the directory had it then.")
    service_name: str
    declined_release_id: UUID | None
    made_at: datetime
    calls: list[HandoffCall]

    @classmethod
    def of(cls, row: handoffs.HandoffRow, calls: list[calling.CallRow]) -> Handoff:
        return cls(
            id=row.id,
            service_at_location_id=row.service_at_location_id,
            organization_name=row.organization_name,
            service_name=row.service_name,
            declined_release_id=row.declined_release_id,
            made_at=row.made_at,
            calls=[HandoffCall.of(call) for call in calls],
        )


@strawberry.input(description="A call to a service that is no member: when, and what came of it.")
class CallInput:
    called_at: datetime
    answer: calling.CallAnswer
    reason: RejectReason | None = strawberry.field(default=None, description="Where it declined, and only there.")


HandoffResult = Annotated[Handoff | Refused, strawberry.union("HandoffResult")]


@strawberry.type
class HandoffQuery:
    @strawberry.field(description="The services a survivor was shown the way to, newest first.")
    async def handoffs(self, info: Info, survivor_id: UUID) -> list[Handoff]:
        async with info.context.reading(Permission.KEEP_SURVIVORS) as (session, actor):
            rows = await handoffs.list_handoffs(session, actor, survivor_id)
            made = await calling.calls(session, actor, [row.id for row in rows])
            return [Handoff.of(row, made.get(row.id, [])) for row in rows]


@strawberry.type
class HandoffMutation:
    @strawberry.mutation(description="Record that she was shown the way to a service by hand, without any release.")
    async def record_handoff(
        self,
        info: Info,
        idempotency_key: str,
        survivor_id: UUID,
        service_at_location_id: UUID,
        declined_release_id: UUID | None = None,
    ) -> HandoffResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            return await handoffs.record_handoff(
                session,
                actor,
                survivor_id,
                service_at_location_id,
                declined_release_id=declined_release_id,
                now=info.context.now,
            )

        content = [survivor_id, service_at_location_id, declined_release_id]
        return await perform(info, Permission.KEEP_SURVIVORS, idempotency_key, content, act=act, show=_show_handoff)

    @strawberry.mutation(description="Log a call to the service she was shown the way to; we tell it nothing.")
    async def record_call(self, info: Info, idempotency_key: str, handoff_id: UUID, call: CallInput) -> HandoffResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            made = calling.Call(call.called_at, call.answer, call.reason)
            await calling.record_call(session, actor, handoff_id, made, now=info.context.now)
            return handoff_id

        content = [handoff_id, call]
        return await perform(info, Permission.KEEP_SURVIVORS, idempotency_key, content, act=act, show=_show_handoff)


async def _show_handoff(session: AsyncSession, actor: Member, handoff_id: UUID) -> Handoff:
    made = await calling.calls(session, actor, [handoff_id])
    return Handoff.of(await handoffs.handoff(session, actor, handoff_id), made.get(handoff_id, []))

"""When an agency's survivors are reminded of a visit: what holds, and what its admin says."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.api.context import Info
from referralnet.api.errors import Refused
from referralnet.api.performing import perform
from referralnet.database.acting import Member
from referralnet.identity.access import Permission
from referralnet.messaging.policy import REMINDERS_HOURS_BEFORE
from referralnet.messaging.text_policy import keep_text_policy, read_text_policy


@strawberry.type(description="When your agency's survivors are reminded of a visit, each time in her next safe window.")
class TextPolicy:
    reminder_hours_before: list[int] = strawberry.field(
        description="The earliest reminder first. Whole days go by her clock: the same hour some days before."
    )
    is_own: bool = strawberry.field(description="Whether your agency said so; else it is the network's default.")
    network_default: list[int]


TextPolicyResult = Annotated[TextPolicy | Refused, strawberry.union("TextPolicyResult")]


@strawberry.type
class TextPolicyQuery:
    @strawberry.field(description="What holds for the survivors of your agency.")
    async def text_policy(self, info: Info) -> TextPolicy:
        async with info.context.reading(Permission.SEARCH_DIRECTORY) as (session, _):
            return await _holds(session)


@strawberry.type
class TextPolicyMutation:
    @strawberry.mutation(
        description="For admins: say when your agency's survivors are reminded; what waits is planned anew by it."
    )
    async def keep_text_policy(
        self,
        info: Info,
        idempotency_key: str,
        reminder_hours_before: Annotated[
            list[int] | None,
            strawberry.argument(
                description="At most 4, each from 1 to 168; none for no reminder; null for the network's default."
            ),
        ],
    ) -> TextPolicyResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            await keep_text_policy(session, actor, reminder_hours_before, now=info.context.now)
            return actor.agency_id

        async def show(session: AsyncSession, _actor: Member, _agency_id: UUID) -> TextPolicy:
            return await _holds(session)

        kept = Permission.KEEP_TEXT_POLICY
        return await perform(info, kept, idempotency_key, reminder_hours_before, act=act, show=show)


async def _holds(session: AsyncSession) -> TextPolicy:
    policy = await read_text_policy(session)
    return TextPolicy(
        reminder_hours_before=list(policy.reminder_hours),
        is_own=policy.is_own,
        network_default=list(REMINDERS_HOURS_BEFORE),
    )

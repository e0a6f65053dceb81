"""How long an answer may take: what holds in the network, and what whoever keeps it says."""

from __future__ import annotations

from dataclasses import astuple
from typing import Annotated
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.api.context import Info
from referralnet.api.errors import Refused
from referralnet.api.performing import perform
from referralnet.database.acting import Member
from referralnet.identity.access import Permission
from referralnet.referrals.answer_policy import DEFAULT, AnswerPolicy, keep_answer_policy, read_answer_policy


@strawberry.type(description="How long an answer may take. Frozen on a referral when it is sent.")
class AnswerDeadlines:
    urgent_hours: int = strawberry.field(description="Hours that pass, day and night.")
    priority_hours: int = strawberry.field(description="Hours that pass, day and night.")
    routine_business_days: int = strawberry.field(
        description="Business days where the target is, after the day of sending; until 17:00 there."
    )
    is_default: bool = strawberry.field(description="Whether these are the figures that the program comes with.")


AnswerDeadlinesResult = Annotated[AnswerDeadlines | Refused, strawberry.union("AnswerDeadlinesResult")]


@strawberry.type
class DeadlinesQuery:
    @strawberry.field(description="What holds for every referral that is sent from now on.")
    async def answer_deadlines(self, info: Info) -> AnswerDeadlines:
        async with info.context.reading(Permission.SEARCH_DIRECTORY) as (session, _):
            return _told(await read_answer_policy(session))


@strawberry.type
class DeadlinesMutation:
    @strawberry.mutation(
        description="For network admins: say how long an answer may take from now on. What was sent keeps its deadline."
    )
    async def keep_answer_deadlines(
        self,
        info: Info,
        idempotency_key: str,
        urgent_hours: Annotated[int, strawberry.argument(description="From 1 to 24.")],
        priority_hours: Annotated[
            int, strawberry.argument(description="From 1 to 72, and not less than for an urgent one.")
        ],
        routine_business_days: Annotated[int, strawberry.argument(description="From 1 to 10.")],
    ) -> AnswerDeadlinesResult:
        policy = AnswerPolicy(urgent_hours, priority_hours, routine_business_days)

        async def act(session: AsyncSession, actor: Member) -> UUID:
            await keep_answer_policy(session, actor, policy, now=info.context.now)
            return actor.agency_id

        async def show(session: AsyncSession, _actor: Member, _agency_id: UUID) -> AnswerDeadlines:
            return _told(await read_answer_policy(session))

        kept = Permission.KEEP_DEADLINES
        return await perform(info, kept, idempotency_key, astuple(policy), act=act, show=show)


def _told(policy: AnswerPolicy) -> AnswerDeadlines:
    return AnswerDeadlines(
        urgent_hours=policy.urgent_hours,
        priority_hours=policy.priority_hours,
        routine_business_days=policy.routine_business_days,
        is_default=policy == DEFAULT,
    )

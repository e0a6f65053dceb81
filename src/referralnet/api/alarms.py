"""Alarms, for the admins of an agency."""

from __future__ import annotations

from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.api.context import Info
from referralnet.api.identity import DoneResult, Task, show_done
from referralnet.api.paging import page_size
from referralnet.api.performing import perform
from referralnet.database.acting import Member
from referralnet.identity import tasks
from referralnet.identity.access import Permission


@strawberry.type
class AlarmQuery:
    @strawberry.field(
        description="For admins, oldest first: identity opened as often as an hour allows, late answers, lost tasks, "
        "accountings that do not add up, programs of partners that fail; and for whoever runs the network, whether the "
        "carrier of texts answers."
    )
    async def alarms(self, info: Info, first: int = 20) -> list[Task]:
        async with info.context.reading(Permission.SEE_ALARMS) as (session, _):
            return [Task.of(row) for row in await tasks.list_tasks(session, kinds=tasks.ALARMS, first=page_size(first))]


@strawberry.type
class AlarmMutation:
    @strawberry.mutation(description="Say that an alarm was looked into. Not by the member whom it is about.")
    async def close_alarm(self, info: Info, idempotency_key: str, task_id: UUID) -> DoneResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            await tasks.close_task(session, actor, task_id, now=info.context.now)
            return task_id

        return await perform(info, Permission.SEE_ALARMS, idempotency_key, task_id, act=act, show=show_done)

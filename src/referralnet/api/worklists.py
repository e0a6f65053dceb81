"""Worklists as the API tells them, and giving a task to somebody."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.api.context import Info
from referralnet.api.errors import Refused
from referralnet.api.paging import PageInfo, decode_cursor, encode_cursor, page_size
from referralnet.api.performing import perform
from referralnet.api.referrals import ReferralNeed, shows_need
from referralnet.database.acting import Member
from referralnet.errors import InvalidInput
from referralnet.identity import tasks
from referralnet.identity.access import Permission
from referralnet.identity.task_kinds import in_words
from referralnet.referrals import worklists
from referralnet.referrals.worklists import Worklist

strawberry.enum(
    Worklist,
    description="What you have; all of your agency's; what is overdue; what stands still until a person acts.",
)


@strawberry.type(description="An open task of your agency. It names nobody whom it is about.")
class WorklistTask:
    id: UUID
    kind: str
    what: str = strawberry.field(description="What it asks for, in words.")
    reason: str | None = strawberry.field(description="Why, as a code, where the kind alone does not say.")
    subject_kind: str
    subject_id: UUID
    referral_id: UUID | None = strawberry.field(description="Where it is about a referral.")
    need: ReferralNeed | None = strawberry.field(description="What is asked for, as far as you may see it.")
    opened_at: datetime
    due_at: datetime = strawberry.field(description="What every list is ordered by.")
    overdue: bool
    assignee_id: UUID | None = strawberry.field(description="The colleague who has it.")
    assignee_name: str | None

    @classmethod
    def of(cls, row: worklists.WorklistRow, now: datetime) -> WorklistTask:
        return cls(
            id=row.id,
            kind=row.kind,
            what=in_words(row.kind),
            reason=row.detail.get("reason"),
            subject_kind=row.subject_kind,
            subject_id=row.subject_id,
            referral_id=row.subject_id if row.subject_kind == "referral" else None,
            need=shows_need.one(row.need) if row.need else None,
            opened_at=row.opened_at,
            due_at=row.due_at,
            overdue=row.due_at <= now,
            assignee_id=row.assignee_id,
            assignee_name=row.assignee_name,
        )


@strawberry.type(description="One task of a page.")
class WorklistEdge:
    cursor: str
    node: WorklistTask


@strawberry.type(description="A page of a worklist, what is due first standing first.")
class WorklistConnection:
    edges: list[WorklistEdge]
    page_info: PageInfo


@strawberry.type(description="How many tasks stand on each list.")
class WorklistCounts:
    mine: int
    agency: int
    overdue: int
    needs_person: int


WorklistTaskResult = Annotated[WorklistTask | Refused, strawberry.union("WorklistTaskResult")]


def _place(after: str | None) -> worklists.Place | None:
    keys = decode_cursor(after)
    if keys is None:
        return None
    try:
        due_at, task_id = keys
        return worklists.Place(datetime.fromisoformat(due_at), UUID(task_id))
    except (ValueError, TypeError, AttributeError):
        raise InvalidInput(field="after", detail="It is not a cursor of this list.") from None


@strawberry.type
class WorklistQuery:
    @strawberry.field(description="What waits for people, of some kinds or of all; what is due first stands first.")
    async def worklist(
        self,
        info: Info,
        which: Worklist = Worklist.AGENCY,
        kinds: list[str] | None = None,
        first: int = 20,
        after: str | None = None,
    ) -> WorklistConnection:
        async with info.context.reading(Permission.READ_REFERRALS) as (session, actor):
            size, now = page_size(first), info.context.now
            place = _place(after)
            rows = await worklists.worklist(
                session, actor, which, now=now, kinds=kinds or (), first=size + 1, after=place
            )
            edges = [
                WorklistEdge(cursor=encode_cursor(row.due_at, str(row.id)), node=WorklistTask.of(row, now))
                for row in rows[:size]
            ]
            end = edges[-1].cursor if edges else None
            return WorklistConnection(edges=edges, page_info=PageInfo(has_next_page=len(rows) > size, end_cursor=end))

    @strawberry.field(description="How many tasks stand on each list.")
    async def worklist_counts(self, info: Info) -> WorklistCounts:
        async with info.context.reading(Permission.READ_REFERRALS) as (session, actor):
            counts = await worklists.counts(session, actor, now=info.context.now)
            return WorklistCounts(
                mine=counts.mine, agency=counts.agency, overdue=counts.overdue, needs_person=counts.needs_person
            )


@strawberry.type
class WorklistMutation:
    @strawberry.mutation(
        description="Take an open task, give it to a colleague who may do it, or, without a member, give it back."
    )
    async def assign_task(
        self, info: Info, idempotency_key: str, task_id: UUID, member_id: UUID | None = None
    ) -> WorklistTaskResult:
        async def act(session: AsyncSession, _actor: Member) -> UUID:
            await tasks.assign_task(session, task_id, member_id=member_id)
            return task_id

        async def show(session: AsyncSession, actor: Member, result_id: UUID) -> WorklistTask:
            return WorklistTask.of(await worklists.worklist_task(session, actor, result_id), info.context.now)

        content = [task_id, member_id]
        return await perform(info, Permission.READ_REFERRALS, idempotency_key, content, act=act, show=show)

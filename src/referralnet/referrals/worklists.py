"""Worklists: what waits for an agency's people, what is due first standing first. docs/worklists.md tells the order."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Boolean, ColumnElement, Row, and_, case, func, literal, or_, select, true, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.selectable import Subquery

from referralnet.database.acting import Member
from referralnet.database.in_order import first_of_each, read_in_order
from referralnet.errors import NotFound
from referralnet.identity.access import Permission, require
from referralnet.identity.tables import MemberAccount, Task
from referralnet.identity.task_kinds import NEED_PERSON
from referralnet.referrals.reading import NEED_COLUMNS, NeedRow
from referralnet.referrals.tables import Referral, RoutingPlan
from referralnet.survivors.tables import Need


class Worklist(StrEnum):
    """Which list: what the member has, all of the agency's, what is overdue, what stands still without a person."""

    MINE = "mine"
    AGENCY = "agency"
    OVERDUE = "overdue"
    NEEDS_PERSON = "needs_person"


@dataclass(frozen=True, slots=True)
class WorklistRow:
    """An open task. `detail` holds codes; `need` is what is asked for, as the reader may see it, if anything is."""

    id: UUID
    kind: str
    detail: dict[str, Any]
    subject_kind: str
    subject_id: UUID
    opened_at: datetime
    due_at: datetime
    assignee_id: UUID | None
    assignee_name: str | None
    need: NeedRow | None
    ends_with_its_step: bool
    """Whether it is what an open referral waits for, and is not ticked off by itself (R6)."""


class Place(NamedTuple):
    """Where a page ended."""

    due_at: datetime
    task_id: UUID


class Counts(NamedTuple):
    """How many stand on each list."""

    mine: int
    agency: int
    overdue: int
    needs_person: int


async def worklist(
    session: AsyncSession,
    actor: Member,
    which: Worklist = Worklist.AGENCY,
    *,
    now: datetime,
    kinds: Collection[str] = (),
    first: int = 50,
    after: Place | None = None,
) -> list[WorklistRow]:
    """One list of the acting member, of some kinds or of all, what is due first standing first.

    Row security chooses whose; `after` is the last row's `due_at` and id.
    """
    require(actor, Permission.READ_REFERRALS)
    page = select(Task).where(Task.done_at.is_(None), _stands_on(which, actor, now))
    if after is not None:
        page = page.where(tuple_(Task.due_at, Task.id) > tuple_(literal(after.due_at), literal(after.task_id)))
    wanted = _kinds(which, kinds)
    if wanted is not None and which is Worklist.MINE:  # one member's tasks are few
        page = page.where(Task.kind.in_(wanted))
    elif wanted is not None:
        page = first_of_each(page, Task.kind, wanted, (Task.due_at, Task.id), first)
    task = page.selected_columns
    async with read_in_order(session):
        return await _rows(session, page.order_by(task.due_at, task.id).limit(first).subquery())


async def worklist_task(session: AsyncSession, actor: Member, task_id: UUID) -> WorklistRow:
    """One open task.

    Raises:
        NotFound: there is none that this member may see.
    """
    require(actor, Permission.READ_REFERRALS)
    found = await _rows(session, select(Task).where(Task.id == task_id, Task.done_at.is_(None)).subquery())
    if not found:
        raise NotFound(field="task_id")
    return found[0]


async def counts(session: AsyncSession, actor: Member, *, now: datetime, kinds: Collection[str] = ()) -> Counts:
    """How many stand on each list, of some kinds or of all, in one statement."""
    require(actor, Permission.READ_REFERRALS)
    # Kind by kind: to look for each task's own among those that are asked for takes longer than to count all.
    columns = [func.count().filter(_stands_on(which, actor, now)) for which in Worklist]
    of_each_kind = await session.execute(select(Task.kind, *columns).where(Task.done_at.is_(None)).group_by(Task.kind))
    counted = dict.fromkeys(Worklist, 0)
    for kind, *numbers in of_each_kind:
        for which, number in zip(Worklist, numbers, strict=True):
            wanted = _kinds(which, kinds)
            counted[which] += number if wanted is None or kind in wanted else 0
    return Counts(**counted)


def _stands_on(which: Worklist, actor: Member, now: datetime) -> ColumnElement[bool]:
    """Which tasks do, whatever their kind."""
    match which:
        case Worklist.MINE:
            return Task.assignee_id == actor.member_id
        case Worklist.OVERDUE:
            return Task.due_at <= now
        case Worklist.AGENCY | Worklist.NEEDS_PERSON:
            return true()


def _kinds(which: Worklist, kinds: Collection[str]) -> Collection[str] | None:
    """What a list holds of the kinds that are asked for; None where it holds every kind."""
    if which is not Worklist.NEEDS_PERSON:
        return kinds or None
    return NEED_PERSON.intersection(kinds) if kinds else NEED_PERSON


async def _rows(session: AsyncSession, page: Subquery) -> list[WorklistRow]:
    """The page's tasks with what is asked for; the page is cut first, and only its rows look anything up."""
    task = page.c
    need = [
        case((Referral.id.is_not(None), getattr(Referral, name)), else_=getattr(Need, name)).label(name)
        for name in NEED_COLUMNS
    ]
    columns = (
        select(
            task.id, task.kind, task.detail, task.subject_kind, task.subject_id,
            task.opened_at, task.due_at, task.assignee_id, MemberAccount.display_name.label("assignee_name"),
            or_(Referral.id.is_not(None), Need.id.is_not(None)).label("asks"), *need,
            func.ends_with_its_step(task.kind, task.subject_id, type_=Boolean).label("ends_with_its_step"),
        )
        .outerjoin(Referral, and_(task.subject_kind == "referral", Referral.id == task.subject_id))
        .outerjoin(RoutingPlan, and_(task.subject_kind == "routing_plan", RoutingPlan.id == task.subject_id))
        .outerjoin(Need, Need.id == RoutingPlan.need_id)
        .outerjoin(MemberAccount, MemberAccount.id == task.assignee_id)
        .order_by(task.due_at, task.id)
    )  # fmt: skip
    return [_worklist_row(row) for row in await session.execute(columns)]


def _worklist_row(row: Row[Any]) -> WorklistRow:
    need = NeedRow(*(getattr(row, name) for name in NEED_COLUMNS)) if row.asks else None
    return WorklistRow(
        id=row.id,
        kind=row.kind,
        detail=row.detail,
        subject_kind=row.subject_kind,
        subject_id=row.subject_id,
        opened_at=row.opened_at,
        due_at=row.due_at,
        assignee_id=row.assignee_id,
        assignee_name=row.assignee_name,
        need=need,
        ends_with_its_step=row.ends_with_its_step,
    )

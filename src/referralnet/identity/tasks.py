"""Tasks: what waits for a person of an agency, so that nothing waits for ever without somebody (R6)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Uuid, bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member, Role
from referralnet.database.direct import Direct
from referralnet.errors import InvalidInput, NotFound, Refusal
from referralnet.identity.tables import MemberAccount, Task
from referralnet.identity.task_kinds import kind_of

REVEALS_CAPPED = "reveals_capped"
"""A member had identity opened as often as the hour allows: for the admins of the agency, and not for the member."""

ANSWER_LATE = "answer_late_for_admin"
"""Half of the time to answer a referral is over, and the agency that was asked has not."""
WITHOUT_OWNER = "referral_without_owner"
"""A referral or a routing plan is nobody's task, or the wrong one's: a mistake of the program's."""
ACCOUNTING_DISAGREES = "accounting_disagrees"
"""A line of an accounting stands in the trail or in the tables alone: somebody was at one of them."""
WEBHOOK_FAILING = "webhook_failing"
"""An endpoint of the agency's own systems has taken nothing for days."""
ACCOUNT_REFUSED = "carrier_refuses_account"
"""The carrier takes no text of the network's: for whoever runs the network to put right."""
CARRIER_SILENT = "carrier_silent"
"""The carrier gives no clear answer, and texts wait: for whoever runs the network."""
CARRIER_ANSWERS = "carrier_answers"
"""It answers again, and texts go out."""
TEXTS_HELD = "texts_held"
"""This database holds all texts: it was restored or copied, or another one sends them."""
ROW_FAILING = "row_failing"
"""A job fails on a row again and again: the subject's kind is the job, its id a reference of the row's (failing.py)."""
LEFT_UNDONE = "left_undone"
"""What is left undone by that for a survivor of the agency: a coordinator's, and no alarm. The reason is the job."""
ALARMS = (
    REVEALS_CAPPED,
    ANSWER_LATE,
    WITHOUT_OWNER,
    ACCOUNTING_DISAGREES,
    WEBHOOK_FAILING,
    ACCOUNT_REFUSED,
    CARRIER_SILENT,
    CARRIER_ANSWERS,
    ROW_FAILING,
    TEXTS_HELD,
)
"""For the admins of an agency, who need not have a case role; the policies of `task` name the same."""


class TaskEndsWithItsStep(Refusal):
    """It is done when its step is taken: answer the referral, complete it, go on with the plan or close it."""

    code = "TASK_ENDS_WITH_ITS_STEP"


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One open task; `detail` holds codes, never identity."""

    id: UUID
    kind: str
    subject_kind: str
    subject_id: UUID
    detail: dict[str, Any]
    opened_at: datetime


# Without a named index: naming one asks for the right to read it, which the other party has not.
_OPEN = Direct(
    text("""
        insert into task (id, agency_id, kind, subject_kind, subject_id, detail, opened_at)
        values (gen_random_uuid(), :agency_id, :kind, :subject_kind, :subject_id, :detail, :opened_at)
        on conflict do nothing
    """).bindparams(
        bindparam("agency_id", type_=Uuid()),
        bindparam("subject_id", type_=Uuid()),
        bindparam("detail", type_=JSONB()),
        bindparam("opened_at", type_=DateTime(timezone=True)),
    )
)


async def open_task(
    session: AsyncSession,
    *,
    agency_id: UUID,
    kind: str,
    subject_kind: str,
    subject_id: UUID,
    now: datetime,
    detail: dict[str, Any] | None = None,
) -> None:
    """Put something on an agency's worklist; the same open task is not put there twice."""
    given = {"agency_id": agency_id, "kind": kind, "subject_kind": subject_kind, "subject_id": subject_id}
    await _OPEN.all(session, **given, detail=detail or {}, opened_at=now)


async def list_tasks(session: AsyncSession, *, kinds: Collection[str] = (), first: int = 50) -> list[TaskRow]:
    """The open tasks of the acting agency, of some kinds or of all, oldest first; row security chooses them."""
    columns = select(Task.id, Task.kind, Task.subject_kind, Task.subject_id, Task.detail, Task.opened_at)
    still_open = columns.where(Task.done_at.is_(None))
    if kinds:
        still_open = still_open.where(Task.kind.in_(kinds))
    rows = await session.execute(still_open.order_by(Task.opened_at, Task.id).limit(first))
    return [TaskRow(*row) for row in rows]


async def close_task(session: AsyncSession, actor: Member, task_id: UUID, *, now: datetime) -> None:
    """Mark a task of one's own agency as done.

    Raises:
        NotFound: no such open task, or none of this agency.
        TaskEndsWithItsStep: it says what an open referral waits for (R6).
    """
    by_step = select(func.ends_with_its_step(Task.kind, Task.subject_id)).where(Task.id == task_id)
    if await session.scalar(by_step.where(Task.done_at.is_(None))):
        raise TaskEndsWithItsStep(field="taskId")
    closed = await session.scalar(
        update(Task)
        .where(Task.id == task_id, Task.done_at.is_(None))
        .values(done_at=now, done_by=actor.member_id)
        .returning(Task.id)
    )
    if closed is None:
        raise NotFound(field="taskId")
    await record(session, Action.TASK_CLOSED, "task", task_id)


async def assign_task(session: AsyncSession, task_id: UUID, *, member_id: UUID | None) -> None:
    """Give an open task of one's own agency to a colleague who may do it, take it oneself, or (None) give it back.

    The database asks the same again, and gives a task back when its member is disabled or loses the role for it.

    Raises:
        NotFound: no such open task, or none of this agency.
        InvalidInput: nobody of this agency who may do it; names member_id.
    """
    open_one = select(Task.kind).where(Task.id == task_id, Task.done_at.is_(None))
    kind = await session.scalar(open_one.with_for_update())
    if kind is None:
        raise NotFound(field="task_id")
    if member_id is not None and not await _may_do(session, member_id, kind):
        raise InvalidInput(field="member_id", detail="Choose a trained colleague with the role for it.")
    await session.execute(update(Task).where(Task.id == task_id).values(assignee_id=member_id))
    await record(session, Action.TASK_ASSIGNED, "task", task_id, member=str(member_id) if member_id else None)


async def assignee(session: AsyncSession, task_id: UUID) -> UUID | None:
    """Who has an open task of one's own agency, held until the transaction ends. Raises NotFound."""
    open_one = select(Task.assignee_id).where(Task.id == task_id, Task.done_at.is_(None))
    found = (await session.execute(open_one.with_for_update())).one_or_none()
    if found is None:
        raise NotFound(field="task_id")
    (member_id,) = found
    return member_id


async def _may_do(session: AsyncSession, member_id: UUID, kind: str) -> bool:
    """Whether a colleague may; row security shows members of one's own agency alone."""
    wanted = select(MemberAccount.roles, MemberAccount.trained_until >= func.current_date()).where(
        MemberAccount.id == member_id, MemberAccount.disabled_at.is_(None)
    )
    found = (await session.execute(wanted)).one_or_none()
    if found is None:
        return False
    roles, trained = found
    enough = kind_of(kind).may & set(map(Role, roles))
    return bool(enough if trained else enough & {Role.AGENCY_ADMIN})


async def settle_tasks(session: AsyncSession, kind: str, subject_id: UUID, *, now: datetime) -> None:
    """Close the acting agency's open tasks of a kind about a subject, because the thing itself was done."""
    await session.execute(
        update(Task)
        .where(Task.kind == kind, Task.subject_id == subject_id, Task.done_at.is_(None))
        .values(done_at=now, done_by=func.acting_member())
    )

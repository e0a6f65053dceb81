"""A routing plan: the services chosen for one need, offered in turn or together, until one accepts.

A plan and its choices stand in the source's custody alone: no target learns who else was asked, how many, or its own
place among them (C6). Of the referrals of one plan, one at a time is accepted; the database sees to it (R2).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.consent.categories import Category
from referralnet.consent.withdrawal_lock import hold_consent_open, hold_release_open
from referralnet.database.acting import Custodian, Member
from referralnet.encryption.keyring import Keyring
from referralnet.errors import NotFound, Refusal
from referralnet.identity.tasks import settle_tasks
from referralnet.referrals.lifecycle import ENDS, Status
from referralnet.referrals.sending import Case, Told, draft_referral, send_draft
from referralnet.referrals.tables import Referral, RoutingChoice, RoutingPlan

CHOICES_MAX = 20
TOGETHER_MAX = 10


class Mode(StrEnum):
    """How the choices are offered: one after another, or all at once and without identity (urgent needs alone)."""

    IN_TURN = "in_turn"
    TOGETHER = "together"


class PlanStatus(StrEnum):
    """Where a plan stands. OPEN goes on by itself; WAITING is the coordinator's task."""

    OPEN = "open"
    WAITING = "waiting"
    ACCEPTED = "accepted"
    CLOSED = "closed"


class RoutingOver(Refusal):
    """The plan has found its service, or was closed."""

    code = "ROUTING_OVER"


@dataclass(frozen=True, slots=True)
class LockedPlan:
    """A plan whose row this transaction holds."""

    id: UUID
    survivor_id: UUID
    need_id: UUID
    coordinator_id: UUID
    mode: Mode
    status: PlanStatus
    accepted_referral_id: UUID | None
    look_at: datetime | None

    @property
    def is_over(self) -> bool:
        """Whether nothing more is offered."""
        return self.status in {PlanStatus.ACCEPTED, PlanStatus.CLOSED}


class Choice(NamedTuple):
    """One service of a plan, in order; `status` is its referral's, None where it was not offered yet."""

    id: UUID
    service_at_location_id: UUID
    release_id: UUID | None
    categories: frozenset[Category]
    referral_id: UUID | None
    status: Status | None


async def lock_plan(session: AsyncSession, plan_id: UUID, *, release_ids: Iterable[UUID | None] = ()) -> LockedPlan:
    """Lock a plan of this custody, and first what a withdrawal of her consent would lock before it.

    Args:
        session: the transaction.
        plan_id: the plan.
        release_ids: the releases under which something is about to be offered.

    Raises:
        NotFound: no such plan in this custody.
    """
    survivor_id = await session.scalar(select(RoutingPlan.survivor_id).where(RoutingPlan.id == plan_id))
    if survivor_id is None:
        raise NotFound(field="plan_id")
    await hold_consent_open(session, survivor_id)
    for release_id in sorted({release_id for release_id in release_ids if release_id is not None}):
        await hold_release_open(session, release_id)
    columns = select(
        RoutingPlan.id,
        RoutingPlan.survivor_id,
        RoutingPlan.need_id,
        RoutingPlan.coordinator_id,
        RoutingPlan.mode,
        RoutingPlan.status,
        RoutingPlan.accepted_referral_id,
        RoutingPlan.look_at,
    )
    row = (await session.execute(columns.where(RoutingPlan.id == plan_id).with_for_update())).one()
    return LockedPlan(*row[:4], Mode(row.mode), PlanStatus(row.status), *row[6:])


async def choices_of(session: AsyncSession, plan_id: UUID) -> list[Choice]:
    """A plan's choices in their order, without those that were taken out."""
    columns = (
        select(
            RoutingChoice.id,
            RoutingChoice.service_at_location_id,
            RoutingChoice.release_id,
            RoutingChoice.categories,
            RoutingChoice.referral_id,
            Referral.status,
        )
        .outerjoin(Referral, Referral.id == RoutingChoice.referral_id)
        .where(RoutingChoice.plan_id == plan_id, RoutingChoice.removed_at.is_(None))
        .order_by(RoutingChoice.position)
    )
    return [
        Choice(*row[:3], frozenset(map(Category, row.categories)), row.referral_id, row.status and Status(row.status))
        for row in await session.execute(columns)
    ]


def next_of(choices: Iterable[Choice]) -> Choice | None:
    """The first that was not offered yet."""
    return next((choice for choice in choices if choice.referral_id is None), None)


async def offer(
    session: AsyncSession,
    actor: Member | Custodian,
    plan: LockedPlan,
    choice: Choice,
    *,
    keyring: Keyring,
    now: datetime,
) -> UUID:
    """Send one choice; returns the referral's id. What is told waits sealed, or there is nothing to tell yet.

    Raises:
        as sending.send_referral.
    """
    case = Case(plan.survivor_id, plan.need_id, plan.coordinator_id)
    told = None if choice.release_id is None else Told(choice.release_id, choice.categories)
    service = choice.service_at_location_id
    draft = await draft_referral(session, actor, case, service, told, keyring=keyring, now=now)
    # Before it is sent: the database lets the worker send what a coordinator has planned, and nothing else.
    offered = update(RoutingChoice).where(RoutingChoice.id == choice.id).values(referral_id=draft.referral_id)
    await session.execute(offered.execution_options(synchronize_session=False))
    await send_draft(session, draft, now=now)
    return draft.referral_id


async def set_status(session: AsyncSession, plan_id: UUID, status: PlanStatus, *, now: datetime) -> None:
    """Put a locked plan into a state and let the worker rest about it; only the database writes ACCEPTED."""
    closed_at = now if status is PlanStatus.CLOSED else None
    changed = update(RoutingPlan).where(RoutingPlan.id == plan_id)
    await session.execute(
        changed.values(status=status, look_at=None, closed_at=closed_at).execution_options(synchronize_session=False)
    )


async def settle_choosing(session: AsyncSession, plan_id: UUID, choices: Iterable[Choice], *, now: datetime) -> None:
    """Take the plan, and each referral of it, off the coordinator's list: the choice was made, or is not needed."""
    await settle_tasks(session, "choose_next_service", plan_id, now=now)
    for choice in choices:
        if choice.referral_id is not None:
            await settle_tasks(session, "choose_next_service", choice.referral_id, now=now)
            if choice.status in ENDS:
                await settle_tasks(session, "share_with_accepted", choice.referral_id, now=now)


async def hold_plans(session: AsyncSession, subject_id: UUID, *, everything: bool) -> list[UUID]:
    """Lock the plans that go on of a survivor, or with a choice under one release, in one order; their ids."""
    under = select(RoutingChoice.plan_id).where(RoutingChoice.release_id == subject_id)
    whose = RoutingPlan.survivor_id == subject_id if everything else RoutingPlan.id.in_(under)
    plans = select(RoutingPlan.id).where(whose, RoutingPlan.status != PlanStatus.CLOSED)
    return list(await session.scalars(plans.order_by(RoutingPlan.id).with_for_update()))


async def close_plans(session: AsyncSession, plan_ids: list[UUID], *, now: datetime) -> None:
    """End locked plans: nothing more is offered under them, and nothing of them can be accepted."""
    for plan_id in plan_ids:
        await set_status(session, plan_id, PlanStatus.CLOSED, now=now)
        choices = await choices_of(session, plan_id)
        await settle_choosing(session, plan_id, choices, now=now)
        for choice in choices:
            # Whom to tell more is no question any longer: what has been accepted ends with the plan.
            if choice.referral_id is not None:
                await settle_tasks(session, "share_with_accepted", choice.referral_id, now=now)


async def due_plans(session: AsyncSession, *, first: int = 100) -> list[tuple[UUID, UUID]]:
    """Plans in which something happened, longest ago first: (plan id, its agency's id). For the dispatcher."""
    due = func.plans_to_follow(first).table_valued("plan_id", "agency_id")
    return [(row.plan_id, row.agency_id) for row in await session.execute(select(due.c.plan_id, due.c.agency_id))]

"""Routing plans as rows, for the agency whose plans they are: two statements, however many plans and choices."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.consent.categories import Category
from referralnet.database.acting import Member
from referralnet.errors import NotFound
from referralnet.identity.access import Permission, require
from referralnet.referrals.lifecycle import Status
from referralnet.referrals.reading import LISTING
from referralnet.referrals.routing import Mode, PlanStatus
from referralnet.referrals.tables import Referral, RoutingChoice, RoutingPlan


@dataclass(frozen=True, slots=True)
class ChoiceRow:
    """One service of a plan. `referral_id`, `status` and `status_reason` are None until it was asked."""

    id: UUID
    service_at_location_id: UUID
    service_name: str | None
    organization_name: str | None
    release_id: UUID | None
    categories: frozenset[Category]
    referral_id: UUID | None
    status: Status | None
    status_reason: str | None


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A plan with its choices in order, without those that were taken out."""

    id: UUID
    survivor_id: UUID
    need_id: UUID
    mode: Mode
    status: PlanStatus
    accepted_referral_id: UUID | None
    created_at: datetime
    closed_at: datetime | None
    choices: list[ChoiceRow]


async def routing_plan(session: AsyncSession, actor: Member, plan_id: UUID) -> PlanRow:
    """One plan of one's own agency.

    Raises:
        NotPermitted: not a coordinator. NotFound: no such plan in this custody.
    """
    found = await _plans(session, actor, RoutingPlan.id == plan_id)
    if not found:
        raise NotFound(field="plan_id")
    return found[0]


async def routing_plans(session: AsyncSession, actor: Member, survivor_id: UUID) -> list[PlanRow]:
    """A survivor's plans, newest first; none where she is not in this custody."""
    return await _plans(session, actor, RoutingPlan.survivor_id == survivor_id)


async def plan_of_referral(session: AsyncSession, actor: Member, referral_id: UUID) -> PlanRow | None:
    """The plan under which one's own agency has made a referral, if there is one."""
    asked = select(RoutingChoice.plan_id).where(RoutingChoice.referral_id == referral_id)
    found = await _plans(session, actor, RoutingPlan.id == asked.scalar_subquery())
    return found[0] if found else None


async def _plans(session: AsyncSession, actor: Member, which: ColumnElement[bool]) -> list[PlanRow]:
    require(actor, Permission.SEND_REFERRALS)
    columns = select(
        RoutingPlan.id,
        RoutingPlan.survivor_id,
        RoutingPlan.need_id,
        RoutingPlan.mode,
        RoutingPlan.status,
        RoutingPlan.accepted_referral_id,
        RoutingPlan.created_at,
        RoutingPlan.closed_at,
    )
    newest_first = columns.where(which).order_by(RoutingPlan.created_at.desc(), RoutingPlan.id)
    rows = (await session.execute(newest_first)).all()
    choices = await _choices(session, [row.id for row in rows])
    return [PlanRow(*row[:3], Mode(row.mode), PlanStatus(row.status), *row[5:], choices[row.id]) for row in rows]


async def _choices(session: AsyncSession, plan_ids: list[UUID]) -> dict[UUID, list[ChoiceRow]]:
    columns = (
        select(
            RoutingChoice.plan_id,
            RoutingChoice.id,
            RoutingChoice.service_at_location_id,
            LISTING.c.service_name,
            LISTING.c.organization_name,
            RoutingChoice.release_id,
            RoutingChoice.categories,
            RoutingChoice.referral_id,
            Referral.status,
            Referral.status_reason,
        )
        .outerjoin(Referral, Referral.id == RoutingChoice.referral_id)
        .outerjoin(LISTING, LISTING.c.service_at_location_id == RoutingChoice.service_at_location_id)
        .where(RoutingChoice.plan_id.in_(plan_ids), RoutingChoice.removed_at.is_(None))
        .order_by(RoutingChoice.position)
    )
    found: dict[UUID, list[ChoiceRow]] = defaultdict(list)
    for row in await session.execute(columns):
        found[row.plan_id].append(_choice(row))
    return found


def _choice(row: Any) -> ChoiceRow:
    return ChoiceRow(
        id=row.id,
        service_at_location_id=row.service_at_location_id,
        service_name=row.service_name,
        organization_name=row.organization_name,
        release_id=row.release_id,
        categories=frozenset(map(Category, row.categories)),
        referral_id=row.referral_id,
        status=None if row.status is None else Status(row.status),
        status_reason=row.status_reason,
    )

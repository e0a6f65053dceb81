"""Services that are added to a plan which goes on, and those on it that her consent covers from now on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.console.trail import Trail
from referralnet.console.way import Stop, Way
from referralnet.errors import NotFound
from referralnet.referrals.choosing import NewChoice, add_choice, cover_choice
from referralnet.referrals.routing import Mode
from referralnet.referrals.routing_reading import PlanRow, routing_plan

if TYPE_CHECKING:
    from referralnet.console.serving import PageRequest


async def plan_of(session: AsyncSession, request: PageRequest, trail: Trail, need_id: UUID) -> PlanRow:
    """The plan of a trail. Raises NotFound where it is another need's."""
    plan = await routing_plan(session, request.member, request.open_handle("plan", trail.plan))
    if plan.need_id != need_id:
        raise NotFound(field="plan_id")
    return plan


def unasked(plan: PlanRow) -> dict[UUID, UUID]:
    """The choices that were not asked yet, by their services."""
    return {choice.service_at_location_id: choice.id for choice in plan.choices if choice.referral_id is None}


async def add_to_plan(
    session: AsyncSession, request: PageRequest, way: Way, trail: Trail, new: Callable[[Stop], NewChoice]
) -> UUID:
    """Add each service at the end, or cover the choice that it is already; returns the plan's id.

    Raises:
        as choosing.add_choice and choosing.cover_choice.
    """
    actor = request.member
    plan = await plan_of(session, request, trail, way.need.id)
    waiting = unasked(plan)
    for stop in way.stops:
        choice = new(stop) if plan.mode is Mode.IN_TURN else NewChoice(stop.hit.service_at_location_id)
        known = waiting.get(choice.service_at_location_id)
        if known is None or choice.release_id is None:
            await add_choice(session, actor, plan.id, choice, keyring=request.keyring, now=request.now)
        else:
            await cover_choice(
                session, actor, plan.id, known, release_id=choice.release_id, categories=choice.categories
            )
    return plan.id

"""Routing a need: several services, asked in turn or together, until one accepts."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime
from functools import partial
from typing import Annotated, Protocol
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.api.categories import Category
from referralnet.api.context import Info
from referralnet.api.errors import Refused
from referralnet.api.performing import perform
from referralnet.api.referrals import ReferralResult, change
from referralnet.database.acting import Member
from referralnet.identity.access import Permission
from referralnet.referrals import choosing, planning, routing_reading, sharing
from referralnet.referrals.lifecycle import Status
from referralnet.referrals.routing import Mode, PlanStatus

strawberry.enum(Mode, name="RoutingMode", description="One after another, or all at once and without identity.")
strawberry.enum(PlanStatus, name="RoutingStatus", description="OPEN goes on by itself; WAITING waits for you.")


@strawberry.type(description="One service of a plan; without a referral it was not asked yet.")
class RoutingChoice:
    id: UUID
    service_at_location_id: UUID
    service_name: str | None
    organization_name: str | None
    release_id: UUID | None = strawberry.field(description="Without one it is not asked by itself.")
    categories: list[Category]
    referral_id: UUID | None
    status: Status | None
    status_reason: str | None

    @classmethod
    def of(cls, row: routing_reading.ChoiceRow) -> RoutingChoice:
        return cls(
            id=row.id,
            service_at_location_id=row.service_at_location_id,
            service_name=row.service_name,
            organization_name=row.organization_name,
            release_id=row.release_id,
            categories=sorted(row.categories),
            referral_id=row.referral_id,
            status=row.status,
            status_reason=row.status_reason,
        )


@strawberry.type(description="The services chosen for one need, best first. No service learns of another.")
class RoutingPlan:
    id: UUID
    survivor_id: UUID
    need_id: UUID
    mode: Mode
    status: PlanStatus
    accepted_referral_id: UUID | None
    created_at: datetime
    closed_at: datetime | None
    choices: list[RoutingChoice]

    @classmethod
    def of(cls, row: routing_reading.PlanRow) -> RoutingPlan:
        return cls(
            id=row.id,
            survivor_id=row.survivor_id,
            need_id=row.need_id,
            mode=row.mode,
            status=row.status,
            accepted_referral_id=row.accepted_referral_id,
            created_at=row.created_at,
            closed_at=row.closed_at,
            choices=[RoutingChoice.of(choice) for choice in row.choices],
        )


@strawberry.input(description="A service to ask, and what it may be told of her once it has accepted.")
class RoutingChoiceInput:
    service_at_location_id: UUID
    release_id: UUID | None = strawberry.field(default=None, description="None, where all are asked together.")
    categories: list[Category] = strawberry.field(default_factory=list)

    def new(self) -> choosing.NewChoice:
        """As the area takes it."""
        return choosing.NewChoice(self.service_at_location_id, self.release_id, frozenset(self.categories))


@strawberry.input(description="A need, and the services to ask for it, best first.")
class StartRoutingInput:
    survivor_id: UUID
    need_id: UUID
    mode: Mode
    choices: list[RoutingChoiceInput] = strawberry.field(description="1 to 20; together, 10 at most.")


RoutingResult = Annotated[RoutingPlan | Refused, strawberry.union("RoutingResult")]


async def show_plan(session: AsyncSession, actor: Member, plan_id: UUID) -> RoutingPlan:
    """One plan, whole."""
    return RoutingPlan.of(await routing_reading.routing_plan(session, actor, plan_id))


class PlanStep(Protocol):
    """One thing a coordinator does to a plan."""

    def __call__(self, session: AsyncSession, actor: Member, plan_id: UUID, /) -> Awaitable[None]: ...


async def change_plan(
    info: Info, idempotency_key: str, plan_id: UUID, step: PlanStep, *content: object
) -> RoutingPlan | Refused:
    """Do `step` to a plan and show it, or tell why not; `content` is what else the client said."""

    async def act(session: AsyncSession, actor: Member) -> UUID:
        await step(session, actor, plan_id)
        return plan_id

    content = (plan_id, *content)
    return await perform(info, Permission.SEND_REFERRALS, idempotency_key, list(content), act=act, show=show_plan)


@strawberry.type
class RoutingQuery:
    @strawberry.field(description="One plan of your agency.")
    async def routing_plan(self, info: Info, plan_id: UUID) -> RoutingPlan:
        async with info.context.reading(Permission.SEND_REFERRALS) as (session, actor):
            return await show_plan(session, actor, plan_id)

    @strawberry.field(description="A survivor's plans, newest first.")
    async def routing_plans(self, info: Info, survivor_id: UUID) -> list[RoutingPlan]:
        async with info.context.reading(Permission.SEND_REFERRALS) as (session, actor):
            return [RoutingPlan.of(row) for row in await routing_reading.routing_plans(session, actor, survivor_id)]


@strawberry.type
class RoutingMutation:
    @strawberry.mutation(description="Ask the first service, and the next by itself; or all at once, if it is urgent.")
    async def start_routing(self, info: Info, idempotency_key: str, routing: StartRoutingInput) -> RoutingResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            choices = [choice.new() for choice in routing.choices]
            new = planning.NewPlan(routing.survivor_id, routing.need_id, routing.mode, choices)
            keyring = info.context.resources.keyring
            return await planning.start_routing(session, actor, new, keyring=keyring, now=info.context.now)

        return await perform(info, Permission.SEND_REFERRALS, idempotency_key, routing, act=act, show=show_plan)

    @strawberry.mutation(description="Ask the next service now: after a pause, or beside a waiting list.")
    async def continue_routing(self, info: Info, idempotency_key: str, plan_id: UUID) -> RoutingResult:
        keyring, now = info.context.resources.keyring, info.context.now
        step = partial(planning.continue_routing, keyring=keyring, now=now)
        return await change_plan(info, idempotency_key, plan_id, step)

    @strawberry.mutation(description="Take back whatever is unanswered, and ask nobody more.")
    async def close_routing(self, info: Info, idempotency_key: str, plan_id: UUID) -> RoutingResult:
        return await change_plan(info, idempotency_key, plan_id, partial(planning.close_routing, now=info.context.now))

    @strawberry.mutation(description="Add a service at the end; where all are asked together, it is asked at once.")
    async def add_routing_choice(
        self, info: Info, idempotency_key: str, plan_id: UUID, choice: RoutingChoiceInput
    ) -> RoutingResult:
        keyring, now = info.context.resources.keyring, info.context.now

        async def step(session: AsyncSession, actor: Member, plan_id: UUID, /) -> None:
            await choosing.add_choice(session, actor, plan_id, choice.new(), keyring=keyring, now=now)

        return await change_plan(info, idempotency_key, plan_id, step, choice)

    @strawberry.mutation(description="Take out a service that was not asked yet.")
    async def remove_routing_choice(
        self, info: Info, idempotency_key: str, plan_id: UUID, choice_id: UUID
    ) -> RoutingResult:
        step = partial(choosing.remove_choice, choice_id=choice_id, now=info.context.now)
        return await change_plan(info, idempotency_key, plan_id, step, choice_id)

    @strawberry.mutation(description="Put the services that were not asked yet into another order, naming each once.")
    async def reorder_routing_choices(
        self, info: Info, idempotency_key: str, plan_id: UUID, choice_ids: list[UUID]
    ) -> RoutingResult:
        step = partial(choosing.reorder_choices, choice_ids=choice_ids)
        return await change_plan(info, idempotency_key, plan_id, step, choice_ids)

    @strawberry.mutation(description="Name the release under which a service may be told of her once it accepts.")
    async def cover_routing_choice(
        self, info: Info, idempotency_key: str, plan_id: UUID, choice_id: UUID, release_id: UUID,
        categories: list[Category],
    ) -> RoutingResult:  # fmt: skip
        named = frozenset(categories)
        step = partial(choosing.cover_choice, choice_id=choice_id, release_id=release_id, categories=named)
        return await change_plan(info, idempotency_key, plan_id, step, choice_id, release_id, categories)

    @strawberry.mutation(description="She has signed: tell the service that accepted who she is.")
    async def share_with_accepted(
        self, info: Info, idempotency_key: str, referral_id: UUID, release_id: UUID, categories: list[Category]
    ) -> ReferralResult:
        keyring, named = info.context.resources.keyring, frozenset(categories)
        share = partial(sharing.share_with_accepted, release_id=release_id, categories=named, keyring=keyring)
        permission = Permission.SEND_REFERRALS
        return await change(info, permission, idempotency_key, referral_id, share, release_id, categories)

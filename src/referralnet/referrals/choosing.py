"""Change what a plan has not offered yet: add a choice, take one out, put them in another order, name a release."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.consent.categories import Category
from referralnet.consent.releases import known_categories, release
from referralnet.database.acting import Member
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput, NotFound, Refusal
from referralnet.identity.access import Permission, require
from referralnet.referrals.lifecycle import ENDS
from referralnet.referrals.routing import (
    CHOICES_MAX,
    TOGETHER_MAX,
    Choice,
    LockedPlan,
    Mode,
    RoutingOver,
    choices_of,
    lock_plan,
    offer,
)
from referralnet.referrals.sending import find_target
from referralnet.referrals.tables import RoutingChoice


class AlreadyOffered(Refusal):
    """The service was asked already. Take the referral back instead."""

    code = "ALREADY_OFFERED"


@dataclass(frozen=True, slots=True)
class NewChoice:
    """A service, and the release and categories under which it may be told of her once it accepts."""

    service_at_location_id: UUID
    release_id: UUID | None = None
    categories: frozenset[Category] = frozenset()


async def add_choice(
    session: AsyncSession, actor: Member, plan_id: UUID, new: NewChoice, *, keyring: Keyring, now: datetime
) -> None:
    """Add a service at the end of a plan. Where all are asked together, it is asked at once.

    Raises:
        NotPermitted, NotFound, RoutingOver.
        InvalidInput: the plan is full or has this service; a release where there must be none.
        as sending.find_target: nobody at that service can answer here.
    """
    plan = await _lock_to_change(session, actor, plan_id)
    choices = await choices_of(session, plan_id)
    most = TOGETHER_MAX if plan.mode is Mode.TOGETHER else CHOICES_MAX
    if len(choices) >= most:
        raise InvalidInput(field="choice", detail=f"A plan has {most} choices at most.")
    if plan.mode is Mode.TOGETHER and new.release_id is not None:
        raise InvalidInput(field="choice", detail="Asked together, none is told who she is: name no release.")
    await insert_choices(session, actor, plan, [new], after=await _last_place(session, plan_id))
    if plan.mode is Mode.TOGETHER:
        await offer(session, actor, plan, (await choices_of(session, plan_id))[-1], keyring=keyring, now=now)
    await record(session, Action.ROUTING_CHANGED, "routing_plan", plan_id, change="choice_added")


async def remove_choice(session: AsyncSession, actor: Member, plan_id: UUID, choice_id: UUID, *, now: datetime) -> None:
    """Take out a service that was not asked yet. Raises as `add_choice`, and AlreadyOffered."""
    await _lock_to_change(session, actor, plan_id)
    choice = await _unoffered(session, plan_id, choice_id)
    await _change(session, choice.id, position=None, removed_at=now)
    await record(session, Action.ROUTING_CHANGED, "routing_plan", plan_id, change="choice_removed")


async def reorder_choices(session: AsyncSession, actor: Member, plan_id: UUID, choice_ids: Sequence[UUID]) -> None:
    """Put the services that were not asked yet into another order, naming each of them once.

    Raises:
        NotPermitted, NotFound, RoutingOver.
        InvalidInput: one is left out or named twice, or was asked already; names choice_ids.
    """
    await _lock_to_change(session, actor, plan_id)
    choices = await choices_of(session, plan_id)
    unoffered = {choice.id for choice in choices if choice.referral_id is None}
    if len(choice_ids) != len(unoffered) or set(choice_ids) != unoffered:
        raise InvalidInput(field="choice_ids", detail="Name each service that was not asked yet, once.")
    # Behind the last place there is: so that no two ever stand at one.
    after = await _last_place(session, plan_id)
    for position, choice_id in enumerate(choice_ids, start=after + 1):
        await _change(session, choice_id, position=position)
    await record(session, Action.ROUTING_CHANGED, "routing_plan", plan_id, change="reordered")


async def cover_choice(
    session: AsyncSession,
    actor: Member,
    plan_id: UUID,
    choice_id: UUID,
    *,
    release_id: UUID,
    categories: frozenset[Category],
) -> None:
    """Name the release under which a service may be told of her; it can then be offered by itself.

    The release is judged when the service is asked, and at each reading after that.

    Raises:
        NotPermitted, NotFound, RoutingOver, AlreadyOffered.
        InvalidInput: all are asked together. UnknownCategory: names categories.
    """
    plan = await _lock_to_change(session, actor, plan_id)
    if plan.mode is Mode.TOGETHER:
        raise InvalidInput(field="plan_id", detail="Asked together, none is told who she is before one accepts.")
    choice = await _unoffered(session, plan_id, choice_id)
    await release(session, actor, release_id)
    named = sorted(known_categories(categories))
    await _change(session, choice.id, release_id=release_id, categories=named)
    await record(session, Action.ROUTING_CHANGED, "routing_plan", plan_id, change="choice_covered")


async def insert_choices(
    session: AsyncSession, actor: Member, plan: LockedPlan, choices: Sequence[NewChoice], *, after: int
) -> None:
    """Add services to a locked plan, from the place behind `after` on.

    Raises:
        InvalidInput: one is there twice. NotFound: no such release in this custody.
        UnknownCategory, and as sending.find_target.
    """
    # One that has said no may be asked again; one that waits its turn, was asked or has her may not.
    there = {
        one.service_at_location_id
        for one in await choices_of(session, plan.id)
        if one.status is None or one.status not in ENDS
    }
    rows = []
    for position, choice in enumerate(choices, start=after + 1):
        if choice.service_at_location_id in there:
            raise InvalidInput(field="service_at_location_id", detail="It is in the plan already.")
        there.add(choice.service_at_location_id)
        await find_target(session, actor, choice.service_at_location_id)
        rows.append(await _row(session, actor, plan, choice, position))
    await session.execute(insert(RoutingChoice).values(rows).inline())


async def _row(
    session: AsyncSession, actor: Member, plan: LockedPlan, choice: NewChoice, position: int
) -> dict[str, object]:
    categories: list[Category] = []
    if choice.release_id is not None:
        await release(session, actor, choice.release_id)
        categories = sorted(known_categories(choice.categories))
    return {
        "id": uuid4(),
        "agency_id": actor.agency_id,
        "plan_id": plan.id,
        "position": position,
        "service_at_location_id": choice.service_at_location_id,
        "release_id": choice.release_id,
        "categories": categories,
    }


async def _lock_to_change(session: AsyncSession, actor: Member, plan_id: UUID) -> LockedPlan:
    require(actor, Permission.SEND_REFERRALS)
    plan = await lock_plan(session, plan_id)
    if plan.is_over:
        raise RoutingOver
    return plan


async def _unoffered(session: AsyncSession, plan_id: UUID, choice_id: UUID) -> Choice:
    choice = next((one for one in await choices_of(session, plan_id) if one.id == choice_id), None)
    if choice is None:
        raise NotFound(field="choice_id")
    if choice.referral_id is not None:
        raise AlreadyOffered(field="choice_id")
    return choice


async def _last_place(session: AsyncSession, plan_id: UUID) -> int:
    last = select(func.max(RoutingChoice.position)).where(RoutingChoice.plan_id == plan_id)
    return await session.scalar(last) or 0


async def _change(session: AsyncSession, choice_id: UUID, **values: object) -> None:
    changed = update(RoutingChoice).where(RoutingChoice.id == choice_id).values(**values)
    await session.execute(changed.execution_options(synchronize_session=False))

"""A coordinator routes a need: starts a plan, goes on to the next service, closes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.consent.refusals import NoLiveRelease
from referralnet.consent.withdrawal_lock import hold_consent_open, hold_release_open
from referralnet.database.acting import Member
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput, NotFound, Refusal
from referralnet.identity.access import Permission, require
from referralnet.referrals.choosing import NewChoice, insert_choices
from referralnet.referrals.lifecycle import UNANSWERED, Event, Party, Status
from referralnet.referrals.moving import lock, move
from referralnet.referrals.routing import (
    CHOICES_MAX,
    TOGETHER_MAX,
    LockedPlan,
    Mode,
    PlanStatus,
    RoutingOver,
    choices_of,
    lock_plan,
    next_of,
    offer,
    set_status,
    settle_choosing,
)
from referralnet.referrals.tables import RoutingPlan
from referralnet.survivors.needs import Urgency
from referralnet.survivors.tables import Need


class AlreadyRouted(Refusal):
    """The need has a plan that goes on. Change that one, or close it first."""

    code = "ALREADY_ROUTED"


class OnlyUrgentTogether(Refusal):
    """Only an urgent need is put to several services at once. Let the others be asked in turn."""

    code = "ONLY_URGENT_TOGETHER"


class StillAsked(Refusal):
    """A service has been asked and has not answered yet. Wait for it, or take that referral back first."""

    code = "STILL_ASKED"


class NothingToOffer(Refusal):
    """Every choice of this plan was offered. Add one."""

    code = "NOTHING_TO_OFFER"


@dataclass(frozen=True, slots=True)
class NewPlan:
    """A need and the services chosen for it, best first."""

    survivor_id: UUID
    need_id: UUID
    mode: Mode
    choices: Sequence[NewChoice]


async def start_routing(session: AsyncSession, actor: Member, new: NewPlan, *, keyring: Keyring, now: datetime) -> UUID:
    """Make a plan, and offer its first choice, or all of them together; returns the plan's id.

    In turn, each choice names the release that lets it be offered by itself; one without waits for the coordinator.
    Together, none names a release: nobody is told who she is before one has accepted (`sharing.py`).

    Raises:
        NotPermitted, NotFound: not a coordinator; no such need of this survivor, or no such service.
        InvalidInput: none or too many choices, one named twice, a release where there must be none; names the field.
        OnlyUrgentTogether, AlreadyRouted.
        as sending.send_referral: the first cannot be offered. Nothing is made then.
    """
    require(actor, Permission.SEND_REFERRALS)
    _check(new)
    await hold_consent_open(session, new.survivor_id)
    for release_id in sorted({choice.release_id for choice in new.choices if choice.release_id is not None}):
        await hold_release_open(session, release_id)
    await _check_need(session, new)
    plan = await _insert_plan(session, actor, new, now)
    await insert_choices(session, actor, plan, new.choices, after=0)
    choices = await choices_of(session, plan.id)
    for choice in choices if new.mode is Mode.TOGETHER else choices[:1]:
        await offer(session, actor, plan, choice, keyring=keyring, now=now)
    await record(session, Action.ROUTING_STARTED, "routing_plan", plan.id, mode=new.mode, choices=len(choices))
    return plan.id


async def continue_routing(
    session: AsyncSession, actor: Member, plan_id: UUID, *, keyring: Keyring, now: datetime
) -> None:
    """Offer the next choice now: after a pause, or although an earlier service has put her on its waiting list.

    Raises:
        NotPermitted, NotFound, RoutingOver, StillAsked, NothingToOffer.
        as sending.send_referral: the next cannot be offered; without a release, NoLiveRelease.
    """
    require(actor, Permission.SEND_REFERRALS)
    ahead = next_of(await choices_of(session, plan_id))
    plan = await lock_plan(session, plan_id, release_ids=[ahead.release_id] if ahead else [])
    if plan.is_over:
        raise RoutingOver
    choices = await choices_of(session, plan_id)
    choice = next_of(choices)
    if choice is None:
        raise NothingToOffer
    if any(one.status is Status.REQUESTED for one in choices) and plan.mode is Mode.IN_TURN:
        raise StillAsked
    if choice.release_id is None and plan.mode is Mode.IN_TURN:
        raise NoLiveRelease(field="plan_id")
    await set_status(session, plan_id, PlanStatus.OPEN, now=now)
    await settle_choosing(session, plan_id, choices, now=now)
    await offer(session, actor, plan, choice, keyring=keyring, now=now)
    await record(session, Action.ROUTING_CHANGED, "routing_plan", plan_id, change="continued")


async def close_routing(session: AsyncSession, actor: Member, plan_id: UUID, *, now: datetime) -> None:
    """Take back whatever of the plan is unanswered, and offer nothing more.

    Raises:
        NotPermitted, NotFound.
        RoutingOver: it was closed, or a service has accepted: that referral is cancelled by asking its target.
    """
    require(actor, Permission.SEND_REFERRALS)
    plan = await lock_plan(session, plan_id)
    if plan.is_over:
        raise RoutingOver
    choices = await choices_of(session, plan_id)
    for choice in choices:
        if choice.referral_id is not None and choice.status in UNANSWERED:
            locked = await lock(session, choice.referral_id)
            # It may have been answered before the plan was locked, and never accepted since.
            if locked.status in UNANSWERED:
                await move(session, locked, Event.WITHDRAW, Party.SOURCE, now=now)
    await set_status(session, plan_id, PlanStatus.CLOSED, now=now)
    await settle_choosing(session, plan_id, choices, now=now)
    await record(session, Action.ROUTING_CHANGED, "routing_plan", plan_id, change="closed")


def _check(new: NewPlan) -> None:
    most = TOGETHER_MAX if new.mode is Mode.TOGETHER else CHOICES_MAX
    if not 1 <= len(new.choices) <= most:
        raise InvalidInput(field="choices", detail=f"From 1 to {most}.")
    if new.mode is Mode.TOGETHER and any(choice.release_id is not None for choice in new.choices):
        raise InvalidInput(field="choices", detail="Asked together, none is told who she is: name no release.")
    if new.mode is Mode.IN_TURN and new.choices[0].release_id is None:
        raise NoLiveRelease(field="choices")


async def _check_need(session: AsyncSession, new: NewPlan) -> None:
    asked = select(Need.urgency).where(Need.id == new.need_id, Need.survivor_id == new.survivor_id)
    urgency = await session.scalar(asked)
    if urgency is None:
        raise NotFound(field="need_id")
    if new.mode is Mode.TOGETHER and urgency != Urgency.URGENT:
        raise OnlyUrgentTogether(field="mode")


async def _insert_plan(session: AsyncSession, actor: Member, new: NewPlan, now: datetime) -> LockedPlan:
    plan_id = uuid4()
    made = await session.scalar(
        insert(RoutingPlan)
        .values(
            id=plan_id,
            agency_id=actor.agency_id,
            survivor_id=new.survivor_id,
            need_id=new.need_id,
            coordinator_id=actor.member_id,
            mode=new.mode,
            status=PlanStatus.OPEN,
            created_at=now,
        )
        .on_conflict_do_nothing()
        .returning(RoutingPlan.id)
    )
    if made is None:
        raise AlreadyRouted(field="need_id")
    case = (new.survivor_id, new.need_id, actor.member_id)
    return LockedPlan(plan_id, *case, new.mode, PlanStatus.OPEN, None, None)

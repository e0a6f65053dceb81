"""The worker follows a routing plan, in its custody: closes what is filled, offers what is next, or calls a person.

Everything it needs stands in the rows: a worker that dies in the middle has done nothing, and the next one does it.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.database.acting import Custodian
from referralnet.encryption.keyring import Keyring
from referralnet.identity.tasks import open_task
from referralnet.referrals.lifecycle import OPEN, UNANSWERED, Event, Party, Status
from referralnet.referrals.moving import lock, move
from referralnet.referrals.routing import (
    Choice,
    LockedPlan,
    Mode,
    PlanStatus,
    choices_of,
    lock_plan,
    next_of,
    offer,
    set_status,
    settle_choosing,
)
from referralnet.referrals.tables import SurvivorReferral


async def follow(session: AsyncSession, actor: Custodian, plan_id: UUID, *, keyring: Keyring, now: datetime) -> bool:
    """Do what a plan asks for since something happened in it; False where another worker has done it.

    Raises:
        Refusal: the next choice cannot be offered; `pause` then gives it to a person, in another transaction.
    """
    ahead = next_of(await choices_of(session, plan_id))
    plan = await lock_plan(session, plan_id, release_ids=[ahead.release_id] if ahead else [])
    if plan.look_at is None:
        return False
    choices = await choices_of(session, plan_id)
    choice = next_of(choices)
    if choice is not None and choice != ahead:
        # The coordinator changed the order meanwhile, and another release is locked than the one that is needed.
        return False
    if plan.status is PlanStatus.ACCEPTED:
        await _close_the_others(session, actor, plan, choices, now)
    elif plan.status is PlanStatus.OPEN and _is_asked(choices):
        await _settle(session, plan, choices, now)
    elif plan.status is PlanStatus.OPEN and choice is not None and _goes_by_itself(plan, choice):
        await _settle(session, plan, choices, now)
        await offer(session, actor, plan, choice, keyring=keyring, now=now)
    else:
        await _call_a_person(session, actor, plan, choices, now)
    return True


async def pause(session: AsyncSession, actor: Custodian, plan_id: UUID, *, now: datetime) -> None:
    """The next choice was refused: its release has ended, say, or its agency has left. A person chooses."""
    plan = await lock_plan(session, plan_id)
    if plan.look_at is not None and not plan.is_over:
        await _call_a_person(session, actor, plan, await choices_of(session, plan_id), now)


def _is_asked(choices: list[Choice]) -> bool:
    return any(choice.status in OPEN for choice in choices)


def _goes_by_itself(plan: LockedPlan, choice: Choice) -> bool:
    return plan.mode is Mode.IN_TURN and choice.release_id is not None


async def _settle(session: AsyncSession, plan: LockedPlan, choices: list[Choice], now: datetime) -> None:
    await settle_choosing(session, plan.id, choices, now=now)
    await set_status(session, plan.id, plan.status, now=now)


async def _ask_for_a_release(session: AsyncSession, actor: Custodian, accepted: UUID, now: datetime) -> None:
    """Asked without identity, the service that accepted knows nothing of her until she signs a release naming it."""
    under = select(SurvivorReferral.release_id).where(SurvivorReferral.referral_id == accepted)
    if await session.scalar(under) is None:
        await open_task(
            session,
            agency_id=actor.agency_id,
            kind="share_with_accepted",
            subject_kind="referral",
            subject_id=accepted,
            now=now,
        )


async def _close_the_others(
    session: AsyncSession, actor: Custodian, plan: LockedPlan, choices: list[Choice], now: datetime
) -> None:
    for choice in choices:
        if choice.referral_id is not None and choice.status in UNANSWERED:
            locked = await lock(session, choice.referral_id)
            if locked.status in UNANSWERED:
                await move(session, locked, Event.FILLED, Party.SYSTEM, now=now)
    await settle_choosing(session, plan.id, choices, now=now)
    accepted = next(choice for choice in choices if choice.referral_id == plan.accepted_referral_id)
    if accepted.status in OPEN and accepted.referral_id is not None:
        await _ask_for_a_release(session, actor, accepted.referral_id, now)
    over = accepted.status is Status.COMPLETED
    await set_status(session, plan.id, PlanStatus.CLOSED if over else PlanStatus.ACCEPTED, now=now)


async def _call_a_person(
    session: AsyncSession, actor: Custodian, plan: LockedPlan, choices: list[Choice], now: datetime
) -> None:
    """One task for the whole plan, in place of one for each referral that ended."""
    await settle_choosing(session, plan.id, choices, now=now)
    await set_status(session, plan.id, PlanStatus.WAITING, now=now)
    await open_task(
        session,
        agency_id=actor.agency_id,
        kind="choose_next_service",
        subject_kind="routing_plan",
        subject_id=plan.id,
        now=now,
    )

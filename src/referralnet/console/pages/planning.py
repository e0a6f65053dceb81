"""A routing plan: who was asked, who is next, and what its coordinator does about it."""

from __future__ import annotations

from collections.abc import Awaitable
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.console.forms import Form
from referralnet.console.performing import perform
from referralnet.console.serving import PageRequest
from referralnet.console.told import Told
from referralnet.database.acting import Member
from referralnet.errors import InvalidInput, NotFound, NotPermitted, Refusal
from referralnet.identity.access import Permission
from referralnet.identity.profiles import own_profile
from referralnet.referrals import choosing, planning
from referralnet.referrals.routing_reading import ChoiceRow, PlanRow, routing_plan

TOLD = {
    "continue": Told.NEXT_ASKED,
    "close": Told.PLAN_CLOSED,
    "remove": Told.CHOICE_REMOVED,
    "first": Told.CHOICE_FIRST,
}
"""By the last part of the address that a form is sent to."""


async def show(request: PageRequest) -> Response:
    """The plan."""
    return await _page(request, request.opened("plan"))


async def change(request: PageRequest) -> Response:
    """Do what the address says to the plan, and show it."""
    plan_id, wanted = request.opened("plan"), request.http.path_params["step"]
    if wanted not in TOLD:
        raise NotFound
    form = await request.form()

    async def act(session: AsyncSession, actor: Member) -> UUID:
        await _change(session, actor, plan_id, wanted, form, request)
        return plan_id

    try:
        await perform(request, Permission.SEND_REFERRALS, act)
    except (NotFound, NotPermitted):
        raise
    except Refusal as refusal:
        return await _page(request, plan_id, refusal)
    return request.go_to(f"/plans/{request.handle('plan', plan_id)}", TOLD[wanted])


def _change(
    session: AsyncSession, actor: Member, plan_id: UUID, wanted: str, form: Form, request: PageRequest
) -> Awaitable[None]:
    keyring, now = request.desk.resources.keyring, request.now
    match wanted:
        case "continue":
            return planning.continue_routing(session, actor, plan_id, keyring=keyring, now=now)
        case "close":
            return planning.close_routing(session, actor, plan_id, now=now)
        case "remove":
            return choosing.remove_choice(session, actor, plan_id, _choice(form), now=now)
        case _:
            return _put_first(session, actor, plan_id, _choice(form))


async def _put_first(session: AsyncSession, actor: Member, plan_id: UUID, choice_id: UUID) -> None:
    plan = await routing_plan(session, actor, plan_id)
    others = [choice.id for choice in _not_asked(plan) if choice.id != choice_id]
    await choosing.reorder_choices(session, actor, plan_id, [choice_id, *others])


def _not_asked(plan: PlanRow) -> list[ChoiceRow]:
    return [choice for choice in plan.choices if choice.referral_id is None]


def _choice(form: Form) -> UUID:
    try:
        return UUID(form.get("choice_id", ""))
    except ValueError:
        raise InvalidInput(field="choice_id", detail="Choose one.") from None


async def _page(request: PageRequest, plan_id: UUID, refusal: Refusal | None = None) -> Response:
    actor = request.member
    async with request.desk.resources.database.transaction(actor) as session:
        profile = await own_profile(session, actor)
        plan = await routing_plan(session, actor, plan_id)
    return request.page(
        "plan.html",
        422 if refusal else 200,
        profile=profile,
        plan=plan,
        here=f"/plans/{request.handle('plan', plan_id)}",
        wrong=request.errors(refusal) if refusal else {},
    )

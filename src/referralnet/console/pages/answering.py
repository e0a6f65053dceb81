"""What either party does to a referral by one press: the steps as data, each by the API's own function of the area."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.console.addresses import own_address
from referralnet.console.forms import Form
from referralnet.console.pages.referral import opened, referral_page
from referralnet.console.performing import perform
from referralnet.console.places import referral_address
from referralnet.console.serving import PageRequest
from referralnet.console.told import Told
from referralnet.console.undoing import Undo, undo_of_giving
from referralnet.database.acting import Member
from referralnet.errors import InvalidInput, NotFound, NotPermitted, Refusal
from referralnet.identity.access import Permission
from referralnet.referrals import answering, assigning, handing_over, visiting, withdrawing
from referralnet.referrals.handing_over import HandoffKind
from referralnet.referrals.lifecycle import Outcome, RejectReason

Code = TypeVar("Code", bound=StrEnum)


class Step(NamedTuple):
    """One step: who may, how it is read off the form, and what is said once it is done."""

    may: Permission
    reads: Callable[[Form], Callable[..., Any]]
    told: Told


def _chosen(form: Form, field: str, codes: type[Code]) -> Code:
    try:
        return codes(form.get(field, ""))
    except ValueError:
        raise InvalidInput(field=field, detail="Choose one.") from None


def _colleague(form: Form) -> UUID:
    try:
        return UUID(form.get("member_id", ""))
    except ValueError:
        raise InvalidInput(field="member_id", detail="Choose one.") from None


def _just(step: Callable[..., Any]) -> Callable[[Form], Callable[..., Any]]:
    return lambda _form: step


def _unit(form: Form) -> UUID | None:
    chosen = form.get("capacity_id")
    if not chosen:
        return None
    try:
        return UUID(chosen)
    except ValueError:
        raise InvalidInput(field="capacity_id", detail="Choose one.") from None


_MAY_ANSWER, _MAY_SEND, _EITHER = Permission.ANSWER_REFERRALS, Permission.SEND_REFERRALS, Permission.READ_REFERRALS
STEPS: dict[str, Step] = {
    "accept": Step(_MAY_ANSWER, lambda f: partial(answering.accept, capacity_id=_unit(f)), Told.ACCEPTED),
    "waitlist": Step(_MAY_ANSWER, _just(answering.waitlist), Told.WAITLISTED),
    "decline": Step(
        _MAY_ANSWER, lambda f: partial(answering.reject, reason=_chosen(f, "reason", RejectReason)), Told.DECLINED
    ),
    "complete": Step(
        _MAY_ANSWER, lambda f: partial(answering.complete, outcome=_chosen(f, "outcome", Outcome)), Told.COMPLETED
    ),
    "agree": Step(_MAY_ANSWER, _just(answering.confirm_cancellation), Told.CANCELLATION_AGREED),
    "came": Step(_MAY_ANSWER, _just(visiting.mark_attended), Told.CAME),
    "missed": Step(_MAY_ANSWER, _just(visiting.mark_no_show), Told.MISSED),
    "cancel-visit": Step(_MAY_ANSWER, _just(visiting.cancel_visit), Told.VISIT_CANCELLED),
    "way": Step(_MAY_SEND, _just(partial(visiting.say_travel_is_arranged, arranged=True)), Told.WAY_ARRANGED),
    "take-back": Step(_MAY_SEND, _just(withdrawing.withdraw_referral), Told.TAKEN_BACK),
    "in-error": Step(_MAY_SEND, _just(withdrawing.mark_entered_in_error), Told.IN_ERROR),
    "give": Step(_EITHER, lambda f: partial(assigning.assign, member_id=_colleague(f)), Told.GIVEN),
    "spoken": Step(
        _EITHER,
        lambda f: partial(handing_over.confirm_warm_handoff, kind=_chosen(f, "kind", HandoffKind)),
        Told.SPOKEN,
    ),
}
"""By the last part of the address that a form is sent to."""


async def take(request: PageRequest) -> Response:
    """Take a step, and come back to the page; or show it as it stands, with what was refused."""
    step, referral_id = STEPS.get(request.http.path_params["step"]), opened(request)
    if step is None:
        raise NotFound
    form = await request.form()

    undo: Undo | None = None

    async def act(session: AsyncSession, actor: Member) -> UUID:
        nonlocal undo
        before = await assigning.assignee(session, actor, referral_id) if step.told is Told.GIVEN else None
        await step.reads(form)(session, actor, referral_id, now=request.now)
        if before is not None:  # nobody can be made to have it again
            undo = undo_of_giving(step.told, referral_id, before, _colleague(form))
        return referral_id

    try:
        await perform(request, step.may, act)
    except (NotFound, NotPermitted):
        raise
    except Refusal as refusal:
        return await referral_page(request, referral_id, refusal=refusal, typed=form)
    back = own_address(form["back"]) if form.get("back") else referral_address(request, referral_id)
    return request.go_to(back, step.told, undo=undo)

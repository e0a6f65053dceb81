"""The log of calls to a service that is no member: when it was called, and what it said, in codes."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.appointments.local_time import instant_of
from referralnet.consent.handoffs import handoff
from referralnet.console.forms import Form
from referralnet.console.pages.referral import wrong_fields
from referralnet.console.performing import perform
from referralnet.console.serving import PageRequest
from referralnet.console.told import Told
from referralnet.database.acting import Member
from referralnet.errors import InvalidInput, NotFound, NotPermitted, Refusal
from referralnet.identity.access import Permission
from referralnet.identity.profiles import own_profile
from referralnet.referrals.calling import Call, CallAnswer, calls, record_call
from referralnet.referrals.lifecycle import RejectReason

_LATEST_AGO = timedelta(minutes=1)


async def show(request: PageRequest) -> Response:
    """The log, and the form for one call more."""
    return await _page(request, request.opened("handoff"))


async def keep(request: PageRequest) -> Response:
    """Write a call into the log."""
    handoff_id, form = request.opened("handoff"), await request.form()

    async def act(session: AsyncSession, actor: Member) -> UUID:
        zone = (await own_profile(session, actor)).time_zone
        return await record_call(session, actor, handoff_id, _read(form, zone, request.now), now=request.now)

    try:
        await perform(request, Permission.KEEP_SURVIVORS, act)
    except (NotFound, NotPermitted):
        raise
    except Refusal as refusal:
        return await _page(request, handoff_id, refusal=refusal, typed=form)
    return request.go_to(f"/calls/{request.handle('handoff', handoff_id)}", Told.CALL_KEPT)


def _read(form: Form, time_zone: str, now: datetime) -> Call:
    try:
        local = datetime.fromisoformat(f"{form.get('day', '')}T{form.get('time', '')}").replace(tzinfo=None)
    except ValueError:
        raise InvalidInput(field="called_at", detail="Choose a time.") from None
    try:
        answer = CallAnswer(form.get("answer", ""))
    except ValueError:
        raise InvalidInput(field="answer", detail="Choose one.") from None
    said = form.get("reason", "") if answer is CallAnswer.DECLINED else ""
    try:
        reason = RejectReason(said) if said else None
    except ValueError:
        raise InvalidInput(field="reason", detail="Choose one.") from None
    # The minute that a clock shows has begun before: what was just now is not in the future.
    called_at = instant_of(local, time_zone, field="called_at")
    return Call(min(called_at, now) if called_at - now < _LATEST_AGO else called_at, answer, reason)


async def _page(
    request: PageRequest, handoff_id: UUID, *, refusal: Refusal | None = None, typed: Form | None = None
) -> Response:
    actor = request.member
    async with request.desk.resources.database.transaction(actor) as session:
        profile = await own_profile(session, actor)
        shown = await handoff(session, actor, handoff_id)
        made = (await calls(session, actor, [handoff_id])).get(handoff_id, [])
    local = request.now.astimezone(ZoneInfo(profile.time_zone))
    return request.page(
        "calls.html",
        422 if refusal else 200,
        profile=profile,
        handoff=shown,
        calls=made,
        here=f"/calls/{request.handle('handoff', handoff_id)}",
        wrong=wrong_fields(request, refusal),
        typed=typed or Form([("day", local.date().isoformat()), ("time", local.strftime("%H:%M"))]),
        answers=tuple(CallAnswer),
        reasons=tuple(RejectReason),
    )

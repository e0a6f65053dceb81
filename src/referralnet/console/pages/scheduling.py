"""Booking, moving or changing a visit: one form, for the service whose visit it is."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.appointments.local_time import LocalTimeDoesNotExist, LocalTimeOccursTwice
from referralnet.appointments.tables import CallBy, Mode, Travel
from referralnet.console.forms import Form
from referralnet.console.pages.referral import opened, referral_page, wrong_fields
from referralnet.console.performing import perform
from referralnet.console.places import referral_address
from referralnet.console.referral_view import ReferralView, look_at
from referralnet.console.serving import PageRequest
from referralnet.console.told import Told
from referralnet.console.visit_form import DURATIONS, ZONES, VisitForm, read_visit, typed_of
from referralnet.database.acting import Member
from referralnet.errors import NotFound, NotPermitted, Refusal
from referralnet.identity.access import Permission, require
from referralnet.identity.profiles import own_profile
from referralnet.messaging.wording import languages
from referralnet.referrals import visiting
from referralnet.referrals.lifecycle import Event

_FIELDS = {"local_start": "day", "utc_offset": "which", "call_by": "call_by", "interpreter": "interpreter"}
"""What the area calls a field, and what it is called on this page."""


async def show(request: PageRequest) -> Response:
    """The form, with the booked visit in it where there is one."""
    return await _page(request, opened(request))


async def keep(request: PageRequest) -> Response:
    """Book, move or change the visit."""
    referral_id, form = opened(request), await request.form()
    booked_before = False

    async def act(session: AsyncSession, actor: Member) -> UUID:
        nonlocal booked_before
        view = await look_at(session, actor, referral_id, now=request.now)
        booked_before = view.booked is not None
        return await _keep(session, actor, view, read_visit(form), request.now)

    try:
        await perform(request, Permission.ANSWER_REFERRALS, act)
    except (NotFound, NotPermitted):
        raise
    except Refusal as refusal:
        if refusal.field is None:
            return await referral_page(request, referral_id, refusal=refusal)
        return await _page(request, referral_id, refusal=refusal, typed=form)
    told = Told.VISIT_CHANGED if booked_before else Told.VISIT_BOOKED
    return request.go_to(referral_address(request, referral_id), told)


async def _keep(session: AsyncSession, actor: Member, view: ReferralView, visit: VisitForm, now: datetime) -> UUID:
    referral_id = view.referral.id
    if view.booked is not None:
        return await visiting.change_visit(session, actor, referral_id, visit.change_of(view.booked), now=now)
    book = visiting.schedule_visit if Event.SCHEDULE in view.can else visiting.reschedule_visit
    return await book(session, actor, referral_id, **visit.details, now=now)


async def _page(
    request: PageRequest, referral_id: UUID, *, refusal: Refusal | None = None, typed: Form | None = None
) -> Response:
    actor = request.member
    require(actor, Permission.ANSWER_REFERRALS)
    async with request.desk.resources.database.transaction(actor) as session:
        profile = await own_profile(session, actor)
        view = await look_at(session, actor, referral_id, now=request.now)
    if not view.can & {Event.SCHEDULE, Event.RESCHEDULE}:
        return request.go_to(referral_address(request, referral_id))
    first = typed_of(view.booked, time_zone=profile.time_zone, language=view.referral.need.language)
    wrong = {_FIELDS.get(field, field): said for field, said in wrong_fields(request, refusal).items()}
    twice = refusal if isinstance(refusal, LocalTimeDoesNotExist | LocalTimeOccursTwice) else None
    return request.page(
        "visit.html",
        422 if refusal else 200,
        profile=profile,
        view=view,
        here=referral_address(request, referral_id),
        wrong=wrong,
        typed=typed or first,
        candidates=twice.candidates if twice else (),
        modes=tuple(Mode),
        durations=DURATIONS,
        zones=tuple(dict.fromkeys((profile.time_zone, (typed or first).get("time_zone", ""), *ZONES))),
        callers=tuple(CallBy),
        ways=tuple(way for way in Travel if way is not Travel.SOURCE or not view.told_status_only),
        spoken=tuple(dict.fromkeys((view.referral.need.language, *languages(), *_SPOKEN))),
    )


_SPOKEN = ("es", "pl", "zh", "vi", "ar", "fr", "ht", "hi", "ko", "pt", "ru", "so", "tl", "uk", "ase")
"""Languages that interpreters are most often wanted for here; the need's own stands first."""

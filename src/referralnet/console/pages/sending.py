"""The last step of the way: what will be told to whom, in plain words; then it is sent."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.consent.categories import Category
from referralnet.consent.refusals import NoLiveRelease
from referralnet.console.adding import add_to_plan, plan_of, unasked
from referralnet.console.forms import Form
from referralnet.console.performing import perform
from referralnet.console.reading_forms import ticked
from referralnet.console.serving import PageRequest
from referralnet.console.told import Told
from referralnet.console.trail import Trail, read_trail
from referralnet.console.way import Stop, Way, look_ahead
from referralnet.database.acting import Member
from referralnet.errors import InvalidInput, Refusal
from referralnet.identity.access import Permission, require
from referralnet.identity.agencies import agency
from referralnet.identity.profiles import own_profile
from referralnet.referrals.choosing import NewChoice
from referralnet.referrals.planning import NewPlan, start_routing
from referralnet.referrals.routing_reading import routing_plan
from referralnet.referrals.sending import send_referral


async def show(request: PageRequest) -> Response:
    """What is about to happen."""
    return await _page(request, _trail(request))


async def send(request: PageRequest) -> Response:
    """Send it: to one service, or by a plan to several."""
    form = await request.form()
    trail = _trail(request, form)

    async def act(session: AsyncSession, _actor: Member) -> UUID:
        way = await _look(session, request, trail)
        if not way.stops:
            raise InvalidInput(field="to", detail="Name at least one.")
        return await _send(session, request, way, trail, form)

    try:
        made = await perform(request, Permission.SEND_REFERRALS, act)
    except Refusal as refusal:
        return await _page(request, trail, form, refusal)
    if trail.plan:
        return request.go_to(f"/plans/{trail.plan}", Told.CHOICE_ADDED)
    if len(trail.to) == 1:
        return request.go_to(f"/requests/{request.handle('referral', made)}", Told.SENT)
    async with request.transaction() as session:
        plan = await routing_plan(session, request.member, made)
    first = next(choice.referral_id for choice in plan.choices if choice.referral_id is not None)
    if trail.is_together:
        return request.go_to(f"/people/{request.handle('survivor', plan.survivor_id)}#sent", Told.ALL_ASKED)
    return request.go_to(f"/requests/{request.handle('referral', first)}", Told.SENT)


async def _send(session: AsyncSession, request: PageRequest, way: Way, trail: Trail, form: Form) -> UUID:
    actor, now = request.member, request.now
    if trail.plan:
        if form.each("categories") and not any(stop.is_covered for stop in way.stops):
            # She has taken it back since the page was made, which offered what she had released.
            raise NoLiveRelease
        return await add_to_plan(session, request, way, trail, lambda stop: _choice(stop, trail, form))
    if len(way.stops) == 1 and not trail.is_together:
        stop = way.stops[0]
        release_id, categories = _told(stop, form)
        return await send_referral(
            session,
            actor,
            survivor_id=way.need.survivor_id,
            need_id=way.need.id,
            service_at_location_id=stop.hit.service_at_location_id,
            release_id=release_id,
            categories=categories,
            part_of=request.open_handle("referral", trail.on) if trail.on else None,
            keyring=request.keyring,
            now=now,
        )
    plan = NewPlan(way.need.survivor_id, way.need.id, trail.how, [_choice(stop, trail, form) for stop in way.stops])
    return await start_routing(session, actor, plan, keyring=request.keyring, now=now)


def _choice(stop: Stop, trail: Trail, form: Form) -> NewChoice:
    if trail.is_together or not stop.is_covered:
        return NewChoice(stop.hit.service_at_location_id)
    return NewChoice(stop.hit.service_at_location_id, *_told(stop, form))


def _told(stop: Stop, form: Form) -> tuple[UUID, frozenset[Category]]:
    """The release, and what of it is told: what was left ticked.

    Raises:
        NoLiveRelease: there is none in force for this agency. InvalidInput: nothing is ticked.
    """
    if stop.release is None or not stop.is_covered:
        raise NoLiveRelease(field="to")
    told = ticked(form, "categories", Category) & stop.release.categories
    if not told:
        raise InvalidInput(field="categories", detail="Name at least one.")
    return stop.release.id, told


def _trail(request: PageRequest, form: Form | None = None) -> Trail:
    return replace(read_trail(request, form), need=request.handle("need", request.opened("need")))


async def _look(session: AsyncSession, request: PageRequest, trail: Trail) -> Way:
    return await look_ahead(
        session, request.member, request.opened("need"), trail, keyring=request.keyring, now=request.now
    )


async def _page(
    request: PageRequest, trail: Trail, typed: Form | None = None, refusal: Refusal | None = None
) -> Response:
    actor = request.member
    require(actor, Permission.SEND_REFERRALS)
    async with request.transaction() as session:
        profile = await own_profile(session, actor)
        way = await _look(session, request, trail)
        own = await agency(session, actor.agency_id)
        on_plan = unasked(await plan_of(session, request, trail, way.need.id)) if trail.plan else {}
    if not way.stops or not (trail.is_together or trail.plan or way.stops[0].is_covered):
        return request.go_to(f"/needs/{trail.need}/{'consent' if way.stops else 'services'}?{trail.query}")
    may_be_told = {category for stop in way.stops if stop.is_covered for category in stop.covers}
    return request.page(
        "path/send.html",
        422 if refusal else 200,
        profile=profile,
        way=way,
        trail=trail,
        own_kind=own.kind,
        here=f"/needs/{trail.need}",
        person=f"/people/{request.handle('survivor', way.need.survivor_id)}",
        may_be_told=[category for category in Category if category in may_be_told],
        until=min((stop.release.expires_at for stop in way.stops if stop.is_covered and stop.release), default=None),
        ticked=frozenset(Category) if typed is None else ticked(typed, "categories", Category),
        on_plan=on_plan.keys(),
        wrong=_wrong(request, refusal),
    )


def _wrong(request: PageRequest, refusal: Refusal | None) -> dict[str, str]:
    """The one field there is, and what is wrong with the whole."""
    if refusal is None:
        return {}
    return {field if field == "categories" else "": said for field, said in request.errors(refusal).items()}

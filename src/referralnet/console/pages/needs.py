"""What somebody asks for: chosen from what is there, recorded, closed. Bounded fields, and no word of who she is."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.console.forms import Form
from referralnet.console.performing import perform
from referralnet.console.reading_forms import chosen, number, ticked
from referralnet.console.serving import PageRequest
from referralnet.console.told import Told
from referralnet.console.trail import Trail, read_trail
from referralnet.console.words import Words
from referralnet.database.acting import Member
from referralnet.directory.taxonomy import kinds_of_service
from referralnet.errors import Refusal
from referralnet.identity.access import Permission
from referralnet.identity.profiles import own_profile
from referralnet.referrals.reading import referral
from referralnet.survivors import needs
from referralnet.survivors.blocks import require_survivor
from referralnet.survivors.case_labels import open_labels
from referralnet.survivors.needs import HOUSEHOLD_SIZE_MAX, Accessibility, AgeBand, NeedEnd, NewNeed, Urgency
from referralnet.survivors.vocabulary import living_languages

USUAL_LANGUAGES = ("en", "es", "zh", "tl", "vi", "ar", "fr", "ht", "ko", "ru", "pt", "hi", "th", "pl", "uk")
"""Offered first."""
_LETTERS_OF_STATE = 2


async def show(request: PageRequest) -> Response:
    """The needs that are open, to go on with, and the form for another."""
    return await _page(request, None, read_trail(request))


async def record(request: PageRequest) -> Response:
    """Record what she asks for, and go on to who could help."""
    form, survivor_id = await request.form(), request.opened("survivor")
    trail = read_trail(request, form)

    async def act(session: AsyncSession, actor: Member) -> UUID:
        return await needs.record_need(session, actor, survivor_id, _read(form), now=request.now)

    try:
        need_id = await perform(request, Permission.KEEP_SURVIVORS, act)
    except Refusal as refusal:
        return await _page(request, form, trail, refusal)
    return request.go_to(f"/needs/{request.handle('need', need_id)}/services?{trail.query}")


async def close(request: PageRequest) -> Response:
    """Close a need for a coded reason."""
    form, need_id = await request.form(), request.opened("need")

    async def act(session: AsyncSession, actor: Member) -> UUID:
        found = await needs.need(session, actor, need_id)
        await needs.close_need(session, actor, need_id, chosen(form, "reason", NeedEnd), now=request.now)
        return found.survivor_id

    survivor_id = await perform(request, Permission.KEEP_SURVIVORS, act)
    return request.go_to(f"/people/{request.handle('survivor', survivor_id)}#needs", Told.NEED_CLOSED)


def _read(form: Form) -> NewNeed:
    return NewNeed(
        service_type=form.get("service_type", ""),
        urgency=chosen(form, "urgency", Urgency),
        region=_region(form.get("region", "").strip().upper()),
        language=form.get("language", ""),
        household_size=number(form, "household_size"),
        age_band=chosen(form, "age_band", AgeBand),
        accessibility=ticked(form, "accessibility", Accessibility),
        immigration_sensitive="immigration_sensitive" in form,
    )


def _region(typed: str) -> str:
    """A state as the United States write it, or of a ZIP code the three digits that a need may tell."""
    if len(typed) == _LETTERS_OF_STATE and typed.isalpha():
        return f"US-{typed}"
    return typed[:3] if typed[:5].isdigit() else typed


async def _known(session: AsyncSession, request: PageRequest, trail: Trail) -> Form:
    """What the sender told of her that holds for whatever she asks for, so that she need not say it again."""
    if not trail.on:
        return Form()
    told = (await referral(session, request.member, request.open_handle("referral", trail.on))).need
    fields = [(name, str(getattr(told, name))) for name in ("language", "household_size", "age_band")]
    fields += [("accessibility", one) for one in told.accessibility]
    fields += [("region", told.region.removeprefix("US-"))]
    return Form(fields + ([("immigration_sensitive", "yes")] if told.immigration_sensitive else []))


async def _page(request: PageRequest, typed: Form | None, trail: Trail, refusal: Refusal | None = None) -> Response:
    actor, survivor_id = request.member, request.opened("survivor")
    async with request.transaction() as session:
        if typed is None:
            typed = await _known(session, request, trail)
        profile = await own_profile(session, actor)
        listed = await needs.list_needs(session, actor, survivor_id)
        await require_survivor(session, survivor_id)
        labels = await open_labels(session, request.keyring, [survivor_id])
    return request.page(
        "path/need.html",
        422 if refusal else 200,
        profile=profile,
        here=f"/people/{request.handle('survivor', survivor_id)}",
        label=labels.get(survivor_id),
        listed=[need for need in listed if need.closed_at is None],
        typed=typed,
        trail=trail,
        wrong=request.errors(refusal) if refusal else {},
        kinds=kinds_of_service(),
        urgencies=tuple(Urgency),
        age_bands=tuple(AgeBand),
        wishes=tuple(Accessibility),
        usual=USUAL_LANGUAGES,
        others=sorted(living_languages() - set(USUAL_LANGUAGES), key=Words(request.language).language_name),
        household_size_max=HOUSEHOLD_SIZE_MAX,
    )

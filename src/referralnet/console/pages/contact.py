"""How somebody may be reached: her plan, opened by a second factor, kept anew, and every one before it."""

from __future__ import annotations

from uuid import UUID

from babel import Locale
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.console.contact_form import empty, filled, read_plan, read_windows, rows_of, warnings
from referralnet.console.forms import Form
from referralnet.console.performing import perform
from referralnet.console.serving import PageRequest
from referralnet.console.told import Told
from referralnet.database.acting import Member
from referralnet.errors import InvalidInput, Refusal
from referralnet.identity.access import Permission
from referralnet.identity.profiles import own_profile
from referralnet.messaging.wording import label_words
from referralnet.survivors.contact_plan_history import PlanHistory, read_contact_plans
from referralnet.survivors.contact_plans import OptInMethod, keep_contact_plan
from referralnet.survivors.vocabulary import offered_time_zones, sender_labels, text_languages, time_zones

ZONES = (
    "America/New_York", "America/Chicago", "America/Denver", "America/Phoenix", "America/Los_Angeles",
    "America/Anchorage", "Pacific/Honolulu", "America/Puerto_Rico",
)  # fmt: skip
"""Offered first: those of the United States."""


async def show(request: PageRequest) -> Response:
    """The plan that is kept, to read and to change."""
    return await _page(request)


async def keep(request: PageRequest) -> Response:
    """Keep a plan in place of the one before."""
    form, survivor_id = await request.form(), request.opened("survivor")

    async def act(session: AsyncSession, actor: Member) -> UUID:
        plan = read_plan(form)
        return await keep_contact_plan(session, actor, survivor_id, plan, keyring=request.keyring, now=request.now)

    try:
        await perform(request, Permission.KEEP_SURVIVORS, act)
    except Refusal as refusal:
        return await _page(request, form, refusal)
    return request.go_to(f"/people/{request.handle('survivor', survivor_id)}#reach", Told.PLAN_KEPT)


async def _page(request: PageRequest, typed: Form | None = None, refusal: Refusal | None = None) -> Response:
    actor, survivor_id = request.member, request.opened("survivor")
    async with request.transaction() as session:
        profile = await own_profile(session, actor)
        history = await read_contact_plans(session, actor, survivor_id, keyring=request.keyring, now=request.now)
    if typed is None:
        kept = history.versions
        typed = filled(kept[0]) if kept else empty(profile.time_zone, request.language, request.now)
    return request.page(
        "people/contact.html",
        422 if refusal else 200,
        profile=profile,
        here=f"/people/{request.handle('survivor', survivor_id)}",
        history=history,
        typed=typed,
        rows=rows_of(typed),
        warnings=_warnings(typed),
        wrong=request.errors(refusal) if refusal else {},
        **_choices(history, typed),
    )


def _choices(history: PlanHistory, typed: Form) -> dict[str, object]:
    kept = {typed["time_zone"]} & time_zones() if "time_zone" in typed else set()
    zones = [*ZONES, *sorted((offered_time_zones() | kept) - set(ZONES))]
    language = typed.get("language", "en")
    language = language if language in text_languages() else "en"
    return {
        "languages_of_texts": sorted(text_languages(), key=lambda code: Locale("en").languages[code]),
        "zones": zones,
        "labels": {label: label_words(label, language) for label in sorted(sender_labels())},
        "methods": tuple(OptInMethod),
        "paused": history.paused_reason,
    }


def _warnings(typed: Form) -> list[str]:
    try:
        return warnings(read_windows(typed))
    except InvalidInput:
        return []

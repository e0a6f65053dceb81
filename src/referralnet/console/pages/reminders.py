"""When the agency's survivors are reminded of a visit: shown on an invented visit before it is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.console.forms import Form
from referralnet.console.performing import perform
from referralnet.console.sections import section_page
from referralnet.console.serving import PageRequest
from referralnet.console.told import Told
from referralnet.database.acting import Member
from referralnet.errors import InvalidInput, Refusal
from referralnet.identity.access import Permission, require
from referralnet.identity.profiles import own_profile
from referralnet.messaging.policy import REMINDERS_HOURS_BEFORE
from referralnet.messaging.previewing import preview_reminders
from referralnet.messaging.text_policy import REASONABLE, REMINDERS_MAX, keep_text_policy, read_text_policy, reasonable

FIELD = "reminder_hours_before"
PHRASES = (REASONABLE,)
_HERE = "/administer/reminders"
_VISIT_DAYS_AHEAD, _VISIT_AT = 8, time(10, 30)
_NETWORKS = "network"


async def show(request: PageRequest) -> Response:
    """What holds, and the form to change it."""
    return await _page(request)


async def keep(request: PageRequest) -> Response:
    """Show what other reminders would do; where that was seen, let them hold."""
    form = await request.form()
    require(request.member, Permission.KEEP_TEXT_POLICY)
    try:
        wanted = _read(form)
        if form.get("act") != "keep":
            return await _page(request, form, wanted=REMINDERS_HOURS_BEFORE if wanted is None else wanted)

        async def act(session: AsyncSession, actor: Member) -> UUID:
            await keep_text_policy(session, actor, wanted, now=request.now)
            return actor.agency_id

        await perform(request, Permission.KEEP_TEXT_POLICY, act)
    except Refusal as refusal:
        return await _page(request, form, request.errors(refusal))
    return request.go_to(_HERE, Told.REMINDERS_KEPT)


async def _page(
    request: PageRequest, typed: Form | None = None, wrong: Mapping[str, str] | None = None,
    *, wanted: Sequence[int] | None = None,
) -> Response:  # fmt: skip
    require(request.member, Permission.KEEP_TEXT_POLICY)
    async with request.desk.resources.database.transaction(request.member) as session:
        profile = await own_profile(session, request.member)
        holds = await read_text_policy(session)
    now, zone = request.now, profile.time_zone
    visit = _invented_visit(now, zone)
    hours = [str(each) for each in holds.reminder_hours] if typed is None else typed.each(FIELD)
    return section_page(
        request, "reminders.html", 422 if wrong else 200, profile=profile, holds=holds, wrong=wrong or {}, visit=visit,
        defaults=REMINDERS_HOURS_BEFORE, hours=[*hours, *[""] * (REMINDERS_MAX - len(hours))][:REMINDERS_MAX],
        whose=("own" if holds.is_own else _NETWORKS) if typed is None else typed.get("whose", "own"),
        goes=preview_reminders(holds.reminder_hours, visit, zone, now=now),
        would_go=None if wanted is None else preview_reminders(wanted, visit, zone, now=now),
    )  # fmt: skip


def _read(form: Form) -> list[int] | None:
    """The hours that were typed; None for the network's default. Raises InvalidInput, naming the field."""
    if form.get("whose") == _NETWORKS:
        return None
    typed = [words for given in form.each(FIELD) if (words := given.strip())]
    if not all(words.isascii() and words.isdigit() and len(words) < 4 for words in typed):
        raise InvalidInput(field=FIELD, detail=REASONABLE)
    return reasonable([int(words) for words in typed])


def _invented_visit(now: datetime, time_zone: str) -> datetime:
    """A morning a week ahead, on the agency's clock."""
    zone = ZoneInfo(time_zone)
    day = now.astimezone(zone).date() + timedelta(days=_VISIT_DAYS_AHEAD)
    return datetime.combine(day, _VISIT_AT, zone)

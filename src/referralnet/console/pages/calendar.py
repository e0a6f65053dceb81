"""Visits as a week and as a list, by the clocks of each visit's own place; and as a file for one's calendar."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from starlette.responses import Response

from referralnet.appointments.calendar_file import MEDIA_TYPE
from referralnet.appointments.calendars import VISITS_MAX, calendar_of_agency
from referralnet.appointments.reading import AppointmentRow, appointments_between
from referralnet.console.serving import PageRequest
from referralnet.identity.access import Permission, is_permitted, require
from referralnet.identity.profiles import own_profile
from referralnet.referrals.reading import ReferralRow
from referralnet.referrals.waiting import referrals_by_id

WEEK = timedelta(days=7)
VIEWS = {"week": WEEK, "list": 4 * WEEK}
"""How many days each way to look at them holds."""


@dataclass(frozen=True, slots=True)
class Day:
    """A day and the visits on it, each with the referral it belongs to and whether the agency is the one visited."""

    day: date
    visits: list[tuple[AppointmentRow, ReferralRow | None, bool]]


async def show(request: PageRequest) -> Response:
    """The week of a day, or four weeks from it as a list."""
    actor = request.member
    require(actor, Permission.READ_REFERRALS)
    view = "list" if request.http.query_params.get("view") == "list" else "week"
    async with request.desk.resources.database.transaction(actor) as session:
        profile = await own_profile(session, actor)
        today = request.now.astimezone(ZoneInfo(profile.time_zone)).date()
        first = _monday(_asked(request, today))
        last = first + VIEWS[view] - timedelta(days=1)
        visits = await appointments_between(session, actor, first, last, most=VISITS_MAX)
        referrals = await referrals_by_id(session, actor, {visit.referral_id for visit in visits})
    days = _days(first, last, visits, referrals, actor.agency_id)
    return request.page(
        "calendar.html",
        profile=profile,
        days=days if view == "week" else [day for day in days if day.visits],
        view=view,
        first=first,
        last=last,
        today=today,
        before=first - VIEWS[view],
        after=first + VIEWS[view],
        answers=is_permitted(actor, Permission.ANSWER_REFERRALS),
        is_cut=len(visits) == VISITS_MAX,
    )


async def take_file(request: PageRequest) -> Response:
    """The visits shown, as an iCalendar file: when, and nothing else. By a form, so that no address opens it."""
    form, actor = await request.form(), request.member
    first, last = _day(form.get("from", "")), _day(form.get("to", ""))
    today = request.now.date()
    async with request.desk.resources.database.transaction(actor) as session:
        content = await calendar_of_agency(session, actor, first or today, last or today, now=request.now)
    named = {"content-disposition": 'attachment; filename="appointments.ics"', "cache-control": "no-store"}
    return Response(content, headers=named, media_type=MEDIA_TYPE)


def _days(
    first: date, last: date, visits: list[AppointmentRow], referrals: dict[UUID, ReferralRow], own: UUID
) -> list[Day]:
    found = {first + timedelta(days=n): Day(first + timedelta(days=n), []) for n in range((last - first).days + 1)}
    for visit in visits:
        referral = referrals.get(visit.referral_id)
        visited = referral is not None and referral.target_agency_id == own
        found[_local(visit).date()].visits.append((visit, referral, visited))
    return list(found.values())


def _local(visit: AppointmentRow) -> datetime:
    return visit.starts_at.astimezone(ZoneInfo(visit.time_zone))


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _asked(request: PageRequest, today: date) -> date:
    """The day that the address names, within the years that people plan in; else today."""
    asked = _day(request.http.query_params.get("from", ""))
    return asked if asked and abs((asked - today).days) < 3660 else today


def _day(given: str) -> date | None:
    try:
        return date.fromisoformat(given)
    except ValueError:
        return None

"""What the network has agreed on: deadlines, which its office changes here; ladders, freshness and caps.

What a change would do is shown before it is kept: until when a referral that is sent now would be answered, and who is
told when nobody does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.console.forms import Form
from referralnet.console.performing import perform
from referralnet.console.sections import section_page
from referralnet.console.serving import PageRequest
from referralnet.console.told import Told
from referralnet.console.words import Words
from referralnet.database.acting import Member
from referralnet.directory.freshness import FRESH_FOR
from referralnet.errors import InvalidInput, NotPermitted, Refusal
from referralnet.identity.access import Permission, is_permitted, require
from referralnet.identity.hourly_caps import PER_HOUR_MAX
from referralnet.identity.profiles import own_profile
from referralnet.referrals.answer_policy import (
    BOUNDS,
    DETAILS,
    AnswerPolicy,
    keep_answer_policy,
    read_answer_policy,
    require_reasonable,
)
from referralnet.referrals.policy import (
    BUSINESS_DAY_ENDS_AT,
    LADDER,
    BusinessDays,
    Hours,
    LadderStep,
    answer_due_at,
)
from referralnet.survivors.needs import Urgency

STEPS = {
    LadderStep.REMIND_INTAKE: "those who answer are reminded",
    LadderStep.ALERT_ADMIN: "the administrators there are told",
    LadderStep.ALERT_SOURCE: "whoever asked is told",
    LadderStep.EXPIRE: "it ends, and the next service is asked",
}
HOURS, DAYS = "%(count)s hours, day and night", "%(count)s business days"
PHRASES = (*STEPS.values(), HOURS, DAYS, *DETAILS)
_HERE = "/administer/deadlines"


@dataclass(frozen=True, slots=True)
class Step:
    """A rung of the ladder: after which part of the time, and what happens then."""

    percent: float
    said: str


@dataclass(frozen=True, slots=True)
class Change:
    """What a change would do to a referral of one urgency that is sent now."""

    urgency: Urgency
    was: str
    will_be: str
    happens: list[tuple[datetime, str]]

    @property
    def is_one(self) -> bool:
        return self.was != self.will_be


async def show(request: PageRequest) -> Response:
    """The policies in force; for whoever may change them, how."""
    return await _page(request)


async def keep(request: PageRequest) -> Response:
    """Show what other deadlines would do; where that was seen, let them hold from now on."""
    form = await request.form()
    require(request.member, Permission.KEEP_DEADLINES)
    try:
        wanted = _read(form)
        require_reasonable(wanted)
        if form.get("act") != "keep":
            return await _page(request, form, wanted=wanted)

        async def act(session: AsyncSession, actor: Member) -> UUID:
            await keep_answer_policy(session, actor, wanted, now=request.now)
            return actor.agency_id

        await perform(request, Permission.KEEP_DEADLINES, act)
    except Refusal as refusal:
        return await _page(request, form, request.errors(refusal))
    return request.go_to(_HERE, Told.DEADLINES_KEPT)


async def _page(
    request: PageRequest, typed: Form | None = None, wrong: Mapping[str, str] | None = None,
    *, wanted: AnswerPolicy | None = None,
) -> Response:  # fmt: skip
    require_administering(request)
    words = Words(request.language)
    async with request.desk.resources.database.transaction(request.member) as session:
        profile = await own_profile(session, request.member)
        holds = await read_answer_policy(session)
    figures = {field: str(figure) for field, figure in zip(BOUNDS, astuple(holds), strict=True)}
    return section_page(
        request, "deadlines.html", 422 if wrong else 200, profile=profile,
        answers={urgency: _span(words, span) for urgency, span in holds.within.items()},
        may_change=is_permitted(request.member, Permission.KEEP_DEADLINES), wrong=wrong or {},
        typed=figures if typed is None else typed, bounds=BOUNDS,
        changes=None if wanted is None else _changes(words, holds, wanted, profile.time_zone, request.now),
        day_ends=words.time_of_day(BUSINESS_DAY_ENDS_AT),
        ladder=[Step(rung.share * 100, STEPS[step]) for step, rung in LADDER.items()],
        fresh={unit: words.span(span) for unit, span in FRESH_FOR.items()}, caps=PER_HOUR_MAX,
    )  # fmt: skip


def _read(form: Form) -> AnswerPolicy:
    """The figures that were typed. Raises InvalidInput, naming the field."""
    figures = []
    for field, detail in zip(BOUNDS, DETAILS[:3], strict=True):
        typed = form.get(field, "").strip()
        if not (typed.isascii() and typed.isdigit() and len(typed) < 4):
            raise InvalidInput(field=field, detail=detail)
        figures.append(int(typed))
    return AnswerPolicy(*figures)


def _changes(words: Words, holds: AnswerPolicy, wanted: AnswerPolicy, time_zone: str, now: datetime) -> list[Change]:
    """What becomes of a referral of each urgency that is sent now, to an agency in this zone."""
    found = []
    for urgency in Urgency:
        was, will_be = holds.within[urgency], wanted.within[urgency]
        due_at = answer_due_at(urgency, now, time_zone, wanted.within)
        happens = [(now + (due_at - now) * rung.share, STEPS[step]) for step, rung in LADDER.items()]
        found.append(Change(urgency, _span(words, was), _span(words, will_be), happens))
    return found


def _span(words: Words, span: Hours | BusinessDays) -> str:
    return words.said(HOURS if isinstance(span, Hours) else DAYS) % {"count": span.count}


def require_administering(request: PageRequest) -> None:
    """Raise NotPermitted for anybody but admins, of an agency or of the network."""
    if not any(is_permitted(request.member, one) for one in (Permission.KEEP_MEMBERS, Permission.KEEP_AGENCIES)):
        raise NotPermitted

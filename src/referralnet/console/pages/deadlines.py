"""What the network has agreed on, read from the tables that hold it: deadlines, ladders, freshness, caps."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from referralnet.console.sections import section_page
from referralnet.console.serving import PageRequest
from referralnet.console.words import Words
from referralnet.directory.freshness import FRESH_FOR
from referralnet.errors import NotPermitted
from referralnet.identity.access import Permission, is_permitted
from referralnet.identity.hourly_caps import PER_HOUR_MAX
from referralnet.identity.profiles import own_profile
from referralnet.referrals.policy import ANSWER_WITHIN, BUSINESS_DAY_ENDS_AT, LADDER, Hours, LadderStep

STEPS = {
    LadderStep.REMIND_INTAKE: "those who answer are reminded",
    LadderStep.ALERT_ADMIN: "the administrators there are told",
    LadderStep.ALERT_SOURCE: "whoever asked is told",
    LadderStep.EXPIRE: "it ends, and the next service is asked",
}
HOURS, DAYS = "%(count)s hours, day and night", "%(count)s business days"
PHRASES = (*STEPS.values(), HOURS, DAYS)


@dataclass(frozen=True, slots=True)
class Step:
    """A rung of the ladder: after which part of the time, and what happens then."""

    percent: float
    said: str


async def show(request: PageRequest) -> Response:
    """The policies in force."""
    require_administering(request)
    words = Words(request.language)
    async with request.desk.resources.database.transaction(request.member) as session:
        profile = await own_profile(session, request.member)
    answers = {
        urgency: words.said(HOURS if isinstance(span, Hours) else DAYS) % {"count": span.count}
        for urgency, span in ANSWER_WITHIN.items()
    }
    day_ends = words.time_of_day(BUSINESS_DAY_ENDS_AT)
    return section_page(
        request, "deadlines.html", profile=profile, answers=answers, day_ends=day_ends,
        ladder=[Step(rung.share * 100, STEPS[step]) for step, rung in LADDER.items()],
        fresh={unit: words.span(span) for unit, span in FRESH_FOR.items()}, caps=PER_HOUR_MAX,
    )  # fmt: skip


def require_administering(request: PageRequest) -> None:
    """Raise NotPermitted for anybody but admins, of an agency or of the network."""
    if not any(is_permitted(request.member, one) for one in (Permission.KEEP_MEMBERS, Permission.KEEP_AGENCIES)):
        raise NotPermitted

"""The network's policy for referrals, as data: how long an answer may take, and what happens while there is none, and
whose task each open referral is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import TypeAlias
from zoneinfo import ZoneInfo

from referralnet.referrals.business_days import business_day_after
from referralnet.referrals.lifecycle import Event, Party, Status
from referralnet.survivors.needs import Urgency


@dataclass(frozen=True, slots=True)
class Hours:
    """A deadline counted in hours that pass, day and night."""

    count: int


@dataclass(frozen=True, slots=True)
class BusinessDays:
    """A deadline at the end of the n-th business day after the day of sending, where the target is."""

    count: int


AnswerWithin: TypeAlias = Mapping[Urgency, Hours | BusinessDays]
# Where the network has said nothing else (answer_policy.py).
ANSWER_WITHIN: AnswerWithin = {
    Urgency.URGENT: Hours(4),
    Urgency.PRIORITY: Hours(24),
    Urgency.ROUTINE: BusinessDays(3),
}
BUSINESS_DAY_ENDS_AT = time(17)


class LadderStep(StrEnum):
    """What happens while nobody answers, in this order."""

    REMIND_INTAKE = "remind_intake"
    ALERT_ADMIN = "alert_admin"
    ALERT_SOURCE = "alert_source"
    EXPIRE = "expire"


@dataclass(frozen=True, slots=True)
class Rung:
    """When a step is due, as a share of the time to answer, and the task that it puts on a party's list."""

    share: float
    tells: tuple[Party, str] | None


# The database writes these instants when a referral is sent, by its own copy (`answer_ladder`); a test compares them.
LADDER: Mapping[LadderStep, Rung] = {
    LadderStep.REMIND_INTAKE: Rung(0.25, (Party.TARGET, "answer_reminder")),
    LadderStep.ALERT_ADMIN: Rung(0.5, (Party.TARGET, "answer_late_for_admin")),
    LadderStep.ALERT_SOURCE: Rung(0.875, (Party.SOURCE, "answer_nearly_due")),
    LadderStep.EXPIRE: Rung(1.0, None),
}

# R6: every open state is somebody's task; the database closes it when the state is left.
WAITS_FOR: Mapping[Status, tuple[Party, str]] = {
    Status.DRAFT: (Party.SOURCE, "send_referral"),
    Status.REQUESTED: (Party.TARGET, "answer_referral"),
    Status.ON_HOLD: (Party.TARGET, "decide_waitlisted_referral"),
    Status.ACCEPTED: (Party.TARGET, "arrange_service"),
    Status.IN_PROGRESS: (Party.TARGET, "complete_referral"),
    Status.CANCELLATION_REQUESTED: (Party.TARGET, "confirm_cancellation"),
}
# Opened for whoever waits longest when a unit of the service is free again; leaving the state closes it as well.
OFFER_FREE_UNIT = "offer_free_unit"
# What the other party has to know or do when it was not its own event.
TELLS: Mapping[Event, tuple[Party, str]] = {
    Event.REJECT: (Party.SOURCE, "choose_next_service"),
    Event.EXPIRE: (Party.SOURCE, "choose_next_service"),
    Event.NO_SHOW: (Party.SOURCE, "follow_up_missed_visit"),
    Event.WITHDRAW: (Party.TARGET, "referral_is_over"),
    Event.FILLED: (Party.TARGET, "referral_is_over"),
    Event.CONSENT_WITHDRAWN: (Party.TARGET, "referral_is_over"),
    Event.MARK_ENTERED_IN_ERROR: (Party.TARGET, "referral_is_over"),
}


def answer_due_at(
    urgency: Urgency, requested_at: datetime, time_zone: str, within: AnswerWithin = ANSWER_WITHIN
) -> datetime:
    """The instant (UTC) by which the target answers, frozen on the referral when it is sent.

    Args:
        urgency: of the need.
        requested_at: aware.
        time_zone: IANA name of the target agency's zone.
        within: what holds in the network when it is sent.
    """
    allowed = within[urgency]
    if isinstance(allowed, Hours):
        # In UTC: in a local zone Python would count hours on the wall, and miss one when clocks change.
        return requested_at.astimezone(UTC) + timedelta(hours=allowed.count)
    zone = ZoneInfo(time_zone)
    day = business_day_after(requested_at.astimezone(zone).date(), allowed.count, time_zone)
    return datetime.combine(day, BUSINESS_DAY_ENDS_AT, zone).astimezone(UTC)

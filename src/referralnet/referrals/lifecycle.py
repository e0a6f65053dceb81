"""The life of a referral: states, events, and the one table of what may happen and by whom. Pure: no session, no clock.

`Status` uses the codes of FHIR Task; `BusinessStatus` those of HL7 BSeR (TaskBusinessStatusCS), which 360X shares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from referralnet.errors import Refusal


class Status(StrEnum):
    """Where a referral stands (FHIR Task.status)."""

    DRAFT = "draft"
    REQUESTED = "requested"
    ON_HOLD = "on_hold"
    ACCEPTED = "accepted"
    IN_PROGRESS = "in_progress"
    CANCELLATION_REQUESTED = "cancellation_requested"
    COMPLETED = "completed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    ENTERED_IN_ERROR = "entered_in_error"


class BusinessStatus(StrEnum):
    """What the two parties call it (FHIR Task.businessStatus)."""

    CREATED = "2.0"
    ACCEPTED = "3.0"
    DECLINED = "4.0"
    VISIT_SCHEDULED = "5.1.1"
    VISIT_MISSED = "5.1.2"
    VISIT_CANCELLED = "5.1.3"
    VISIT_ATTENDED = "5.1.4"
    CANCELLATION_REQUESTED = "5.2"
    CANCELLED = "6.0"
    COMPLETED = "7.0"


class Event(StrEnum):
    """What happens to a referral."""

    SEND = "send"
    ACCEPT = "accept"
    WAITLIST = "waitlist"
    REJECT = "reject"
    SCHEDULE = "schedule"
    RESCHEDULE = "reschedule"
    ATTENDED = "attended"
    NO_SHOW = "no_show"
    APPOINTMENT_CANCELLED = "appointment_cancelled"
    COMPLETE = "complete"
    WITHDRAW = "withdraw"
    REQUEST_CANCELLATION = "request_cancellation"
    CONFIRM_CANCELLATION = "confirm_cancellation"
    EXPIRE = "expire"
    FILLED = "filled"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    MARK_ENTERED_IN_ERROR = "mark_entered_in_error"


class Party(StrEnum):
    """Whose an event is. SURVIVOR: her own word, taken down by a member of the agency that keeps her record."""

    SOURCE = "source"
    TARGET = "target"
    SURVIVOR = "survivor"
    CLOCK = "clock"
    SYSTEM = "system"


class RejectReason(StrEnum):
    """Why a target says no. A criminal record or an arrest is not among them, and must never be (R8)."""

    NO_CAPACITY = "no_capacity"
    NOT_ELIGIBLE = "not_eligible"
    OUTSIDE_SERVICE_AREA = "outside_service_area"
    COULD_NOT_CONTACT = "could_not_contact"
    CONFLICT_OF_INTEREST = "conflict_of_interest"
    NEEDS_ADDITIONAL_ASSESSMENT = "needs_additional_assessment"
    DUPLICATE = "duplicate"
    SURVIVOR_DECLINED = "survivor_declined"


class CloseReason(StrEnum):
    """Why a referral was cancelled, where the event itself says so."""

    FILLED_ELSEWHERE = "filled_elsewhere"
    CONSENT_WITHDRAWN = "consent_withdrawn"


class Outcome(StrEnum):
    """What came of a completed referral."""

    SERVICES_RECEIVED = "services_received"
    PARTLY_RECEIVED = "partly_received"
    NOT_RECEIVED = "not_received"
    REFERRED_ELSEWHERE = "referred_elsewhere"
    NO_LONGER_INTERESTED = "no_longer_interested"


class Row(NamedTuple):
    """One row of the table: any of these states, an event, whose it is, where it leads, what it is called."""

    from_statuses: tuple[Status, ...]
    event: Event
    party: Party
    to_status: Status
    business_status: BusinessStatus
    reason: CloseReason | None = None


S, E, P, B = Status, Event, Party, BusinessStatus
UNANSWERED = (S.REQUESTED, S.ON_HOLD)
TAKEN = (S.ACCEPTED, S.IN_PROGRESS)
OPEN = (S.DRAFT, *UNANSWERED, *TAKEN, S.CANCELLATION_REQUESTED)
ENDS = frozenset(Status) - frozenset(OPEN)

TABLE: tuple[Row, ...] = (
    Row((S.DRAFT,), E.SEND, P.SOURCE, S.REQUESTED, B.CREATED),
    Row(UNANSWERED, E.ACCEPT, P.TARGET, S.ACCEPTED, B.ACCEPTED),
    Row((S.REQUESTED,), E.WAITLIST, P.TARGET, S.ON_HOLD, B.CREATED),
    Row((*UNANSWERED, *TAKEN), E.REJECT, P.TARGET, S.REJECTED, B.DECLINED),
    Row((S.ACCEPTED,), E.SCHEDULE, P.TARGET, S.IN_PROGRESS, B.VISIT_SCHEDULED),
    Row((S.IN_PROGRESS,), E.RESCHEDULE, P.TARGET, S.IN_PROGRESS, B.VISIT_SCHEDULED),
    Row((S.IN_PROGRESS,), E.ATTENDED, P.TARGET, S.IN_PROGRESS, B.VISIT_ATTENDED),
    Row((S.IN_PROGRESS,), E.NO_SHOW, P.TARGET, S.IN_PROGRESS, B.VISIT_MISSED),
    Row((S.IN_PROGRESS,), E.APPOINTMENT_CANCELLED, P.TARGET, S.IN_PROGRESS, B.VISIT_CANCELLED),
    Row((*TAKEN, S.CANCELLATION_REQUESTED), E.COMPLETE, P.TARGET, S.COMPLETED, B.COMPLETED),
    Row((S.DRAFT, *UNANSWERED), E.WITHDRAW, P.SOURCE, S.CANCELLED, B.CANCELLED),
    Row(TAKEN, E.REQUEST_CANCELLATION, P.SOURCE, S.CANCELLATION_REQUESTED, B.CANCELLATION_REQUESTED),
    Row((S.CANCELLATION_REQUESTED,), E.CONFIRM_CANCELLATION, P.TARGET, S.CANCELLED, B.CANCELLED),
    Row((S.REQUESTED,), E.EXPIRE, P.CLOCK, S.EXPIRED, B.CANCELLED),
    Row(UNANSWERED, E.FILLED, P.SYSTEM, S.CANCELLED, B.CANCELLED, CloseReason.FILLED_ELSEWHERE),
    Row(OPEN, E.CONSENT_WITHDRAWN, P.SURVIVOR, S.CANCELLED, B.CANCELLED, CloseReason.CONSENT_WITHDRAWN),
    Row((S.DRAFT, S.REQUESTED), E.MARK_ENTERED_IN_ERROR, P.SOURCE, S.ENTERED_IN_ERROR, B.CANCELLED),
)


@dataclass(frozen=True, slots=True)
class Transition:
    """One arrow of the machine."""

    from_status: Status
    event: Event
    party: Party
    to_status: Status
    business_status: BusinessStatus
    reason: CloseReason | None


TRANSITIONS: Mapping[tuple[Status, Event], Transition] = {
    (status, row.event): Transition(status, *row[1:]) for row in TABLE for status in row.from_statuses
}


class IllegalTransition(Refusal):
    """The referral does not allow this now."""

    code = "ILLEGAL_TRANSITION"
    audited = True

    def __init__(self, status: Status, event: Event, owner: Party | None = None) -> None:
        self.status = status
        self.event = event
        why = f"only the {owner} may" if owner else "there is no such step"
        super().__init__(detail=f"It is {status}; {event}: {why}.")


def next_status(status: Status, event: Event, party: Party) -> Transition:
    """The transition that `event`, done by `party`, makes from `status`.

    Raises:
        IllegalTransition: the table has no such row, or it is another party's; names the state and the event.
    """
    transition = TRANSITIONS.get((status, event))
    if transition is None:
        raise IllegalTransition(status, event)
    if transition.party is not party:
        raise IllegalTransition(status, event, transition.party)
    return transition

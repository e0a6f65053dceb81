"""The machine by itself: what the table says happens, and nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referralnet.referrals.lifecycle import (
    ENDS,
    OPEN,
    TABLE,
    TRANSITIONS,
    CloseReason,
    Event,
    IllegalTransition,
    Outcome,
    Party,
    RejectReason,
    Status,
    next_status,
)
from referralnet.referrals.policy import TELLS, WAITS_FOR

S, E, P = Status, Event, Party

# Written out by hand from the product's table, apart from the code's own, so that a slip in one shows in the other.
EXPECTED = {
    (S.DRAFT, E.SEND): (P.SOURCE, S.REQUESTED, "2.0"),
    (S.DRAFT, E.WITHDRAW): (P.SOURCE, S.CANCELLED, "6.0"),
    (S.DRAFT, E.CONSENT_WITHDRAWN): (P.SURVIVOR, S.CANCELLED, "6.0"),
    (S.DRAFT, E.MARK_ENTERED_IN_ERROR): (P.SOURCE, S.ENTERED_IN_ERROR, "6.0"),
    (S.REQUESTED, E.ACCEPT): (P.TARGET, S.ACCEPTED, "3.0"),
    (S.REQUESTED, E.WAITLIST): (P.TARGET, S.ON_HOLD, "2.0"),
    (S.REQUESTED, E.REJECT): (P.TARGET, S.REJECTED, "4.0"),
    (S.REQUESTED, E.WITHDRAW): (P.SOURCE, S.CANCELLED, "6.0"),
    (S.REQUESTED, E.EXPIRE): (P.CLOCK, S.EXPIRED, "6.0"),
    (S.REQUESTED, E.FILLED): (P.SYSTEM, S.CANCELLED, "6.0"),
    (S.REQUESTED, E.CONSENT_WITHDRAWN): (P.SURVIVOR, S.CANCELLED, "6.0"),
    (S.REQUESTED, E.MARK_ENTERED_IN_ERROR): (P.SOURCE, S.ENTERED_IN_ERROR, "6.0"),
    (S.ON_HOLD, E.ACCEPT): (P.TARGET, S.ACCEPTED, "3.0"),
    (S.ON_HOLD, E.REJECT): (P.TARGET, S.REJECTED, "4.0"),
    (S.ON_HOLD, E.WITHDRAW): (P.SOURCE, S.CANCELLED, "6.0"),
    (S.ON_HOLD, E.FILLED): (P.SYSTEM, S.CANCELLED, "6.0"),
    (S.ON_HOLD, E.CONSENT_WITHDRAWN): (P.SURVIVOR, S.CANCELLED, "6.0"),
    (S.ACCEPTED, E.SCHEDULE): (P.TARGET, S.IN_PROGRESS, "5.1.1"),
    (S.ACCEPTED, E.REJECT): (P.TARGET, S.REJECTED, "4.0"),
    (S.ACCEPTED, E.COMPLETE): (P.TARGET, S.COMPLETED, "7.0"),
    (S.ACCEPTED, E.REQUEST_CANCELLATION): (P.SOURCE, S.CANCELLATION_REQUESTED, "5.2"),
    (S.ACCEPTED, E.CONSENT_WITHDRAWN): (P.SURVIVOR, S.CANCELLED, "6.0"),
    (S.IN_PROGRESS, E.RESCHEDULE): (P.TARGET, S.IN_PROGRESS, "5.1.1"),
    (S.IN_PROGRESS, E.NO_SHOW): (P.TARGET, S.IN_PROGRESS, "5.1.2"),
    (S.IN_PROGRESS, E.APPOINTMENT_CANCELLED): (P.TARGET, S.IN_PROGRESS, "5.1.3"),
    (S.IN_PROGRESS, E.ATTENDED): (P.TARGET, S.IN_PROGRESS, "5.1.4"),
    (S.IN_PROGRESS, E.REJECT): (P.TARGET, S.REJECTED, "4.0"),
    (S.IN_PROGRESS, E.COMPLETE): (P.TARGET, S.COMPLETED, "7.0"),
    (S.IN_PROGRESS, E.REQUEST_CANCELLATION): (P.SOURCE, S.CANCELLATION_REQUESTED, "5.2"),
    (S.IN_PROGRESS, E.CONSENT_WITHDRAWN): (P.SURVIVOR, S.CANCELLED, "6.0"),
    (S.CANCELLATION_REQUESTED, E.CONFIRM_CANCELLATION): (P.TARGET, S.CANCELLED, "6.0"),
    (S.CANCELLATION_REQUESTED, E.COMPLETE): (P.TARGET, S.COMPLETED, "7.0"),
    (S.CANCELLATION_REQUESTED, E.CONSENT_WITHDRAWN): (P.SURVIVOR, S.CANCELLED, "6.0"),
}


@pytest.mark.rule("R1")
@given(st.sampled_from(Status), st.sampled_from(Event), st.sampled_from(Party))
def test_only_what_the_table_says_happens_and_only_by_whom_it_says(status: Status, event: Event, party: Party) -> None:
    expected = EXPECTED.get((status, event))
    if expected is not None and expected[0] is party:
        step = next_status(status, event, party)
        assert (step.party, step.to_status, step.business_status) == expected
        return
    with pytest.raises(IllegalTransition) as refused:
        next_status(status, event, party)
    assert refused.value.audited, "an attempt at what is not there is written to the trail"
    assert refused.value.status is status
    assert refused.value.event is event
    assert f"It is {status}; {event}:" in refused.value.message


@pytest.mark.rule("R1")
def test_every_step_of_the_product_table_is_there_and_no_other() -> None:
    assert {key: (step.party, step.to_status, step.business_status) for key, step in TRANSITIONS.items()} == EXPECTED
    assert sum(len(row.from_statuses) for row in TABLE) == len(TRANSITIONS), "two rows claim one state and event"


@pytest.mark.rule("R1")
@given(st.sampled_from(sorted(ENDS)), st.sampled_from(Event), st.sampled_from(Party))
def test_what_has_ended_stays_ended(status: Status, event: Event, party: Party) -> None:
    with pytest.raises(IllegalTransition):
        next_status(status, event, party)


@pytest.mark.rule("R6")
@given(st.sampled_from(OPEN))
def test_every_open_state_leads_to_an_end_and_is_somebodys_task(status: Status) -> None:
    reached, frontier = {status}, {status}
    while frontier:
        frontier = {step.to_status for step in TRANSITIONS.values() if step.from_status in frontier} - reached
        reached |= frontier
    assert reached & ENDS
    party, _task = WAITS_FOR[status]
    own = {step.party for step in TRANSITIONS.values() if step.from_status is status and step.to_status is not status}
    assert party in own, "whoever the referral waits for has a step that leads on"


@pytest.mark.rule("R6")
def test_an_end_waits_for_nobody_and_a_failed_one_is_the_coordinators_next_task() -> None:
    assert set(WAITS_FOR) == set(Status) - ENDS
    assert TELLS[Event.REJECT] == TELLS[Event.EXPIRE] == (Party.SOURCE, "choose_next_service")


@pytest.mark.rule("R6")
@given(st.lists(st.tuples(st.sampled_from(Event), st.sampled_from(Party)), max_size=40))
def test_any_history_stays_on_the_table(story: list[tuple[Event, Party]]) -> None:
    status = Status.DRAFT
    for event, party in story:
        try:
            step = next_status(status, event, party)
        except IllegalTransition:
            continue
        assert status not in ENDS
        assert step.from_status is status
        status = step.to_status


@pytest.mark.rule("R8")
def test_a_criminal_record_can_be_chosen_as_no_reason_at_all() -> None:
    words = " ".join([*RejectReason, *CloseReason, *Outcome]).lower()
    for word in ("crim", "record", "arrest", "convict", "offen", "warrant", "prison", "jail", "probation", "police"):
        assert word not in words
    assert set(RejectReason) == {
        "no_capacity",
        "not_eligible",
        "outside_service_area",
        "could_not_contact",
        "conflict_of_interest",
        "needs_additional_assessment",
        "duplicate",
        "survivor_declined",
    }

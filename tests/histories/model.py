"""The network in plain Python, written from docs/referral-lifecycle.md and docs/referrals.md and not from the code.

`apply` does one act after another, as if nobody else were there. What the real network does at once must look like some
order of these.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

AGENCY = {
    "mara": "east", "ines": "west", "ada": "house", "ben": "house", "cleo": "home", "dan": "home", "sol": "elsewhere",
}  # fmt: skip
"""Whose members they are: two agencies that send, two shelters that are asked and send as well, and one apart."""
INTAKE_ALONE = frozenset({"ada", "cleo"})
SHELTERS = ("house", "home")
INTAKE = {"house": "ada", "home": "cleo"}

UNANSWERED = ("requested", "on_hold")
TAKEN = ("accepted", "in_progress")
OPEN = (*UNANSWERED, *TAKEN, "cancellation_requested")

# event: (from, whose it is, to, business status)
STEPS: dict[str, tuple[tuple[str, ...], str, str, str]] = {
    "accept": (UNANSWERED, "target", "accepted", "3.0"),
    "waitlist": (("requested",), "target", "on_hold", "2.0"),
    "reject": ((*UNANSWERED, *TAKEN), "target", "rejected", "4.0"),
    "schedule": (("accepted",), "target", "in_progress", "5.1.1"),
    "reschedule": (("in_progress",), "target", "in_progress", "5.1.1"),
    "attended": (("in_progress",), "target", "in_progress", "5.1.4"),
    "no_show": (("in_progress",), "target", "in_progress", "5.1.2"),
    "appointment_cancelled": (("in_progress",), "target", "in_progress", "5.1.3"),
    "complete": ((*TAKEN, "cancellation_requested"), "target", "completed", "7.0"),
    "withdraw": (UNANSWERED, "source", "cancelled", "6.0"),
    "request_cancellation": (TAKEN, "source", "cancellation_requested", "5.2"),
    "confirm_cancellation": (("cancellation_requested",), "target", "cancelled", "6.0"),
    "expire": (("requested",), "clock", "expired", "6.0"),
    "filled": (UNANSWERED, "network", "cancelled", "6.0"),
    "consent_withdrawn": (OPEN, "survivor", "cancelled", "6.0"),
    "mark_entered_in_error": (("requested",), "source", "entered_in_error", "6.0"),
}
WAITS_FOR = {
    "requested": "answer_referral", "on_hold": "decide_waitlisted_referral", "accepted": "arrange_service",
    "in_progress": "complete_referral", "cancellation_requested": "confirm_cancellation",
}  # fmt: skip
"""Of whom an open state is the task: of the target, whichever it is. A draft is nobody's here: none is left one."""


@dataclass(frozen=True)
class Act:
    """One thing that somebody does: to a referral, a plan, or by sending, to a shelter."""

    what: str
    who: str
    number: int = 0
    shelter: str = ""


@dataclass(frozen=True)
class Referral:
    """One referral, its visits (status, when it was booked) and what the custodian's worker has still to read."""

    survivor: int
    source: str
    target: str
    released: bool = True
    plan: int | None = None
    status: str = "requested"
    business_status: str = "2.0"
    holds: bool = False
    filled: bool = False
    visits: tuple[tuple[str, int], ...] = ()
    bookings: int = 0
    notices: tuple[tuple[str, int, int], ...] = ()
    texts: bool = False

    @property
    def disclosed(self) -> bool:
        """Whether its target may read who she is."""
        return self.released and self.status in {*TAKEN, "cancellation_requested"}

    @property
    def booked(self) -> int | None:
        """Which visit is ahead."""
        return next((place for place, (status, _) in enumerate(self.visits) if status == "booked"), None)


@dataclass(frozen=True)
class Plan:
    """A need that two shelters were asked for at once; `due`: the worker has not looked since something happened."""

    status: str = "open"
    accepted: int | None = None
    due: bool = False


@dataclass(frozen=True)
class State:
    """Everything there is. A shelter of which no units are named counts none."""

    free: tuple[tuple[str, int], ...]
    referrals: tuple[Referral, ...] = ()
    plans: tuple[Plan, ...] = ()

    def put(self, number: int, referral: Referral) -> State:
        return replace(self, referrals=(*self.referrals[:number], referral, *self.referrals[number + 1 :]))

    def put_plan(self, number: int, plan: Plan) -> State:
        return replace(self, plans=(*self.plans[:number], plan, *self.plans[number + 1 :]))

    def units(self, shelter: str, more: int) -> State:
        return replace(self, free=tuple((name, free + more * (name == shelter)) for name, free in self.free))

    def of_plan(self, plan: int) -> Iterator[tuple[int, Referral]]:
        return ((number, one) for number, one in enumerate(self.referrals) if one.plan == plan)


Done = tuple[State, str]


def apply(state: State, act: Act) -> Done:
    """What an act makes of the network, and what whoever did it is told."""
    return _RULES.get(act.what, _by_a_party)(state, act)


def _send(state: State, act: Act) -> Done:
    source = AGENCY[act.who]
    if act.who in INTAKE_ALONE:
        return state, "NOT_PERMITTED"
    asked = SHELTERS if act.what == "ask_together" else (act.shelter,)
    if source in asked:
        return state, "INVALID_INPUT"
    survivor = 1 + max((one.survivor for one in state.referrals), default=-1)
    if act.what == "ask_together":
        made = tuple(Referral(survivor, source, one, released=False, plan=len(state.plans)) for one in asked)
        return replace(state, referrals=(*state.referrals, *made), plans=(*state.plans, Plan())), "done"
    return replace(state, referrals=(*state.referrals, Referral(survivor, source, act.shelter))), "done"


def _expire(state: State, act: Act) -> Done:
    if state.referrals[act.number].status != "requested":
        return state, "late"
    return _step(state, act.number, "expire"), "done"


def _by_a_party(state: State, act: Act) -> Done:
    referral, event = state.referrals[act.number], act.what
    if event == "withdraw" and referral.status not in UNANSWERED:
        event = "request_cancellation"
    mine, of_source = AGENCY[act.who], act.what in {"withdraw", "mark_entered_in_error"}
    party = "target" if mine == referral.target else "source"
    accepts, visited = event == "accept", event in {"attended", "no_show", "appointment_cancelled"}
    # The first that applies is told.
    against = {
        "NOT_PERMITTED": of_source and act.who in INTAKE_ALONE,
        "NOT_FOUND": mine not in {referral.source, referral.target},
        "FILLED": accepts and party == "target" and _is_filled(state, act.number),
        "ILLEGAL_TRANSITION": referral.status not in STEPS[event][0] or STEPS[event][1] != party,
        "NO_CAPACITY": accepts and dict(state.free).get(referral.target) == 0,
        "NO_BOOKED_APPOINTMENT": visited and referral.booked is None,
    }
    for word, applies in against.items():
        if applies:
            return state, word
    return _visits(_step(state, act.number, event), act.number, event), "done"


def _is_filled(state: State, number: int) -> bool:
    referral = state.referrals[number]
    elsewhere = referral.plan is not None and state.plans[referral.plan].accepted not in {None, number}
    return referral.filled or (elsewhere and referral.status in UNANSWERED)


def _step(state: State, number: int, event: str) -> State:
    """One arrow: the referral, the unit that it holds, and the plan that it belongs to."""
    before = state.referrals[number]
    _, _, to, business = STEPS[event]
    counts = before.target in dict(state.free)
    holds = to in OPEN and (before.holds or (event == "accept" and counts))
    state = state.units(before.target, int(before.holds) - int(holds))
    after = replace(before, status=to, business_status=business, holds=holds, filled=event == "filled")
    state = state.put(number, after)
    return state if before.plan is None else _tell_plan(state, before.plan, number, event)


def _tell_plan(state: State, plan_number: int, number: int, event: str) -> State:
    plan, status = state.plans[plan_number], state.referrals[number].status
    if event == "accept":
        return state.put_plan(plan_number, Plan("accepted", number, due=True))
    if status in OPEN or event == "filled" or plan.status == "closed":
        return state
    if plan.accepted == number and status != "completed":
        return state.put_plan(plan_number, Plan("open" if status == "rejected" else "waiting", None, due=True))
    return state.put_plan(plan_number, replace(plan, due=True))


def _visits(state: State, number: int, event: str) -> State:
    """What a step of the target does to her visit, to the texts about it, and what it tells her custodian."""
    referral = state.referrals[number]
    ahead, when = referral.booked, referral.bookings
    if event in {"schedule", "reschedule"}:
        moved = ahead if ahead is not None else len(referral.visits)
        visits = (*referral.visits[:moved], ("booked", when))
        kind = "appointment_set" if ahead is None else "appointment_changed"
        told = replace(referral, visits=visits, bookings=when + 1)
        return state.put(number, _tell_custodian(told, kind, moved, when))
    ends_visit = event in {"attended", "no_show", "appointment_cancelled"} or referral.status not in OPEN
    if ahead is None or not ends_visit:
        return state
    ends_as = {"attended": "fulfilled", "no_show": "noshow"}.get(event, "cancelled")
    ended = replace(referral, visits=(*referral.visits[:ahead], (ends_as, referral.visits[ahead][1])))
    if ends_as == "cancelled":
        ended = _tell_custodian(ended, "appointment_cancelled", ahead, referral.visits[ahead][1])
    return state.put(number, ended)


def _tell_custodian(referral: Referral, kind: str, visit: int, when: int) -> Referral:
    waits = (*referral.notices, (kind, visit, when))
    # What changes a visit stops what would have told the old time, at once.
    return replace(referral, notices=waits, texts=referral.texts and kind == "appointment_set")


def _withdraw_consent(state: State, act: Act) -> Done:
    """Her open referrals end, nothing about her waits to be sent, and nothing will."""
    of = state.referrals[act.number]
    if AGENCY[act.who] != of.source:
        return state, "NOT_FOUND"
    for number, one in enumerate(state.referrals):
        if one.survivor == of.survivor:
            if one.plan is not None:
                state = state.put_plan(one.plan, replace(state.plans[one.plan], status="closed", due=False))
            if one.status in OPEN:
                state = _step(state, number, "consent_withdrawn")
            visits = tuple(("cancelled" if status == "booked" else status, when) for status, when in one.visits)
            quiet = replace(state.referrals[number], visits=visits, notices=(), texts=False)
            state = state.put(number, quiet)
    return state, "done"


def _close_plan(state: State, act: Act) -> Done:
    plan = state.plans[act.number]
    source = next(state.of_plan(act.number))[1].source
    if act.who in INTAKE_ALONE:
        return state, "NOT_PERMITTED"
    if AGENCY[act.who] != source:
        return state, "NOT_FOUND"
    if plan.status in {"accepted", "closed"}:
        return state, "ROUTING_OVER"
    for number, one in state.of_plan(act.number):
        if one.status in UNANSWERED:
            state = _step(state, number, "withdraw")
    return state.put_plan(act.number, replace(plan, status="closed", due=False)), "done"


def _follow(state: State, act: Act) -> Done:
    """The worker looks at a plan: the others are filled once one accepted; with nobody left, a person chooses."""
    plan_number, plan = act.number, state.plans[act.number]
    if not plan.due:
        return state, "late"
    asked = list(state.of_plan(plan_number))
    if plan.accepted is not None:
        for number, one in asked:
            if one.status in UNANSWERED:
                state = _step(state, number, "filled")
        over = state.referrals[plan.accepted].status == "completed"
        return state.put_plan(plan_number, replace(plan, status="closed" if over else "accepted", due=False)), "done"
    goes_on = plan.status == "open" and any(one.status in OPEN for _, one in asked)
    return state.put_plan(plan_number, replace(plan, status="open" if goes_on else "waiting", due=False)), "done"


def _plan_texts(state: State, act: Act) -> Done:
    """The worker reads what the target told: of what holds now, a text waits."""
    referral = state.referrals[act.number]
    texts = referral.texts or any(_holds(referral, *notice) for notice in referral.notices)
    return state.put(act.number, replace(referral, notices=(), texts=texts)), "done"


def _holds(referral: Referral, kind: str, visit: int, when: int) -> bool:
    if kind == "appointment_cancelled":
        return referral.visits[visit][0] == "cancelled"
    return referral.released and referral.status in TAKEN and referral.visits[visit] == ("booked", when)


_RULES = {
    "send": _send,
    "ask_together": _send,
    "expire": _expire,
    "withdraw_consent": _withdraw_consent,
    "close_plan": _close_plan,
    "follow": _follow,
    "plan_texts": _plan_texts,
}

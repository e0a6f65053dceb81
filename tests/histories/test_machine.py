"""Hypothesis plays the network against the model: every act alone, and several at the same moment (R1, R2, R6, C4)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Iterator
from itertools import permutations
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from tests.databases import DatabaseUrls
from tests.factories.rows import connect_as_superuser
from tests.histories.model import AGENCY, OPEN, SHELTERS, STEPS, Act, State, apply
from tests.histories.world import World

RUNS = int(os.environ.get("REFERRALNET_TEST_MACHINE_RUNS", "8"))
STEPS_EACH = 30
Result = TypeVar("Result")
WORKS = ("expire", "plan_texts")
BY_NOBODY = {"expire", "filled", "consent_withdrawn", "request_cancellation"}
BY_MEMBERS = ("withdraw_consent", *(step for step in STEPS if step not in BY_NOBODY))
PICK = st.integers(0, 10_000)
OPEN_MAX = 4
ENDING = {"withdraw_consent", "mark_entered_in_error", "expire", "close_plan", "reject", "complete", "withdraw"}
SENDING = [
    *(Act("send", who, shelter=shelter) for who in ("mara", "ben", "dan", "ines") for shelter in SHELTERS),
    *(Act("ask_together", who) for who in ("mara", "ines", "mara", "ada", "ben")),
]


def all_acts(state: State) -> Iterator[Act]:
    """Everything that anybody can try now, but to send."""
    for number in range(len(state.referrals)):
        yield from (Act(what, "worker", number) for what in WORKS)
        yield from (Act(what, who, number) for what in BY_MEMBERS for who in AGENCY)
    for number in range(len(state.plans)):
        yield Act("follow", "worker", number)
        yield from (Act("close_plan", who, number) for who in AGENCY)


def changing(state: State) -> list[Act]:
    """What would change something."""
    return [act for act in all_acts(state) if apply(state, act)[0] != state]


def choose(possible: list[Act], pick: int) -> Act:
    """First what, and then by whom and to which: most can be done by few, and what ends a history by many."""
    kinds = sorted({act.what for act in possible})
    weighed = [kind for kind in kinds for _ in range(1 if kind in ENDING else 3)]
    of_kind = [act for act in possible if act.what == weighed[pick % len(weighed)]]
    return of_kind[pick // len(weighed) % len(of_kind)]


def belongs(state: State, act: Act) -> set[tuple[str, Any]]:
    """What an act can meet another at: a referral, its survivor, her plan, the units of its shelter."""
    if act.what in {"follow", "close_plan"}:
        return {("plan", act.number)}
    one = state.referrals[act.number]
    met: set[tuple[str, Any]] = {("referral", act.number), ("survivor", one.survivor), ("units", one.target)}
    return met if one.plan is None else met | {("plan", one.plan)}


def may_meet(state: State, first: Act, second: Act) -> bool:
    """Whether two acts can be at odds. Reading notices is many steps: it meets only what must stop it for good."""
    reads = {act.what for act in (first, second)} & {"plan_texts"}
    if reads and not {first.what, second.what} & {"withdraw_consent", "accept", "waitlist", "withdraw"}:
        return False
    return first != second and bool(belongs(state, first) & belongs(state, second))


class Machine(RuleBasedStateMachine):
    """One network, one history. `ground` is set by the test: a loop and the databases on it."""

    ground: Ground

    def __init__(self) -> None:
        super().__init__()
        self.state = State(())
        self.story: list[str] = []
        self.world: World

    @initialize(beds=st.integers(1, 2), counted=st.booleans())
    def build(self, beds: int, counted: bool) -> None:
        units: dict[str, int | None] = {"house": beds, "home": 1 if counted else None}
        self.state = State(tuple((name, free) for name, free in units.items() if free is not None))
        self.world = World(self.ground.databases, self.ground.look, self.ground.keyring, units)
        self.ground.wait(self.world.build())
        self.do(Act("send", "mara", shelter="house"))

    def teardown(self) -> None:
        self.ground.steps += len(self.story)

    def told_so_far(self) -> str:
        return "\n".join(self.story)

    # One rule: of several, Hypothesis leaves some out of most histories.
    @rule(what=st.sampled_from(("two", "three", "two", "send", "one", "anything")), picks=st.tuples(PICK, PICK, PICK))
    def go_on(self, what: str, picks: tuple[int, int, int]) -> None:
        few = sum(one.status in OPEN for one in self.state.referrals) < OPEN_MAX
        if (what == "send" and few) or not changing(self.state):
            self.do(SENDING[picks[0] % len(SENDING)])
        elif what == "anything":
            possible = list(all_acts(self.state))
            self.do(possible[picks[0] % len(possible)])
        else:
            self.do(*self.meeting(picks[: {"three": 3, "two": 2}.get(what, 1)]))

    def meeting(self, picks: tuple[int, ...]) -> list[Act]:
        """What would each change something alone, and can be at odds."""
        acts: list[Act] = []
        for pick in picks:
            possible = [act for act in changing(self.state) if all(may_meet(self.state, act, one) for one in acts)]
            acts += [choose(possible, pick)] if possible else []
        return acts

    def do(self, *acts: Act) -> None:
        """Do it, all at once, and go on from where the first order leads that tells and leaves the same."""
        words = self.ground.wait(at_once([self.world.do(act) for act in acts]))
        self.story.append(f"{acts} {words}")
        seen = self.ground.wait(self.world.seen())
        explained = [
            after
            for order in permutations(range(len(acts)))
            for after, told in [in_order(self.state, acts, order)]
            if told == words and self.world.expected(after) == seen
        ]
        assert explained, f"{self.told_so_far()}\n{self.told_instead(acts, seen)}"
        self.state = explained[0]
        self.ground.meetings += len(acts) > 1
        self.ground.contested += len(acts) > 1 and any(word != "done" for word in words)

    def told_instead(self, acts: tuple[Act, ...], seen: dict[str, Any]) -> str:
        """What the model says of the acts in the order in which they are named, and how far the network is from it."""
        after, told = in_order(self.state, acts, tuple(range(len(acts))))
        expected = self.world.expected(after)
        apart = [
            f"{kind} {number}: {one} and not {right}"
            for kind in expected
            for number, (one, right) in enumerate(zip(seen[kind], expected[kind], strict=False))
            if one != right
        ]
        return "\n".join([f"No order explains it. In this one: {told}", *apart])


def in_order(state: State, acts: tuple[Act, ...], order: tuple[int, ...]) -> tuple[State, list[str]]:
    told = [""] * len(acts)
    for place in order:
        state, told[place] = apply(state, acts[place])
    return state, told


async def at_once(acts: list[Coroutine[Any, Any, str]]) -> list[str]:
    return list(await asyncio.gather(*acts))


class Ground:
    """A loop of the test's own, because Hypothesis calls no coroutines, and one database's three roles on it."""

    def __init__(self, urls: DatabaseUrls, keyring: Keyring) -> None:
        self._loop = asyncio.new_event_loop()
        self.keyring = keyring
        self.databases = {role: Database(getattr(urls, role)) for role in ("owner", "app", "worker")}
        self.look = self.wait(connect_as_superuser(urls))
        self.steps = self.meetings = self.contested = 0

    def wait(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        return self._loop.run_until_complete(coroutine)

    def close(self) -> None:
        self.wait(self.look.close())
        for database in self.databases.values():
            self.wait(database.close())
        self._loop.close()


@pytest.mark.slow
@pytest.mark.rule("R1")
@pytest.mark.rule("R2")
@pytest.mark.rule("R6")
@pytest.mark.rule("C4")
def test_whatever_people_do_one_by_one_or_at_once_the_network_is_where_the_table_leads(
    database_urls: DatabaseUrls, keyring: Keyring
) -> None:
    ground = Ground(database_urls, keyring)
    machine = type("OnThisGround", (Machine,), {"ground": ground})
    plan = settings(
        max_examples=RUNS,
        stateful_step_count=STEPS_EACH,
        deadline=None,
        derandomize=RUNS <= 8,
        # What two did at once is another thing each time: a smaller history would be looked for in vain, for minutes.
        phases=[Phase.generate],
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(machine, settings=plan)
        assert ground.contested > 0, "now and then two were at odds"
    finally:
        print(f"{RUNS} histories, {ground.steps} steps, {ground.meetings} at once, {ground.contested} contested")  # noqa: T201 (figures)
        ground.close()

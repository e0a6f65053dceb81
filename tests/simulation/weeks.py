"""Weeks as data: what people, workers and the carrier do, and when. Drawn by Hypothesis, so that they shrink."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from referralnet.messaging.pacing import Pace
from tests.simulation.world import World

STARTS = (
    datetime(2026, 3, 5, 16, tzinfo=UTC),
    datetime(2026, 10, 29, 16, tzinfo=UTC),
    datetime(2026, 3, 26, 16, tzinfo=UTC),
    datetime(2026, 6, 15, 16, tzinfo=UTC),
    datetime(2026, 4, 2, 16, tzinfo=UTC),
)
"""American clocks go forward three days later, or back; European ones; none; those of Auckland."""
ACTS = (
    "visit", "visit", "visit", "visit", "plan", "plan", "write", "write", "carrier", "carrier", "well", "policy",
    "withdraw", "news", "die", "die", "down",
)  # fmt: skip
PACES = (Pace(None, 10), Pace(0.05, 2), Pace(None, 10), Pace(1.0, 3))
STEPS_MAX = 32


@dataclass(frozen=True)
class Step:
    """One act, and how many minutes go by after it. `down`: while they go by, no worker works."""

    what: str
    who: int
    pick: int
    minutes: int


@dataclass(frozen=True)
class Week:
    """A whole week. `reconfirm_after` and `released_for` are days, for each survivor; `days` go by after the last.

    `at_once`: how many texts one look sends at the same time.
    """

    start: int
    pace: int
    seed: int
    reconfirm_after: tuple[int, ...]
    released_for: tuple[int, ...]
    steps: tuple[Step, ...]
    days: int = 10
    at_once: int = 1

    async def play(self, world: World) -> None:
        """Play it in a world of its own."""
        chance = random.Random(self.seed)
        await world.begin(STARTS[self.start], self.reconfirm_after, self.released_for)
        for who in range(len(world.hers)):
            await world.do("visit", who, 1 + 3 * (self.seed + who))
        for step in self.steps:
            until = world.now + timedelta(minutes=step.minutes)
            if step.what == "down":
                await world.nobody_works(until)
                continue
            await world.do(step.what, step.who, step.pick)
            await world.live(until, chance)
        await world.end(chance, self.days)


def steps() -> st.SearchStrategy[Step]:
    minutes = st.sampled_from((0, 0, 1, 5, 30, 120, 360, 720, 1440))
    return st.builds(Step, st.sampled_from(ACTS), st.integers(0, 7), st.integers(0, 10_000), minutes)


def weeks(steps_min: int = 12) -> st.SearchStrategy[Week]:
    """Any week."""
    days = st.tuples(*(st.sampled_from((3, 9, 30, 90)) for _ in range(5)))
    return st.builds(
        Week,
        start=st.integers(0, len(STARTS) - 1),
        pace=st.integers(0, len(PACES) - 1),
        seed=st.integers(0, 1_000),
        reconfirm_after=days,
        released_for=st.tuples(*(st.sampled_from((2, 60, 60, 60)) for _ in range(5))),
        steps=st.lists(steps(), min_size=steps_min, max_size=STEPS_MAX).map(tuple),
        at_once=st.sampled_from((1, 6)),
    )

"""Weeks of texts on a simulated clock: whatever people, workers and the carrier do, the rules hold (M1 to M13).

Hypothesis draws the weeks and shrinks one that breaks a rule. `REFERRALNET_TEST_WEEKS=500` plays so many.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from referralnet.encryption.keyring import Keyring
from tests.databases import DatabaseUrls, Server
from tests.simulation.weeks import PACES, Week, weeks
from tests.simulation.world import Made, make, world_of

ASKED = os.environ.get("REFERRALNET_TEST_WEEKS")
WEEKS = 6 if ASKED is None else int(ASKED)
"""Where nobody asks for more, the same ones each time: weeks that are new are for whoever has the time for them."""
Result = TypeVar("Result")


@dataclass
class Ground:
    """A loop of the test's own, because Hypothesis calls no coroutines, and what every week begins with."""

    postgres: Server
    loop: asyncio.AbstractEventLoop
    made: Made
    seen: Counter[str] = field(default_factory=Counter)

    def wait(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        return self.loop.run_until_complete(coroutine)

    async def play(self, week: Week, *, sql: str = "select 1") -> list[str]:
        """Play a week, with something done to the database before; returns what was wrong with it."""
        async with world_of(self.postgres, self.made, PACES[week.pace], texts_at_once=week.at_once) as world:
            await world.db.execute(sql)
            await week.play(world)
            self.seen.update(
                weeks=1, looks=world.ticks, calls=len(world.oracle.handed), deaths=world.deaths,
                promises=len(world.oracle.promises), written=len(world.oracle.wrote), texts=len(world.oracle.seen),
            )  # fmt: skip
            return world.oracle.wrong


@pytest.fixture(scope="module")
def ground(postgres: Server, database_urls: DatabaseUrls, keyring: Keyring) -> Iterator[Ground]:
    loop = asyncio.new_event_loop()
    yield Ground(postgres, loop, loop.run_until_complete(make(database_urls, keyring)))
    loop.close()


@pytest.mark.slow
@pytest.mark.rule("M1", "M2", "M3", "M4", "M5", "M7", "M8", "M9", "M10", "M12", "M13", "C4")
def test_whatever_happens_in_a_week_she_is_texted_by_the_rules_and_nothing_is_lost(ground: Ground) -> None:
    @settings(
        max_examples=WEEKS,
        deadline=None,
        database=None,
        derandomize=ASKED is None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    @given(week=weeks())
    def rules_hold(week: Week) -> None:
        wrong = ground.wait(ground.play(week))
        assert wrong == [], "\n".join(wrong)

    rules_hold()
    print(f"\n{dict(ground.seen)}")  # noqa: T201 (the figure is what the test is for)

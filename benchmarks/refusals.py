"""Whether the time of a refusal tells what there is: a record of others, a blocked one, and none, asked in turn.

    python -m benchmarks.refusals                # 1,000 rounds
    python -m benchmarks.refusals --rounds 5000

Each round asks the same question of the API for an id that another agency has, for one that the asking agency was
blocked from, and for one that nobody has, in an order of its own, so that whatever slows the machine slows all three.
The numbers are medians of whole answers, the ratio to what is missing with a bootstrapped interval, and the share of
pairs in which the one took longer: half, where nothing can be told. `p` is that of a two-sided sign test.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import statistics
import time
from collections.abc import Sequence
from uuid import UUID, uuid4

import structlog
from rich.console import Console
from rich.table import Table

from referralnet.api.context import Resources
from referralnet.clock import FixedClock
from referralnet.database.transactions import Database
from referralnet.encryption.held_keyring import HeldKeyring
from referralnet.settings import Settings
from tests.databases import Server, TestRunServer
from tests.factories.rows import connect_as_superuser
from tests.probe.findings import Report
from tests.probe.graph import GraphProbe
from tests.probe.oracle import Actor, Case, blocks
from tests.probe.told import LOOKUPS
from tests.probe.world import World, make_world

QUESTIONS = ("referral", "disclosure", "survivorIdentity", "releases", "texts")
BOOTSTRAPS = 500
_CHANCE = random.Random(4)  # noqa: S311 (which is asked first is no secret)


def asked_of(world: World, name: str) -> tuple[Actor, list[UUID], list[UUID]]:
    """Who asks, and the ids that are of others, and those that the asker would read were it not for a block."""
    known_as, _ = LOOKUPS[name]
    wanted = {"intake"} if name == "disclosure" else {"coordinator"}
    able = [actor for actor in world.actors if actor.works and actor.trained and actor.fresh and actor.roles == wanted]

    def ids(cases: Sequence[Case]) -> list[UUID]:
        return [world.ids[case.number][known_as] for case in cases if known_as in world.ids[case.number]]

    def blocked(actor: Actor) -> list[Case]:
        parties = [case for case in world.cases if actor.agency in (case.source, case.target)]
        return [case for case in parties if blocks(case, actor)]

    actor = max(able, key=lambda one: len(blocked(one)))
    others = [case for case in world.cases if actor.agency not in (case.source, case.target) and not case.blocked]
    return actor, ids(others), ids(blocked(actor))


async def time_round(probe: GraphProbe, actor: Actor, name: str, ids: dict[str, UUID]) -> dict[str, float]:
    """Milliseconds of each answer, asked in an order by chance."""
    taken = {}
    for kind in _CHANCE.sample(list(ids), len(ids)):
        began = time.perf_counter()
        await probe.ask_by_id(actor, name, ids[kind])
        taken[kind] = (time.perf_counter() - began) * 1000
    return taken


def compare(taken: Sequence[float], missing: Sequence[float]) -> tuple[float, float, float, float, float]:
    """The ratio of medians, its 95 % interval, the share of pairs in which `taken` is longer, and p."""
    ratios = sorted(
        statistics.median(_CHANCE.choices(taken, k=len(taken)))
        / statistics.median(_CHANCE.choices(missing, k=len(missing)))
        for _ in range(BOOTSTRAPS)
    )
    longer = sum(one > other for one, other in zip(taken, missing, strict=True))
    z = (abs(longer - len(taken) / 2) - 0.5) / math.sqrt(len(taken) / 4)
    ratio = statistics.median(taken) / statistics.median(missing)
    low, high = ratios[int(BOOTSTRAPS * 0.025)], ratios[int(BOOTSTRAPS * 0.975)]
    return ratio, low, high, longer / len(taken), math.erfc(max(z, 0.0) / math.sqrt(2))


async def run(rounds: int, server: Server) -> None:
    """Make a network, ask, and print."""
    await server.build_template()
    keyring, console = HeldKeyring.generate(), Console(width=110)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    async with server.fresh_database() as urls:
        superuser = await connect_as_superuser(urls)
        world = await make_world(superuser, keyring, seed=4)
        await superuser.close()
        database = Database(urls.app)
        resources = Resources(database, keyring, FixedClock(world.now), Settings())
        probe = GraphProbe(world, resources, Report())
        table = Table(
            "question", "id of", "p50 ms", "ratio to missing", "95 %", "longer", "p", title=f"{rounds} rounds"
        )
        for name in QUESTIONS:
            actor, others, blocked = asked_of(world, name)
            taken: dict[str, list[float]] = {"others": [], "blocked": [], "missing": []}
            for turn in range(-20, rounds):
                ids = {"others": _CHANCE.choice(others), "blocked": _CHANCE.choice(blocked), "missing": uuid4()}
                for kind, milliseconds in (await time_round(probe, actor, name, ids)).items():
                    if turn >= 0:  # the first few find nothing warm
                        taken[kind].append(milliseconds)
            table.add_row(name, "nobody", f"{statistics.median(taken['missing']):.2f}")
            for kind in ("others", "blocked"):
                ratio, low, high, longer, p = compare(taken[kind], taken["missing"])
                middle = f"{statistics.median(taken[kind]):.2f}"
                table.add_row("", kind, middle, f"{ratio:.3f}", f"{low:.3f}-{high:.3f}", f"{longer:.1%}", f"{p:.2g}")
        console.print(table)
        await database.close()


def main() -> None:
    """Start a private server, measure, stop it."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--rounds", type=int, default=1000)
    given = asked.parse_args()
    server = TestRunServer()
    try:
        asyncio.run(run(given.rounds, server.start()))
    finally:
        server.stop()


if __name__ == "__main__":
    main()

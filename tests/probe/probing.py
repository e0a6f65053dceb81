"""One run of the probe over a world: every member sweeps every table and list, then questions are drawn one by one."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import asyncpg
import structlog
from sqlalchemy import make_url

from referralnet.api.context import Resources
from referralnet.clock import FixedClock
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.settings import Settings
from tests.databases import DatabaseUrls
from tests.factories.rows import connect_as_superuser
from tests.probe.changes import ChangeProbe
from tests.probe.findings import FoundSomething, Report
from tests.probe.graph import GraphProbe
from tests.probe.oracle import Actor, Case
from tests.probe.tables import TableProbe
from tests.probe.told import ATTEMPTS, LISTS, LOOKUPS
from tests.probe.world import World

_FORGET_EVERY = 500


@dataclass(frozen=True)
class Probed:
    """A database that holds a world, as the application reaches it."""

    urls: DatabaseUrls
    world: World
    keyring: Keyring


async def probe(
    probed: Probed, *, seed: int, questions: int, stop_at_first: bool = False, sweep_first: bool = True
) -> Report:
    """Ask, and report; the same seed asks the same.

    Args:
        probed: what is asked.
        seed: of the order of actors and of what is drawn.
        questions: how many are drawn one by one, beside the sweep of every table and list by every member.
        stop_at_first: be content with one finding, as the tests of planted holes are.
        sweep_first: False to draw first.
    """
    report, chance = Report(stop_at_first), random.Random(seed)
    url = make_url(probed.urls.app)
    connection = await asyncpg.connect(host=str(url.query["host"]), user=url.username, database=url.database)
    database = Database(probed.urls.app)
    logging = structlog.get_config()
    # Members who were disabled in mid-request crash by intent, and each crash would be written out in full.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    try:
        resources = Resources(database, probed.keyring, FixedClock(probed.world.now), Settings())
        parts = [_Sweep, _Draw] if sweep_first else [_Draw, _Sweep]
        tables, graph = TableProbe(probed.world, connection, report), GraphProbe(probed.world, resources, report)
        changes = ChangeProbe(probed.world, database, graph, report)
        await tables.look()
        for part in parts:
            await part(probed, tables, graph, changes, chance).run(questions)
    except FoundSomething:
        pass
    finally:
        structlog.configure(**logging)
        await connection.close()
        await database.close()
    return report


class _Sweep:
    """Every member looks at everything there is to select, and turns every list to its end."""

    def __init__(
        self, probed: Probed, tables: TableProbe, graph: GraphProbe, changes: ChangeProbe, chance: random.Random
    ) -> None:
        self._probed, self._world = probed, probed.world
        self._tables, self._graph, self._changes, self._chance = tables, graph, changes, chance

    async def run(self, _questions: int) -> None:
        actors = self._chance.sample(self._world.actors, len(self._world.actors))
        for turn, actor in enumerate(actors):
            # The directory holds no case: what it might hold all the same, a few members look for.
            await self._tables.sweep(actor, public=turn % 16 == 0)
            for name in LISTS:
                await self._graph.list_all(actor, name)
            await self._graph.count_all(actor)
            await self._changes.sweep(actor)
            if turn % 16 == 0 and actor.works:
                await self._graph.ask_all(actor)


class _Draw(_Sweep):
    """Questions about one referral at a time, by its ids: two thirds of them by who is at one of its parties."""

    async def run(self, questions: int) -> None:
        asks: list[tuple[Callable[[Actor, Case, str], Awaitable[None]], list[str], int]] = [
            (self._graph.look_up, list(LOOKUPS), 8),
            (self._graph.change, list(self._graph.mutations), 4),
            (self._tables.attempt, list(ATTEMPTS), 3),
            (self._tables.call, list(self._tables.functions), 1),
        ]
        weights = [weight for *_, weight in asks]
        for turn in range(questions):
            if turn % _FORGET_EVERY == 0:
                await self._forget()
            ((ask, names, _),) = self._chance.choices(asks, weights)
            case = self._chance.choice(self._world.cases)
            await ask(self._actor(case), case, self._chance.choice(names))
        await self._forget()

    async def _forget(self) -> None:
        """Who was shown identity often enough within the hour is refused all the rest, and nothing more is learned; and
        where an accounting was asked for, whose books agree in no invented world, an alarm stands on the worklists.
        """
        superuser = await connect_as_superuser(self._probed.urls)
        try:
            await superuser.execute("set session_replication_role = replica")
            await superuser.execute("delete from audit_event where action in ('disclosure_read', 'survivor_revealed')")
            await superuser.execute("delete from task where kind = 'accounting_disagrees'")
        finally:
            await superuser.close()

    def _actor(self, case: Case) -> Actor:
        if self._chance.random() < 1 / 3:
            return self._chance.choice(self._world.actors)
        staff = [actor for actor in self._world.actors if actor.agency in (case.source, case.target)]
        return self._chance.choice([actor for actor in staff if actor.roles & {"coordinator", "intake"}])

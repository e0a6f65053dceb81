"""A reading and a withdrawal, or a block, in every order of their statements: nobody reads after she has ended it."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import text

from referralnet.api.context import Resources
from referralnet.api.endpoint import GraphQLEndpoint, Operation
from referralnet.api.schema import build_schema
from referralnet.clock import SystemClock
from referralnet.consent.disclosures import read_disclosure
from referralnet.consent.ending import Via, end_release
from referralnet.consent.refusals import NoLiveRelease
from referralnet.database.acting import Member
from referralnet.database.transactions import Database
from referralnet.encryption.held_keyring import HeldKeyring
from referralnet.settings import Settings
from tests.databases import DatabaseUrls
from tests.factories.consent import Case, Stage, make_case, make_partners
from tests.factories.identity import at_the_desk
from tests.factories.survivors import connect_as_superuser, make_survivor, new_need, new_plan, present
from tests.faults.stepping import Steps, stepped, until_stopped

INTERLEAVINGS = int(os.environ.get("REFERRALNET_TEST_WITHDRAWAL_RACES", "200"))
DISCLOSURE = "query($id: UUID!) { disclosure(referralId: $id) { categories { facts { value } } } }"
WITHDRAW = """mutation($key: String!, $id: UUID!) {
  withdrawConsent(idempotencyKey: $key, survivorId: $id, via: ORAL) { __typename } }"""
BLOCK = """mutation($key: String!, $id: UUID!, $agency: UUID!) {
  blockFromSurvivor(idempotencyKey: $key, survivorId: $id, agencyId: $agency) { __typename } }"""
SAY_WHO = text("select set_config('referralnet.member', :member, true)")
NOTE_READING = text("""
  insert into disclosure_reading (disclosure_id, agency_id, member_id, stepped_up_at)
  select disclosure.id, :agency, :member, :stepped_up_at from disclosure where referral_id = :referral
""")
ITEMS = text("""
  select disclosure_item.sealed from disclosure_item join disclosure on disclosure.id = disclosure_id
  where referral_id = :referral
""")


@dataclass
class Race:
    """One case that is read and ended at once."""

    stage: Stage
    endpoint: GraphQLEndpoint
    case: Case
    reader: Member
    """With a second factor of this race's own: each opens a disclosure once."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once whoever ended it has been told that it is done."""
    reading: Steps = field(default_factory=Steps)

    @property
    def custodian(self) -> Member:
        return self.stage.partners.custodian.coordinator

    async def ask(self, actor: Member, document: str, **variables: object) -> dict[str, object]:
        given = {name: str(value) for name, value in variables.items()}
        return await self.endpoint.execute(Operation(document, given, None), actor)


# Each reader says whether it was told anything. Whether that was too late, the steps say: the last one is the commit.


async def by_the_area(race: Race) -> bool:
    """As a surface would."""
    try:
        async with race.stage.app.transaction(race.reader) as session:
            await read_disclosure(
                session, race.reader, race.case.referral_id, keyring=race.stage.keyring, now=present()
            )
    except NoLiveRelease:
        return False
    return True


async def by_graphql(race: Race) -> bool:
    """The whole request."""
    return (await race.ask(race.reader, DISCLOSURE, id=race.case.referral_id)).get("data") is not None


async def by_sql(race: Race) -> bool:
    """Without a lock: what is told is judged when the statement begins, and that is its last step here."""
    async with race.stage.app.engine.connect() as connection:
        reader = race.reader
        await connection.execute(SAY_WHO, {"member": str(reader.member_id)})
        who = {"agency": reader.agency_id, "member": reader.member_id, "stepped_up_at": reader.stepped_up_at}
        await connection.execute(NOTE_READING, who | {"referral": race.case.referral_id})
        told = (await connection.execute(ITEMS, {"referral": race.case.referral_id})).all()
        await connection.rollback()
    return bool(told)


async def release_ended(race: Race) -> None:
    async with race.stage.app.transaction(race.custodian) as session:
        await end_release(session, race.custodian, race.case.release_id, via=Via.ORAL, now=present())


async def consent_withdrawn(race: Race) -> None:
    answer = await race.ask(race.custodian, WITHDRAW, key=uuid4().hex, id=race.case.survivor_id)
    assert answer == {"data": {"withdrawConsent": {"__typename": "ConsentWithdrawn"}}}


async def agency_blocked(race: Race) -> None:
    answer = await race.ask(
        race.custodian, BLOCK, key=uuid4().hex, id=race.case.survivor_id, agency=race.reader.agency_id
    )
    assert answer == {"data": {"blockFromSurvivor": {"__typename": "SurvivorBlock"}}}


READERS = (by_the_area, by_graphql, by_sql)
ENDINGS = (release_ended, consent_withdrawn, agency_blocked)
Schedule = tuple[
    Callable[[Race], Coroutine[Any, Any, bool]], Callable[[Race], Coroutine[Any, Any, None]], int | None, int | None
]
"""Who reads, who ends it, and before which statement each is held."""


@pytest_asyncio.fixture(scope="module")
async def superuser(database_urls: DatabaseUrls) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await connect_as_superuser(database_urls)
    yield connection
    await connection.close()


@pytest_asyncio.fixture(scope="module")
async def stage(
    owner: Database, app: Database, superuser: asyncpg.Connection[asyncpg.Record], keyring: HeldKeyring
) -> Stage:
    return Stage(app, superuser, keyring, await make_partners(owner, keyring))


async def new_race(stage: Stage, endpoint: GraphQLEndpoint) -> Race:
    """A case of a survivor of its own, so that her consent as a whole can be withdrawn."""
    actor = stage.partners.custodian.coordinator
    survivor_id = await make_survivor(stage.app, actor, stage.keyring, plan=new_plan(), need=new_need())
    case = await make_case(stage, survivor_id=survivor_id)
    return Race(stage, endpoint, case, await at_the_desk(stage.app, stage.partners.recipient.intake))


async def forget_the_hour(stage: Stage) -> None:
    """One member reads more often here than anybody may within an hour."""
    async with stage.superuser.transaction():
        await stage.superuser.execute("set local session_replication_role = replica")
        await stage.superuser.execute("delete from audit_event")


async def interleave(race: Race, schedule: Schedule, *, reader_first: bool) -> str:
    """Run both to where they are held, then let them go; what came of the reading: read, refused or stale."""
    read, end, hold_reading, hold_ending = schedule
    race.reading = Steps(hold_reading, watch=race.ended.is_set)
    ending = Steps(hold_ending)

    async def end_it() -> None:
        await end(race)
        race.ended.set()

    both = [(race.reading, race.reading.run(read(race))), (ending, ending.run(end_it()))]
    for steps, task in both if reader_first else both[::-1]:
        await until_stopped(steps, task, race.stage.superuser)
    for steps, task in both if reader_first else both[::-1]:
        steps.go()
        await until_stopped(steps, task, race.stage.superuser)
    told, _ = await asyncio.gather(both[0][1], both[1][1])
    return "refused" if not told else "stale" if race.reading.watched else "read"


async def length(race: Race, work: Callable[[Race], Coroutine[Any, Any, object]]) -> int:
    """How many statements it takes."""
    race.reading = steps = Steps()
    await steps.run(work(race))
    return steps.taken


async def schedules(stage: Stage, endpoint: GraphQLEndpoint, chance: random.Random) -> AsyncIterator[Schedule]:
    """One of the two held before each of its statements, for every pair, shuffled; then both before any, at random."""
    readings = [(read, await length(await new_race(stage, endpoint), read)) for read in READERS]
    endings = [(end, await length(await new_race(stage, endpoint), end)) for end in ENDINGS]
    controlled: list[Schedule] = [
        (read, end, *held)
        for (read, reading), (end, ending) in itertools.product(readings, endings)
        for held in [*((step, None) for step in range(reading)), *((None, step) for step in range(ending))]
    ]
    for schedule in chance.sample(controlled, len(controlled)):
        yield schedule
    while True:
        (read, reading), (end, ending) = chance.choice(readings), chance.choice(endings)
        yield read, end, chance.randrange(reading), chance.randrange(ending)


@pytest.mark.slow
@pytest.mark.rule("C3")
@pytest.mark.rule("C4")
@pytest.mark.rule("C12")
async def test_nobody_reads_after_she_has_ended_it_in_any_order_of_statements(stage: Stage) -> None:
    resources = Resources(stage.app, stage.keyring, SystemClock(), Settings())
    endpoint, chance = GraphQLEndpoint(build_schema(introspection=False), resources), random.Random(94_115)
    tally: Counter[str] = Counter()
    with stepped(stage.app.engine):
        async for schedule in schedules(stage, endpoint, chance):
            if tally.total() == INTERLEAVINGS:
                break
            await forget_the_hour(stage)
            race = await new_race(stage, endpoint)
            came_of_it = await interleave(race, schedule, reader_first=chance.random() < 0.5)
            assert came_of_it != "stale", f"{schedule} after {tally.total()} interleavings"
            tally[came_of_it] += 1
            race.reading = Steps()
            assert not await race.reading.run(schedule[0](race)), "read after the end"
    print(f"{tally.total():,} interleavings: {dict(tally)}, 0 stale")  # noqa: T201 (the figure, with -s)
    # Both orders came about, or nothing was raced.
    assert min(tally["read"], tally["refused"]) >= INTERLEAVINGS // 10, tally

"""What changed since a snapshot: nothing is passed by and nothing told twice, in whichever order transactions end."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.database.acting import Custodian, Member
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.identity.tasks import open_task
from referralnet.referrals import answering, changes
from referralnet.referrals.changes import PositionUnknown, Snapshot, referral_changes, take_snapshot, task_changes
from referralnet.referrals.lifecycle import Event
from tests.factories.referrals import Look, Network, make_network, present, run, send


@pytest.fixture
async def network(owner: Database) -> Network:
    return await make_network(owner)


async def put(session: AsyncSession, actor: Member, subject_id: UUID) -> None:
    await open_task(
        session, agency_id=actor.agency_id, kind="call_back", subject_kind="member", subject_id=subject_id,
        now=present(),
    )  # fmt: skip


async def here(app: Database, actor: Member) -> Snapshot:
    async with app.transaction(actor) as session:
        return await take_snapshot(session)


async def tasks_since(app: Database, actor: Member, since: Snapshot) -> tuple[list[UUID], Snapshot]:
    """About whom tasks have changed, and where that has led."""
    async with app.transaction(actor) as session:
        now = await take_snapshot(session, since=since)
        return [row.subject_id for row in await task_changes(session, actor, since, now)], now


async def test_what_began_earlier_and_is_committed_later_is_told_as_well(
    app: Database, worker: Database, network: Network
) -> None:
    actor, early, late = network.coordinator, uuid4(), uuid4()
    beginning = await here(app, actor)
    async with worker.transaction(Custodian(actor.agency_id)) as slow:
        await put(slow, actor, early)
        async with worker.transaction(Custodian(actor.agency_id)) as quick:
            await put(quick, actor, late)
        told, between = await tasks_since(app, actor, beginning)
        assert told == [late], "an open transaction holds up nobody"
        assert (await tasks_since(app, actor, between))[0] == []
    told, after = await tasks_since(app, actor, between)
    assert told == [early], "and what it has changed is told once it is over"
    assert (await tasks_since(app, actor, after))[0] == []
    assert set((await tasks_since(app, actor, beginning))[0]) == {early, late}


async def test_whoever_reads_all_the_while_is_told_of_each_change_once(
    app: Database, worker: Database, network: Network
) -> None:
    actor, subjects = network.coordinator, [uuid4() for _ in range(60)]
    position, told, writing = await here(app, actor), [], True

    async def write(some: list[UUID]) -> None:
        for first, second in zip(some[::2], some[1::2], strict=True):
            async with worker.transaction(Custodian(actor.agency_id)) as session:
                await put(session, actor, first)
                await asyncio.sleep(0)
                await put(session, actor, second)

    async def read() -> None:
        nonlocal position
        last = False
        while not last:
            last = not writing
            found, position = await tasks_since(app, actor, position)
            told.extend(found)

    reading = asyncio.create_task(read())
    await asyncio.gather(*(write(subjects[start : start + 10]) for start in range(0, 60, 10)))
    writing = False
    await reading
    assert sorted(told) == sorted(subjects)


@pytest.mark.rule("C6")
async def test_a_step_is_told_to_both_parties_and_to_no_other(
    app: Database, network: Network, keyring: Keyring
) -> None:
    since = await here(app, network.intake)
    made, other = [await send(app, network, keyring, now=present()) for _ in range(2)]
    await run(app, network.intake, answering.accept, made.id, now=present())

    async def told(actor: Member, *referral_ids: UUID) -> list[tuple[UUID, Event]]:
        async with app.transaction(actor) as session:
            now = await take_snapshot(session, since=since)
            rows = await referral_changes(session, actor, since, now, referral_ids=referral_ids)
        return [(row.referral_id, row.event) for row in rows]

    steps = [(made.id, Event.SEND), (other.id, Event.SEND), (made.id, Event.ACCEPT)]
    assert await told(network.coordinator) == await told(network.intake) == steps
    assert await told(network.intake, other.id) == [steps[1]]
    assert await told(network.outsider) == await told(network.outsider, made.id) == []


async def test_what_a_restored_backup_brings_from_another_server_s_future_is_not_told(
    app: Database, worker: Database, network: Network, look: Look
) -> None:
    actor, subject = network.coordinator, uuid4()
    beginning = await here(app, actor)
    async with worker.transaction(Custodian(actor.agency_id)) as session:
        await put(session, actor, subject)
    await look("set session_replication_role = replica")
    await look("update task set changed_in = 9000000000 where subject_id = $1", subject)
    assert (await tasks_since(app, actor, beginning))[0] == []


UNSOUND = {
    "of another server": lambda here: here._replace(server=here.server - 1),
    "of a future": lambda here: here._replace(next=here.next + 1_000_000),
    "out of order": lambda here: here._replace(open=(7, 5)),
    "of what is open and has not begun": lambda here: here._replace(open=(here.next,)),
    "before everything": lambda here: here._replace(open=(0,)),
    "too big": lambda here: here._replace(next=2**70),
}


@pytest.mark.rule("P3")
@pytest.mark.parametrize("how", UNSOUND)
async def test_a_position_that_this_database_has_not_given_is_refused(
    app: Database, network: Network, how: str
) -> None:
    made_up = UNSOUND[how](await here(app, network.coordinator))
    with pytest.raises(PositionUnknown) as refused:
        await tasks_since(app, network.coordinator, made_up)
    assert refused.value.field == "after"


@pytest.mark.rule("P1")
async def test_whoever_was_away_for_too_long_reads_anew(
    app: Database, worker: Database, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = network.coordinator
    beginning = await here(app, actor)
    async with worker.transaction(Custodian(actor.agency_id)) as session:
        for _ in range(3):
            await put(session, actor, uuid4())
    assert len((await tasks_since(app, actor, beginning))[0]) == 3
    monkeypatch.setattr(changes, "CHANGES_MAX", 2)
    with pytest.raises(PositionUnknown):
        await tasks_since(app, actor, beginning)

"""Reading while a block is set, on real connections at once: nobody holds what is hers once they are blocked (C12)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.consent.disclosures import read_disclosure
from referralnet.consent.ending import Via
from referralnet.consent.refusals import NoLiveRelease, ReleaseWithdrawn
from referralnet.database.acting import Member
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.errors import NotFound
from referralnet.referrals.blocking import block_from_survivor
from referralnet.referrals.reading import referral
from referralnet.referrals.sending import send_referral
from referralnet.referrals.withdrawing import withdraw_consent
from referralnet.survivors.blocks import BlockedBySurvivor
from referralnet.survivors.revealing import reveal_survivor
from tests.factories.blocks import Watched, block_colleague, make_watched, set_block
from tests.factories.identity import at_the_desk
from tests.factories.referrals import CATEGORIES, Look, Network, Sent, make_case, present, run, send
from tests.integration.referrals.test_visiting import accepted

# One reader opens more in these rounds than the cap of an hour allows.
pytestmark = pytest.mark.usefixtures("uncapped")
INTERLEAVINGS = 120
SETTLED_SECONDS = 0.3
Read = Callable[[AsyncSession, Member, Sent, Keyring], Awaitable[object]]


@dataclass
class Tally:
    """What the readers of all interleavings met."""

    read: int = 0
    refused: int = 0
    stale: int = 0


@pytest_asyncio.fixture(scope="module")
async def watched(owner: Database, keyring: Keyring, network: Network) -> Watched:
    return await make_watched(owner, keyring, network)


async def identity(session: AsyncSession, actor: Member, case: Sent, keyring: Keyring) -> object:
    return await reveal_survivor(session, actor, case.survivor_id, keyring=keyring, now=present())


async def disclosure(session: AsyncSession, actor: Member, case: Sent, keyring: Keyring) -> object:
    return await read_disclosure(session, actor, case.id, keyring=keyring, now=present())


async def interleave(
    app: Database, watched: Watched, case: Sent, keyring: Keyring, chance: random.Random, tally: Tally, whom: str
) -> None:
    """One block among readers of two kinds, each at a moment of its own."""
    blocked = asyncio.Event()
    reader = watched.colleague.actor if whom == "colleague" else watched.officer.actor
    # Each with a second factor of its own, which opens a disclosure once.
    first, second, last = [await at_the_desk(app, reader) for _ in range(3)]
    sensitive: Read = identity if whom == "colleague" else disclosure

    async def block() -> None:
        await asyncio.sleep(chance.uniform(0, 0.02))
        if whom == "colleague":
            await block_colleague(app, watched, case.survivor_id)
        else:
            member = watched.officer.login if whom == "officer" else None
            await set_block(app, watched, case.survivor_id, agency_id=watched.target_id, member=member)
        blocked.set()

    async def read_and_hold(reading: Member) -> None:
        await asyncio.sleep(chance.uniform(0, 0.08))
        try:
            async with app.transaction(reading) as session:
                await sensitive(session, reading, case, keyring)
                # What is hers is in hand and the read is not over: the block must not be, either.
                await asyncio.sleep(chance.uniform(0, 0.01))
                tally.stale += blocked.is_set()
            tally.read += 1
        except (NotFound, NoLiveRelease):
            tally.refused += 1

    async def look_again_and_again() -> None:
        """In one open transaction: from the commit of the block on, each statement finds nothing."""
        async with app.transaction(reader) as session:
            for _ in range(6):
                was_blocked = blocked.is_set()
                try:
                    await referral(session, reader, case.id)
                    tally.stale += was_blocked
                except NotFound:
                    pass
                await asyncio.sleep(chance.uniform(0, 0.008))

    await asyncio.gather(block(), read_and_hold(first), read_and_hold(second), look_again_and_again())
    async with app.transaction(last) as session:
        with pytest.raises((NotFound, NoLiveRelease)):
            await sensitive(session, last, case, keyring)


@pytest.mark.slow
@pytest.mark.rule("C12", "C3")
@pytest.mark.parametrize("whom", ["colleague", "officer", "whole agency"])
async def test_no_read_outlives_the_block(app: Database, watched: Watched, keyring: Keyring, whom: str) -> None:
    chance, tally = random.Random(94_115), Tally()
    for _ in range(INTERLEAVINGS):
        case = await accepted(app, watched.network, keyring)
        await interleave(app, watched, case, keyring, chance, tally, whom)
    assert tally.stale == 0
    assert tally.read + tally.refused == INTERLEAVINGS * 2
    # Both orders came about, or nothing was raced.
    assert min(tally.read, tally.refused) >= INTERLEAVINGS * 2 // 10, tally


async def waits(task: asyncio.Task[object]) -> bool:
    """Whether a task is held up by somebody else."""
    done, _ = await asyncio.wait({task}, timeout=SETTLED_SECONDS)
    return not done


@pytest.mark.rule("C12")
async def test_a_block_waits_for_whoever_holds_her_identity(app: Database, watched: Watched, keyring: Keyring) -> None:
    case = await send(app, watched.network, keyring, now=present())
    reader = await at_the_desk(app, watched.colleague.actor)
    async with app.transaction(reader) as session:
        await identity(session, reader, case, keyring)
        block = asyncio.create_task(block_colleague(app, watched, case.survivor_id))
        assert await waits(block)
    await block


@pytest.mark.rule("C12")
async def test_a_referral_that_is_sent_while_its_target_is_blocked_waits_and_is_refused(
    app: Database, watched: Watched, keyring: Keyring, look: Look
) -> None:
    coordinator = watched.network.coordinator
    async with app.transaction(coordinator) as session:
        survivor_id, need_id, release_id = await make_case(session, watched.network, keyring, now=present())
    async with app.transaction(coordinator) as session:
        await block_from_survivor(
            session, coordinator, survivor_id, agency_id=watched.target_id, member=None, now=present()
        )
        late = asyncio.create_task(again(app, watched, keyring, survivor_id, need_id, release_id))
        assert await waits(late)
    with pytest.raises(BlockedBySurvivor):
        await late
    assert await look("select from survivor_referral where survivor_id = $1", survivor_id) == []


async def again(
    app: Database, watched: Watched, keyring: Keyring, survivor_id: UUID, need_id: UUID, release_id: UUID
) -> object:
    return await run(
        app,
        watched.network.coordinator,
        send_referral,
        survivor_id=survivor_id,
        need_id=need_id,
        service_at_location_id=watched.network.service_at_location_id,
        release_id=release_id,
        categories=CATEGORIES,
        keyring=keyring,
        now=present(),
    )


@pytest.mark.slow
@pytest.mark.rule("C12")
async def test_blocking_sending_and_withdrawing_at_once_never_wait_for_one_another_in_a_circle(
    app: Database, watched: Watched, keyring: Keyring, look: Look
) -> None:
    """Whatever the order, no referral to the blocked agency is left open."""
    coordinator, chance = watched.network.coordinator, random.Random(12)
    for _ in range(30):
        async with app.transaction(coordinator) as session:
            survivor_id, need_id, release_id = await make_case(session, watched.network, keyring, now=present())

        async def after(act: Callable[[], Awaitable[object]]) -> object:
            await asyncio.sleep(chance.uniform(0, 0.02))
            return await act()

        outcomes = await asyncio.gather(
            after(lambda: set_block(app, watched, survivor_id, agency_id=watched.target_id, member=None)),  # noqa: B023
            after(lambda: again(app, watched, keyring, survivor_id, need_id, release_id)),  # noqa: B023
            after(lambda: run(app, coordinator, withdraw_consent, release_id=release_id, via=Via.ORAL, now=present())),  # noqa: B023
            return_exceptions=True,
        )
        unexpected = [
            outcome
            for outcome in outcomes
            if isinstance(outcome, BaseException) and not isinstance(outcome, BlockedBySurvivor | ReleaseWithdrawn)
        ]
        assert unexpected == []
        still_open = """
            select from referral join survivor_referral on referral_id = referral.id
            where survivor_id = $1 and ended_at is null
        """
        assert await look(still_open, survivor_id) == []

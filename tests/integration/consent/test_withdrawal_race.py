"""Reading while the survivor withdraws, on real connections at once: nobody holds the data after she ended it."""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from referralnet.consent.disclosures import make_disclosure, read_disclosure
from referralnet.consent.ending import Via, end_release, unended_releases
from referralnet.consent.refusals import NoLiveRelease, ReleaseWithdrawn
from referralnet.database.acting import Member
from referralnet.errors import NotFound
from tests.factories.consent import RELEASED, Case, Stage, make_case, make_referral, make_release, read
from tests.factories.identity import at_the_desk
from tests.factories.survivors import make_survivor, new_need, new_plan, present

pytestmark = pytest.mark.usefixtures("uncapped")

INTERLEAVINGS = int(os.environ.get("REFERRALNET_TEST_INTERLEAVINGS", "100"))
READERS = 3
# Long enough for a statement that need not wait, on a busy machine.
SETTLED_SECONDS = 0.3


@dataclass
class Tally:
    """What the readers of all interleavings met."""

    read: int = 0
    refused: int = 0
    stale: int = 0


async def end(stage: Stage, release_id: UUID, via: Via = Via.ORAL) -> None:
    actor = stage.partners.custodian.coordinator
    async with stage.app.transaction(actor) as session:
        await end_release(session, actor, release_id, via=via, now=present())


async def interleave(stage: Stage, case: Case, chance: random.Random, tally: Tally) -> None:
    """One withdrawal among a few readers, each at a moment of its own."""
    withdrawn = asyncio.Event()

    async def withdraw() -> None:
        await asyncio.sleep(chance.uniform(0, 0.02))
        await end(stage, case.release_id)
        withdrawn.set()

    async def read_and_hold(reader: Member) -> None:
        await asyncio.sleep(chance.uniform(0, 0.02))
        try:
            async with stage.app.transaction(reader) as session:
                await read_disclosure(session, reader, case.referral_id, keyring=stage.keyring, now=present())
                # The data is in hand and the read is not over: the withdrawal must not be, either.
                await asyncio.sleep(chance.uniform(0, 0.01))
                tally.stale += withdrawn.is_set()
            tally.read += 1
        except NoLiveRelease:
            tally.refused += 1

    readers = [await at_the_desk(stage.app, stage.partners.recipient.intake) for _ in range(READERS)]
    await asyncio.gather(withdraw(), *map(read_and_hold, readers))
    with pytest.raises(NoLiveRelease):
        await read(stage, stage.partners.recipient.intake, case.referral_id)


@pytest.mark.slow
@pytest.mark.rule("C3")
@pytest.mark.rule("C4")
async def test_no_read_outlives_the_withdrawal_in_many_interleavings(stage: Stage) -> None:
    chance, tally = random.Random(94_115), Tally()
    survivor_id = await make_survivor(
        stage.app, stage.partners.custodian.coordinator, stage.keyring, plan=new_plan(), need=new_need()
    )
    for _ in range(INTERLEAVINGS):
        await interleave(stage, await make_case(stage, survivor_id=survivor_id), chance, tally)
    assert tally.stale == 0
    assert tally.read + tally.refused == INTERLEAVINGS * READERS
    # Both orders came about, or nothing was raced.
    assert min(tally.read, tally.refused) >= INTERLEAVINGS * READERS // 10, tally


async def waits(task: asyncio.Task[Any]) -> bool:
    """Whether a task is held up by somebody else."""
    done, _ = await asyncio.wait({task}, timeout=SETTLED_SECONDS)
    return not done


@pytest.mark.rule("C3")
async def test_a_withdrawal_waits_for_whoever_holds_the_data(stage: Stage) -> None:
    case, reader = await make_case(stage), await at_the_desk(stage.app, stage.partners.recipient.intake)
    async with stage.app.transaction(reader) as session:
        await read_disclosure(session, reader, case.referral_id, keyring=stage.keyring, now=present())
        withdrawal = asyncio.create_task(end(stage, case.release_id))
        assert await waits(withdrawal)
    await withdrawal


@pytest.mark.rule("C3")
async def test_a_read_that_came_during_the_withdrawal_waits_and_is_refused(stage: Stage) -> None:
    case, actor = await make_case(stage), stage.partners.custodian.coordinator
    async with stage.app.transaction(actor) as session:
        await end_release(session, actor, case.release_id, via=Via.ORAL, now=present())
        late = asyncio.create_task(read(stage, stage.partners.recipient.intake, case.referral_id))
        assert await waits(late)
    with pytest.raises(NoLiveRelease):
        await late


@pytest.mark.rule("C3")
async def test_a_disclosure_made_during_the_withdrawal_waits_and_is_refused(stage: Stage) -> None:
    actor = stage.partners.custodian.coordinator
    survivor_id = await make_survivor(stage.app, actor, stage.keyring)
    release_id = await make_release(stage, survivor_id)
    referral_id = await make_referral(stage)

    async def disclose() -> None:
        async with stage.app.transaction(actor) as session:
            await make_disclosure(
                session,
                actor,
                referral_id=referral_id,
                release_id=release_id,
                survivor_id=survivor_id,
                recipient_agency_id=stage.partners.recipient.agency_id,
                categories=RELEASED,
                keyring=stage.keyring,
                now=present(),
            )

    async with stage.app.transaction(actor) as session:
        await end_release(session, actor, release_id, via=Via.ORAL, now=present())
        late = asyncio.create_task(disclose())
        assert await waits(late)
    with pytest.raises(ReleaseWithdrawn):
        await late


@pytest.mark.rule("C4")
async def test_of_two_withdrawals_at_once_one_ends_the_release_and_the_other_is_told(stage: Stage) -> None:
    case = await make_case(stage)
    outcomes = await asyncio.gather(*(end(stage, case.release_id) for _ in range(2)), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", "ReleaseWithdrawn"]


@pytest.mark.rule("C3")
async def test_under_an_older_snapshot_nothing_is_judged(stage: Stage) -> None:
    case, reader = await make_case(stage), stage.partners.recipient.intake
    async with stage.app.transaction(reader) as session:
        await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        with pytest.raises(RuntimeError, match="read committed"):
            await read_disclosure(session, reader, case.referral_id, keyring=stage.keyring, now=present())


@pytest.mark.rule("C6")
async def test_nobody_ends_another_agency_s_release(stage: Stage) -> None:
    case = await make_case(stage)
    for custody in (stage.partners.recipient, stage.partners.stranger):
        async with stage.app.transaction(custody.coordinator) as session:
            with pytest.raises(NotFound):
                await end_release(session, custody.coordinator, case.release_id, via=Via.ORAL, now=present())
    await read(stage, stage.partners.recipient.intake, case.referral_id)


async def test_what_is_left_to_end_is_listed_in_one_order(stage: Stage) -> None:
    actor = stage.partners.custodian.coordinator
    survivor_id = await make_survivor(stage.app, actor, stage.keyring)
    release_ids = [await make_release(stage, survivor_id) for _ in range(4)]
    await end(stage, release_ids[2])
    async with stage.app.transaction(actor) as session:
        left = await unended_releases(session, survivor_id)
    assert left == sorted(set(release_ids) - {release_ids[2]})

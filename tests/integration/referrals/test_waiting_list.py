"""A waiting list is its service's own: the order shows there alone, and a free unit is a task about who is first."""

from __future__ import annotations

import pytest
import pytest_asyncio

from referralnet.database.transactions import Database
from referralnet.directory.capacity import confirm_capacity
from referralnet.encryption.keyring import Keyring
from referralnet.referrals.answering import accept, complete, reject, waitlist
from referralnet.referrals.lifecycle import Outcome, RejectReason, Status
from referralnet.referrals.reading import inbox, referral
from referralnet.referrals.withdrawing import withdraw_referral
from tests.factories.referrals import Look, Network, Sent, Tasks, make_network, present, run, send

OFFER = "offer_free_unit"


@pytest_asyncio.fixture
async def full(owner: Database) -> Network:
    """A shelter with one bed."""
    return await make_network(owner, beds=1)


async def waiting(app: Database, network: Network, keyring: Keyring, count: int) -> list[Sent]:
    made = [await send(app, network, keyring, now=present()) for _ in range(count)]
    for one in made:
        await run(app, network.intake, waitlist, one.id, now=present())
    return made


async def places(app: Database, network: Network, made: list[Sent]) -> list[int | None]:
    rows = {row.id: row.waitlist_position for row in await run(app, network.intake, inbox)}
    return [rows[one.id] for one in made]


async def test_the_target_sees_who_waits_how_long_and_the_sender_sees_that_she_waits(
    app: Database, full: Network, owner: Database, keyring: Keyring
) -> None:
    made = await waiting(app, full, keyring, 3)
    elsewhere = await waiting(app, await make_network(owner, beds=1), keyring, 1)
    assert await places(app, full, made) == [1, 2, 3]
    assert elsewhere
    seen = await run(app, full.coordinator, referral, made[1].id)
    assert (seen.status, seen.waitlist_position) == (Status.ON_HOLD, None)
    await run(app, full.intake, reject, made[0].id, reason=RejectReason.COULD_NOT_CONTACT, now=present())
    assert await places(app, full, made) == [None, 1, 2]


@pytest.mark.rule("R6")
async def test_a_bed_that_is_free_again_is_a_task_about_whoever_waits_longest_and_accepts_nobody(
    app: Database, full: Network, keyring: Keyring, open_tasks: Tasks
) -> None:
    holding = await send(app, full, keyring, now=present())
    await run(app, full.intake, accept, holding.id, now=present())
    first, second = await waiting(app, full, keyring, 2)
    shelter = full.intake.agency_id
    wait = (shelter, "decide_waitlisted_referral")
    await run(app, full.intake, complete, holding.id, outcome=Outcome.SERVICES_RECEIVED, now=present())
    assert await open_tasks(first.id) == {wait, (shelter, OFFER)}
    assert await open_tasks(second.id) == {wait}
    assert (await run(app, full.intake, referral, first.id)).status is Status.ON_HOLD
    await run(app, full.intake, accept, first.id, now=present())
    assert await open_tasks(first.id) == {(shelter, "arrange_service")}


@pytest.mark.rule("R6")
async def test_a_bed_freed_by_the_sender_or_counted_anew_is_offered_as_well(
    app: Database, full: Network, keyring: Keyring, open_tasks: Tasks
) -> None:
    first, second, third = await waiting(app, full, keyring, 3)
    assert full.capacity_id is not None
    await run(app, full.intake, confirm_capacity, full.capacity_id, 0, now=present())
    assert (full.intake.agency_id, OFFER) not in await open_tasks(first.id)
    await run(app, full.intake, confirm_capacity, full.capacity_id, 1, now=present())
    assert (full.intake.agency_id, OFFER) in await open_tasks(first.id)
    await run(app, full.coordinator, withdraw_referral, first.id, now=present())
    assert (full.intake.agency_id, OFFER) not in await open_tasks(first.id), "it is over, and so is the offer"
    await run(app, full.intake, confirm_capacity, full.capacity_id, 0, now=present())
    await run(app, full.intake, confirm_capacity, full.capacity_id, 1, now=present())
    assert (full.intake.agency_id, OFFER) in await open_tasks(second.id)
    assert (full.intake.agency_id, OFFER) not in await open_tasks(third.id)


@pytest.mark.rule("C6")
async def test_another_agency_learns_of_no_waiting_list(
    app: Database, full: Network, keyring: Keyring, look: Look
) -> None:
    await waiting(app, full, keyring, 1)
    assert await run(app, full.outsider, inbox) == []
    rows = await look("select agency_id from task where kind = $1", OFFER)
    assert full.outsider.agency_id not in {row["agency_id"] for row in rows}

"""The target answers: beds are held and freed, and nobody else can answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referralnet.database.acting import Member, Role
from referralnet.database.transactions import Database
from referralnet.directory.capacity import NoCapacity
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput, NotFound, NotPermitted
from referralnet.referrals import answering
from referralnet.referrals.answering import accept, complete, confirm_cancellation, reject, waitlist
from referralnet.referrals.lifecycle import Event, IllegalTransition, Outcome, RejectReason, Status
from referralnet.referrals.reading import referral
from referralnet.referrals.withdrawing import withdraw_referral
from tests.factories.referrals import Look, Network, Tasks, make_network, present, run, send

ANSWERS: list[tuple[str, dict[str, object]]] = [
    ("accept", {}),
    ("waitlist", {}),
    ("reject", {"reason": RejectReason.NO_CAPACITY}),
    ("complete", {"outcome": Outcome.SERVICES_RECEIVED}),
    ("confirm_cancellation", {}),
]


async def beds(look: Look, network: Network) -> tuple[int, int]:
    (row,) = await look("select available, held from service_capacity where id = $1", network.capacity_id)
    return row["available"], row["held"]


@pytest.mark.rule("R2")
async def test_a_bed_is_held_from_acceptance_until_each_end(
    app: Database, owner: Database, keyring: Keyring, look: Look
) -> None:
    network = await make_network(owner, beds=2)
    ends: list[tuple[Callable[..., Awaitable[Any]], dict[str, object]]] = [
        (complete, {"outcome": Outcome.PARTLY_RECEIVED}),
        (reject, {"reason": RejectReason.SURVIVOR_DECLINED}),
    ]
    for end, particulars in ends:
        sent = await send(app, network, keyring, now=present())
        assert await beds(look, network) == (2, 0)
        await run(app, network.intake, accept, sent.id, now=present())
        accepted = await run(app, network.intake, referral, sent.id)
        assert accepted.holds_unit
        assert await beds(look, network) == (1, 1)
        await run(app, network.intake, end, sent.id, now=present(), **particulars)
        ended = await run(app, network.intake, referral, sent.id)
        assert not ended.holds_unit
        assert ended.ended_at is not None
        assert await beds(look, network) == (2, 0)


@pytest.mark.rule("R2")
async def test_the_last_bed_is_given_once_and_is_free_again_after_a_cancellation(
    app: Database, owner: Database, keyring: Keyring, look: Look
) -> None:
    network = await make_network(owner, beds=1)
    first = await send(app, network, keyring, now=present())
    second = await send(app, network, keyring, now=present())
    await run(app, network.intake, accept, first.id, now=present())
    with pytest.raises(NoCapacity):
        await run(app, network.intake, accept, second.id, now=present())
    assert (await run(app, network.intake, referral, second.id)).status is Status.REQUESTED
    await run(app, network.coordinator, withdraw_referral, first.id, now=present())
    asked = await run(app, network.coordinator, referral, first.id)
    assert asked.status is Status.CANCELLATION_REQUESTED
    assert await beds(look, network) == (0, 1), "until the target agrees, the bed is hers"
    await run(app, network.intake, confirm_cancellation, first.id, now=present())
    assert await beds(look, network) == (1, 0)
    await run(app, network.intake, accept, second.id, now=present())
    assert (await run(app, network.intake, referral, second.id)).holds_unit


@pytest.mark.rule("R2")
async def test_a_mother_and_her_two_children_are_held_three_beds_and_all_are_free_again(
    app: Database, owner: Database, keyring: Keyring, look: Look
) -> None:
    network = await make_network(owner, beds=4)
    sent = await send(app, network, keyring, household_size=3, now=present())
    await run(app, network.intake, accept, sent.id, now=present())
    assert await beds(look, network) == (1, 3)
    with pytest.raises(DBAPIError, match="units are held by accepting"):
        async with app.transaction(network.intake) as session:
            await session.execute(
                text("""
                    update referral set status = 'in_progress', business_status = '4.0', last_event = 'schedule',
                           version = version + 1, held_units = 1 where id = :id
                """),
                {"id": sent.id},
            )
    await run(app, network.intake, complete, sent.id, outcome=Outcome.SERVICES_RECEIVED, now=present())
    assert await beds(look, network) == (4, 0)


@pytest.mark.rule("R2")
async def test_whoever_accepts_may_choose_the_count_and_no_other_services(
    app: Database, owner: Database, keyring: Keyring, look: Look
) -> None:
    network, other = await make_network(owner, beds=2), await make_network(owner, beds=2)
    sent = await send(app, network, keyring, now=present())
    for capacity_id in (other.capacity_id, uuid4()):
        with pytest.raises(InvalidInput):
            await run(app, network.intake, accept, sent.id, capacity_id=capacity_id, now=present())
    await run(app, network.intake, accept, sent.id, capacity_id=network.capacity_id, now=present())
    assert (await beds(look, network), await beds(look, other)) == ((1, 1), (2, 0))


async def test_a_service_that_counts_no_beds_accepts_without_holding_one(
    app: Database, network: Network, keyring: Keyring
) -> None:
    sent = await send(app, network, keyring, now=present())
    await run(app, network.intake, accept, sent.id, now=present())
    row = await run(app, network.intake, referral, sent.id)
    assert (row.status, row.business_status, row.holds_unit) == (Status.ACCEPTED, "3.0", False)


@pytest.mark.rule("R6")
async def test_each_answer_moves_the_task_to_whoever_is_next(
    app: Database, network: Network, keyring: Keyring, open_tasks: Tasks
) -> None:
    shelter, source = network.intake.agency_id, network.coordinator.agency_id
    sent = await send(app, network, keyring, now=present())
    await run(app, network.intake, waitlist, sent.id, now=present())
    assert await open_tasks(sent.id) == {(shelter, "decide_waitlisted_referral")}
    await run(app, network.intake, accept, sent.id, now=present())
    assert await open_tasks(sent.id) == {(shelter, "arrange_service")}
    await run(app, network.coordinator, withdraw_referral, sent.id, now=present())
    assert await open_tasks(sent.id) == {(shelter, "confirm_cancellation")}
    await run(app, network.intake, confirm_cancellation, sent.id, now=present())
    assert await open_tasks(sent.id) == set()
    sent = await send(app, network, keyring, now=present())
    await run(app, network.intake, reject, sent.id, reason=RejectReason.NOT_ELIGIBLE, now=present())
    row = await run(app, network.intake, referral, sent.id)
    assert (row.status, row.status_reason) == (Status.REJECTED, "not_eligible")
    assert await open_tasks(sent.id) == {(source, "choose_next_service")}


@pytest.mark.rule("R2")
async def test_the_second_of_two_answers_is_told_what_the_first_one_was(
    app: Database, network: Network, keyring: Keyring
) -> None:
    sent = await send(app, network, keyring, now=present())
    await run(app, network.intake, accept, sent.id, now=present())
    with pytest.raises(IllegalTransition) as refused:
        await run(app, network.other_intake, accept, sent.id, now=present())
    assert (refused.value.status, refused.value.event) == (Status.ACCEPTED, Event.ACCEPT)


@pytest.mark.rule("R3")
@pytest.mark.parametrize(("answer", "particulars"), ANSWERS)
async def test_the_sender_cannot_answer_its_own_referral(
    app: Database, network: Network, keyring: Keyring, answer: str, particulars: dict[str, object]
) -> None:
    sent = await send(app, network, keyring, now=present())
    with pytest.raises(IllegalTransition):
        await run(app, network.coordinator, getattr(answering, answer), sent.id, now=present(), **particulars)


@pytest.mark.rule("R3")
@pytest.mark.parametrize(("answer", "particulars"), ANSWERS)
async def test_without_the_intake_role_nobody_answers(
    app: Database, network: Network, keyring: Keyring, answer: str, particulars: dict[str, object]
) -> None:
    sent = await send(app, network, keyring, now=present())
    coordinator_there = replace(network.other_intake, roles=frozenset({Role.COORDINATOR}))
    with pytest.raises(NotPermitted):
        await run(app, coordinator_there, getattr(answering, answer), sent.id, now=present(), **particulars)


@pytest.mark.rule("C6")
@pytest.mark.parametrize(("answer", "particulars"), ANSWERS)
async def test_an_agency_that_is_no_party_gets_the_answer_of_what_does_not_exist(
    app: Database, network: Network, keyring: Keyring, answer: str, particulars: dict[str, object]
) -> None:
    sent = await send(app, network, keyring, now=present())

    async def told(actor: Member, referral_id: UUID) -> tuple[str, str | None, str]:
        with pytest.raises(NotFound) as refused:
            await run(app, actor, getattr(answering, answer), referral_id, now=present(), **particulars)
        return refused.value.code, refused.value.field, refused.value.message

    assert await told(network.outsider, sent.id) == await told(network.outsider, uuid4())

"""A coordinator sends a need to a service: what the target gets, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.consent.categories import Category
from referralnet.consent.ending import Via, end_release
from referralnet.consent.refusals import CategoryNotReleased, ReleaseNamesAnotherAgency, ReleaseWithdrawn
from referralnet.database.acting import Member, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput, NotFound, NotPermitted, Refusal
from referralnet.referrals.answering import accept
from referralnet.referrals.lifecycle import Event, Status
from referralnet.referrals.reading import inbox, referral
from referralnet.referrals.sending import TargetNotAMember, send_referral
from referralnet.survivors.needs import NeedClosed, NeedEnd, close_need
from tests.factories.referrals import (
    CATEGORIES,
    Look,
    Network,
    Tasks,
    make_case,
    make_network,
    present,
    read_at_the_desk,
    run,
    send,
)


async def attempt(app: Database, network: Network, keyring: Keyring, **changed: Any) -> UUID:
    """Record a case and send it, with whatever the test changes about the call."""
    now = present()
    async with app.transaction(network.coordinator) as session:
        survivor_id, need_id, release_id = await make_case(session, network, keyring, now=now)
    call = {
        "survivor_id": survivor_id,
        "need_id": need_id,
        "service_at_location_id": network.service_at_location_id,
        "release_id": release_id,
        "categories": CATEGORIES,
        "keyring": keyring,
        "now": now,
    }
    return await run(app, changed.pop("actor", network.coordinator), send_referral, **(call | changed))


@pytest.mark.rule("R6")
async def test_a_sent_need_is_the_targets_task_with_a_deadline(
    app: Database, network: Network, keyring: Keyring, open_tasks: Tasks, look: Look
) -> None:
    now = present()
    sent = await send(app, network, keyring, now=now)
    (row,) = [row for row in await run(app, network.intake, inbox) if row.id == sent.id]
    assert (row.status, row.last_event, row.business_status) == (Status.REQUESTED, Event.SEND, "2.0")
    assert row.answer_due_at == now + timedelta(hours=4)
    assert (row.need.service_type, row.need.language, row.need.household_size) == ("shelter", "es", 1)
    assert await open_tasks(sent.id) == {(network.intake.agency_id, "answer_referral")}
    trail = await look("select action, member_id from audit_event where subject_id = $1", sent.id)
    assert trail == [{"action": "referral_sent", "member_id": network.coordinator.member_id}]


async def test_nothing_is_sent_for_a_need_that_was_closed(app: Database, network: Network, keyring: Keyring) -> None:
    now = present()
    async with app.transaction(network.coordinator) as session:
        _, need_id, _ = await make_case(session, network, keyring, now=now)
    await run(app, network.coordinator, close_need, need_id, NeedEnd.MET, now=now)
    with pytest.raises(NotFound):
        await attempt(app, network, keyring, need_id=need_id)
    survivor_id = await run(app, network.coordinator, _whose, need_id)
    with pytest.raises(NeedClosed):
        await attempt(app, network, keyring, need_id=need_id, survivor_id=survivor_id)


async def _whose(session: AsyncSession, _actor: Member, need_id: UUID) -> Any:
    return await session.scalar(text("select survivor_id from need where id = :id"), {"id": need_id})


@pytest.mark.rule("R1")
async def test_the_need_is_frozen_when_it_is_sent(
    app: Database, network: Network, keyring: Keyring, look: Look
) -> None:
    sent = await send(app, network, keyring, now=present())
    await look("update need set household_size = 9, language = 'fr' where id = $1", sent.need_id)
    row = await run(app, network.intake, referral, sent.id)
    assert (row.need.household_size, row.need.language) == (1, "es")
    for column in ("household_size", "target_agency_id", "service_type"):
        with pytest.raises(Exception, match="permission denied"):
            async with app.transaction(network.coordinator) as session:
                await session.execute(text(f"update referral set {column} = {column} where id = :id"), {"id": sent.id})


@pytest.mark.rule("R4")
async def test_the_released_categories_open_after_acceptance_and_no_others(
    app: Database, network: Network, keyring: Keyring
) -> None:
    sent = await send(app, network, keyring, now=present())
    with pytest.raises(Refusal):
        await read_at_the_desk(app, network.intake, sent.id, keyring)
    await run(app, network.intake, accept, sent.id, now=present())
    disclosed = await read_at_the_desk(app, network.intake, sent.id, keyring)
    assert set(disclosed.categories) == CATEGORIES


@pytest.mark.rule("C1")
async def test_a_release_that_does_not_cover_it_sends_nothing(
    app: Database, owner: Database, network: Network, keyring: Keyring, look: Look
) -> None:
    elsewhere = await make_network(owner)
    before = await look("select count(*) from referral")
    with pytest.raises(ReleaseNamesAnotherAgency):
        await attempt(app, network, keyring, service_at_location_id=elsewhere.service_at_location_id)
    with pytest.raises(CategoryNotReleased):
        await attempt(app, network, keyring, categories=CATEGORIES | {Category.LEGAL})
    with pytest.raises(Refusal):
        await attempt(app, network, keyring, release_id=uuid4())
    assert await look("select count(*) from referral") == before


@pytest.mark.rule("C1")
async def test_an_ended_release_sends_nothing(app: Database, network: Network, keyring: Keyring) -> None:
    sent = await send(app, network, keyring, now=present())
    await run(app, network.coordinator, end_release, sent.release_id, via=Via.ORAL, now=present())
    with pytest.raises(ReleaseWithdrawn):
        await attempt(
            app, network, keyring, survivor_id=sent.survivor_id, need_id=sent.need_id, release_id=sent.release_id
        )


async def test_a_service_nobody_answers_for_here_is_told_apart(
    app: Database, network: Network, keyring: Keyring
) -> None:
    with pytest.raises(TargetNotAMember) as refused:
        await attempt(app, network, keyring, service_at_location_id=network.unlinked_service_at_location_id)
    assert refused.value.field == "service_at_location_id"
    with pytest.raises(NotFound):
        await attempt(app, network, keyring, service_at_location_id=uuid4())


async def test_a_service_of_a_member_that_left_cannot_answer(
    app: Database, owner: Database, keyring: Keyring, look: Look
) -> None:
    network = await make_network(owner)
    await look("update agency set active = false where id = $1", network.intake.agency_id)
    with pytest.raises(Refusal):
        await attempt(app, network, keyring)


@pytest.mark.rule("R3")
async def test_an_agency_does_not_refer_to_itself(
    app: Database, owner: Database, network: Network, keyring: Keyring, look: Look
) -> None:
    own = await make_network(owner)
    await look(
        "update directory_entry set agency_id = $1 where service_at_location_id = $2",
        network.coordinator.agency_id, own.service_at_location_id,
    )  # fmt: skip
    with pytest.raises(InvalidInput, match="your own agency"):
        await attempt(app, network, keyring, service_at_location_id=own.service_at_location_id)


async def test_only_a_coordinator_sends_and_only_her_own_agencys_survivors(
    app: Database, network: Network, keyring: Keyring
) -> None:
    no_coordinator = replace(network.coordinator, roles=frozenset({Role.INTAKE}))
    with pytest.raises(NotPermitted):
        await attempt(app, network, keyring, actor=no_coordinator)
    with pytest.raises(NotFound) as refused:
        await attempt(app, network, keyring, actor=network.outsider)
    assert refused.value.field == "need_id"
    other = await send(app, network, keyring, now=present())
    with pytest.raises(NotFound):
        await attempt(app, network, keyring, need_id=other.need_id)

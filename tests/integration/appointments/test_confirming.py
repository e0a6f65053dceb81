"""The survivor answers by text that she will come; the worker writes it down, once, in her custodian's name."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from referralnet.appointments.confirming import confirm_by_text
from referralnet.appointments.reading import AppointmentRow, appointments
from referralnet.appointments.tables import Mode
from referralnet.database.acting import Custodian, Dispatcher
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.referrals.answering import accept
from referralnet.referrals.visiting import cancel_visit, schedule_visit
from tests.factories.referrals import Network, Sent, make_network, present, run, send


@pytest_asyncio.fixture(scope="module")
async def network(owner: Database) -> Network:
    return await make_network(owner)


async def booked(app: Database, network: Network, keyring: Keyring) -> tuple[Sent, UUID]:
    made = await send(app, network, keyring, now=present())
    await run(app, network.intake, accept, made.id, now=present())
    visit_id = await run(
        app,
        network.intake,
        schedule_visit,
        made.id,
        local_start=(present() + timedelta(days=2)).replace(hour=12, tzinfo=None),
        time_zone="America/Chicago",
        duration_minutes=60,
        mode=Mode.PHONE,
        now=present(),
    )
    return made, visit_id


async def visit(app: Database, network: Network, made: Sent) -> AppointmentRow:
    (row,) = (await run(app, network.coordinator, appointments, [made.id]))[made.id]
    return row


async def test_both_agencies_see_that_she_confirmed_and_when_she_first_did(
    app: Database, worker: Database, network: Network, keyring: Keyring
) -> None:
    made, visit_id = await booked(app, network, keyring)
    first = present()
    for answered_at in (first, first + timedelta(hours=1)):
        async with worker.transaction(Custodian(network.coordinator.agency_id)) as session:
            assert await confirm_by_text(session, visit_id, now=answered_at)
    assert (await visit(app, network, made)).confirmed_at == first
    (seen,) = (await run(app, network.intake, appointments, [made.id]))[made.id]
    assert seen.confirmed_at == first


async def test_an_answer_for_a_visit_that_is_over_or_cancelled_confirms_nothing(
    app: Database, worker: Database, network: Network, keyring: Keyring
) -> None:
    made, visit_id = await booked(app, network, keyring)
    custodian = Custodian(network.coordinator.agency_id)
    async with worker.transaction(custodian) as session:
        assert not await confirm_by_text(session, visit_id, now=present() + timedelta(days=3))
        assert not await confirm_by_text(session, uuid4(), now=present())
    await run(app, network.intake, cancel_visit, made.id, now=present())
    async with worker.transaction(custodian) as session:
        assert not await confirm_by_text(session, visit_id, now=present())
    assert (await visit(app, network, made)).confirmed_at is None


@pytest.mark.rule("C6")
async def test_only_her_own_custodian_writes_the_answer_down(
    app: Database, worker: Database, network: Network, keyring: Keyring
) -> None:
    made, visit_id = await booked(app, network, keyring)
    for actor in (Custodian(network.intake.agency_id), Custodian(network.outsider.agency_id), Dispatcher()):
        async with worker.transaction(actor) as session:
            assert not await confirm_by_text(session, visit_id, now=present())
    assert (await visit(app, network, made)).confirmed_at is None

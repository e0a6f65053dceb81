"""No referral waits for ever: the clock ends what nobody answered, and a person is told (R6)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from referralnet.database.acting import Custodian, Dispatcher
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.errors import NotFound
from referralnet.referrals.answering import accept, waitlist
from referralnet.referrals.expiring import due_for_expiry, expire
from referralnet.referrals.lifecycle import Event, Status
from referralnet.referrals.reading import events, referral
from tests.factories.referrals import Look, Network, Tasks, present, run, send

LATE = timedelta(hours=4, seconds=1)


@pytest.mark.rule("R6")
async def test_an_unanswered_referral_expires_and_the_coordinator_gets_the_task(
    databases: dict[str, Database], network: Network, keyring: Keyring, open_tasks: Tasks
) -> None:
    app, worker = databases["app"], databases["worker"]
    sent_at = present()
    made = await send(app, network, keyring, now=sent_at)
    async with worker.transaction(Dispatcher()) as session:
        assert made.id not in dict(await due_for_expiry(session, sent_at + timedelta(hours=3, minutes=59)))
        assert dict(await due_for_expiry(session, sent_at + LATE))[made.id] == network.coordinator.agency_id
    async with worker.transaction(Custodian(network.coordinator.agency_id)) as session:
        assert not await expire(session, made.id, sent_at + timedelta(hours=3)), "not due yet"
        assert await expire(session, made.id, sent_at + LATE)
        assert not await expire(session, made.id, sent_at + LATE), "once"
    row = await run(app, network.coordinator, referral, made.id)
    assert (row.status, row.last_event, row.ended_at) == (Status.EXPIRED, Event.EXPIRE, sent_at + LATE)
    assert await open_tasks(made.id) == {(network.coordinator.agency_id, "choose_next_service")}
    async with app.transaction(network.coordinator) as session:
        last = (await events(session, [made.id]))[made.id][-1]
    assert (last.event, last.by_agency_name, last.by_member_name) == (Event.EXPIRE, None, None)
    async with worker.transaction(Dispatcher()) as session:
        assert made.id not in dict(await due_for_expiry(session, sent_at + LATE))


@pytest.mark.rule("R6")
async def test_an_answer_in_time_is_kept_when_the_clock_comes_late(
    databases: dict[str, Database], network: Network, keyring: Keyring, look: Look
) -> None:
    app, worker = databases["app"], databases["worker"]
    for answer, status in ((accept, Status.ACCEPTED), (waitlist, Status.ON_HOLD)):
        made = await send(app, network, keyring, now=present())
        await run(app, network.intake, answer, made.id, now=present())
        async with worker.transaction(Custodian(network.coordinator.agency_id)) as session:
            assert not await expire(session, made.id, present() + LATE)
        assert (await run(app, network.coordinator, referral, made.id)).status is status
    trail = await look("select member_id from audit_event where detail->>'event' = 'expire'")
    assert all(row["member_id"] is None for row in trail)


@pytest.mark.rule("R1")
async def test_the_clock_ends_a_referral_only_in_its_sources_custody(
    databases: dict[str, Database], network: Network, keyring: Keyring
) -> None:
    made = await send(databases["app"], network, keyring, now=present())
    for agency_id in (network.intake.agency_id, network.outsider.agency_id):
        with pytest.raises(NotFound):
            async with databases["worker"].transaction(Custodian(agency_id)) as session:
                await expire(session, made.id, present() + LATE)

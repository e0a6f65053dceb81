"""A partner that fails, stalls, talks too much or is gone: it is tried again, then given up, and nothing is lost."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from referralnet.database.acting import Custodian
from referralnet.identity.tasks import ALARMS, list_tasks
from referralnet.jobs import forget_webhooks, send_webhooks
from referralnet.partners.delivering import ATTEMPTS_MAX, LEASE, claim, pause_after, settle
from referralnet.partners.endpoints import disable
from referralnet.partners.posting import Answer, Posting
from tests.integration.partners.conftest import Told

MISBEHAVING: dict[str, tuple[dict[str, Any], tuple[int | None, str | None]]] = {
    "fails": ({"status": 500}, (500, None)),
    "refuses": ({"status": 404}, (404, None)),
    "sends elsewhere": ({"status": 302}, (302, None)),
    "is slow": ({"slow_seconds": 30.0}, (None, "timeout")),
    "talks without end": ({"answer_bytes": 300_000}, (200, "answer_too_long")),
}


@pytest.mark.parametrize("how", MISBEHAVING)
async def test_an_event_that_was_not_taken_is_told_again_under_the_same_id(told: Told, how: str) -> None:
    misbehaves, (status, problem) = MISBEHAVING[how]
    webhook_id, _ = await told.register()
    await told.send()
    vars(told.partner).update(misbehaves)
    assert await told.worker_comes_by() == 0
    (row,) = await told.look("select * from webhook_delivery where webhook_id = $1", webhook_id)
    assert (row["state"], row["answer_status"], row["problem"]) == ("waiting", status, problem)
    assert told.partner.elsewhere == 0
    vars(told.partner).update(status=200, slow_seconds=0.0, answer_bytes=0)
    assert await told.worker_comes_by() == 0, "not before its pause is over"
    assert await told.worker_comes_by(timedelta(seconds=13)) == 1
    first, second = told.partner.posted
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert await told.states(webhook_id) == ["delivered"]


async def test_a_partner_that_is_not_there_is_tried_for_three_days_then_turned_off_and_its_admins_are_told(
    told: Told,
) -> None:
    webhook_id, _ = await told.register()
    await told.send()
    await told.look("update webhook set url = 'http://127.0.0.1:1/' where id = $1", webhook_id)
    began = told.clock.now()
    for _ in range(ATTEMPTS_MAX):
        assert await told.states(webhook_id) == ["waiting"]
        await told.worker_comes_by()
        (row,) = await told.look("select due_at from webhook_delivery where webhook_id = $1", webhook_id)
        told.clock.advance(max(row["due_at"] - told.clock.now(), timedelta()))
    assert timedelta(days=2) < told.clock.now() - began < timedelta(days=4)
    assert await told.states(webhook_id) == ["dead"]
    (hook,) = await told.look("select disabled_because from webhook where id = $1", webhook_id)
    assert hook == {"disabled_because": "failing"}
    async with told.databases["app"].transaction(told.target_admin) as session:
        alarms = await list_tasks(session, kinds=ALARMS)
    assert [(one.kind, one.subject_id) for one in alarms] == [("webhook_failing", webhook_id)]
    async with told.databases["app"].transaction(told.target_admin) as session:
        await disable(session, told.target_admin, webhook_id, now=told.clock.now())
        assert await list_tasks(session, kinds=ALARMS) == [], "who looked into it is not asked again"


async def test_a_partner_that_says_it_is_gone_is_asked_no_more(told: Told) -> None:
    webhook_id, _ = await told.register()
    told.partner.status = 410
    await told.send()
    await told.worker_comes_by()
    await told.send()
    await told.worker_comes_by(timedelta(days=1))
    assert len(told.partner.posted) == 1
    assert sorted(await told.states(webhook_id)) == ["dead", "held"]


async def test_an_endpoint_that_answers_again_is_failing_no_longer(told: Told) -> None:
    webhook_id, _ = await told.register()
    told.partner.status = 503
    await told.send()
    await told.worker_comes_by()
    failing = "select failing_since is not null as failing from webhook where id = $1"
    assert await told.look(failing, webhook_id) == [{"failing": True}]
    told.partner.status = 204
    await told.worker_comes_by(timedelta(minutes=1))
    assert await told.look(failing, webhook_id) == [{"failing": False}]


async def test_what_a_dead_worker_was_delivering_another_delivers_and_the_dead_one_changes_nothing(told: Told) -> None:
    webhook_id, _ = await told.register()
    await told.send()
    custodian = Custodian(told.target_admin.agency_id)
    (row,) = await told.look("select id from webhook_delivery where webhook_id = $1", webhook_id)
    worker = told.databases["worker"]
    async with worker.transaction(custodian) as session:
        held = await claim(session, custodian, row["id"], keyring=told.keyring, now=told.clock.now())
    assert held is not None
    assert await told.worker_comes_by() == 0, "its lease lasts"
    assert await told.worker_comes_by(LEASE + timedelta(seconds=1)) == 1
    async with worker.transaction(custodian) as session:
        assert not await settle(session, held, Answer(500), now=told.clock.now())
    assert await told.states(webhook_id) == ["delivered"]


async def test_two_workers_at_once_tell_each_event_once(told: Told) -> None:
    await told.register()
    for _ in range(6):
        await told.send()
    await asyncio.gather(*(send_webhooks.run(told.work) for _ in range(3)))
    ids = [one.headers["webhook-id"] for one in told.partner.posted]
    assert sorted(ids) == sorted(set(ids))
    assert len(ids) == 6


async def test_without_the_setting_for_tests_nothing_is_posted_to_this_machine(told: Told) -> None:
    webhook_id, _ = await told.register()
    await told.send()
    public = replace(told.work, posting=Posting())
    assert await send_webhooks.run(public) == 0
    await told.look("update webhook set url = replace(url, 'http://127.0.0.1', 'https://localhost') where id = $1",
                    webhook_id)  # fmt: skip
    told.clock.advance(timedelta(minutes=1))
    assert await send_webhooks.run(public) == 0
    rows = await told.look("select problem, attempts from webhook_delivery where webhook_id = $1", webhook_id)
    assert rows == [{"problem": "no_connection", "attempts": 2}]
    assert told.partner.posted == []


async def test_events_are_forgotten_after_a_month(told: Told) -> None:
    webhook_id, _ = await told.register()
    await told.send()
    await told.worker_comes_by()
    told.clock.advance(timedelta(days=29))
    await forget_webhooks.run(told.work)
    assert await told.states(webhook_id) == ["delivered"]
    told.clock.advance(timedelta(days=2))
    assert await forget_webhooks.run(told.work) >= 1
    assert await told.states(webhook_id) == []


def test_pauses_grow_and_no_two_endpoints_keep_step() -> None:
    assert all(8 <= pause_after(1).total_seconds() <= 12 for _ in range(50))
    assert all(pause_after(20) <= timedelta(hours=14.4) for _ in range(50))
    assert len({pause_after(5) for _ in range(50)}) > 10

"""What an agency's systems are told of its referrals: each step once it is committed, signed, and of nobody."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.exc import ProgrammingError

from referralnet.appointments.tables import Mode
from referralnet.consent.ending import Via
from referralnet.errors import NotFound, NotPermitted
from referralnet.partners.endpoints import (
    EventKind,
    TooManyWebhooks,
    change,
    disable,
    find_webhook,
    list_webhooks,
    register,
    rotate_secret,
)
from referralnet.partners.replaying import list_deliveries, replay
from referralnet.referrals.answering import accept, reject
from referralnet.referrals.lifecycle import RejectReason
from referralnet.referrals.visiting import schedule_visit
from referralnet.referrals.withdrawing import withdraw_consent
from tests.factories.referrals import present
from tests.integration.partners.conftest import Told
from tests.unit.partners.test_signing import verifier


@pytest.fixture
def verify() -> Callable[..., bool]:
    return verifier()


async def test_both_parties_are_told_each_step_and_can_verify_it(told: Told, verify: Callable[..., bool]) -> None:
    _, secret = await told.register()
    await told.register(told.source_admin)
    made = await told.send()
    await told.act(told.network.intake, accept, made.id)
    await told.worker_comes_by()
    events = [one.event for one in told.partner.posted]
    said = {
        (one["data"]["role"], one["data"]["sequence"], one["data"]["status"], one["data"]["business_status"])
        for one in events
    }
    assert said == {(role, *step) for role in ("source", "target")
                    for step in ((1, "requested", "2.0"), (2, "accepted", "3.0"))}  # fmt: skip
    assert {one["data"]["referral_id"] for one in events} == {str(made.id)}
    now = int(told.clock.now().timestamp())
    for one in told.partner.posted:
        assert one.headers["webhook-id"] == one.event["id"]
        assert verify(secret, one.headers, one.body, 10**9) == (one.event["data"]["role"] == "target")
        assert int(one.headers["webhook-timestamp"]) == now
    assert await told.worker_comes_by() == 0, "once each"


@pytest.mark.rule("C5")
async def test_nothing_that_is_posted_says_who_she_is_or_what_she_needs(told: Told) -> None:
    await told.register()
    await told.register(told.source_admin)
    made = await told.send()
    await told.act(told.network.intake, accept, made.id)
    visit: dict[str, Any] = {
        "local_start": (present() + timedelta(days=9)).replace(hour=12, tzinfo=None), "time_zone": "America/Chicago",
        "duration_minutes": 30, "mode": Mode.VIDEO,
    }  # fmt: skip
    await told.act(told.network.intake, schedule_visit, made.id, **visit)
    await told.act(told.network.coordinator, withdraw_consent, survivor_id=made.survivor_id, via=Via.ORAL)
    await told.worker_comes_by()
    assert {one.event["type"] for one in told.partner.posted} == {"referral.changed", "appointment.set"}
    for one in told.partner.posted:
        assert set(one.event) == {"id", "type", "timestamp", "data"}
        assert set(one.event["data"]) == {"referral_id", "sequence", "status", "business_status", "role"}
        text = one.body.decode() + str(one.headers)
        names = ("Ana", "Invented", "shelter", "urgent", "US-IL", "Agency", "consent")
        for secret in (*names, str(made.survivor_id), str(made.need_id), str(made.release_id)):
            assert secret not in text


async def test_an_endpoint_is_told_the_kinds_that_it_asked_for_and_a_target_nothing_before_it_is_asked(
    told: Told,
) -> None:
    webhook_id, _ = await told.register(kinds=(EventKind.APPOINTMENT_SET,))
    made = await told.send()
    await told.act(told.network.intake, reject, made.id, reason=RejectReason.NO_CAPACITY)
    assert await told.states(webhook_id) == []
    draft = await told.look("select count(*) from webhook_delivery where role = 'target' and sequence = 0")
    assert draft == [{"count": 0}]


async def test_a_step_that_is_rolled_back_is_told_nobody(told: Told) -> None:
    webhook_id, _ = await told.register()
    made = await told.send()
    with contextlib.suppress(RuntimeError):
        async with told.databases["app"].transaction(told.network.intake) as session:
            await accept(session, told.network.intake, made.id, now=present())
            raise RuntimeError
    assert len(await told.states(webhook_id)) == 1


@pytest.mark.rule("C12")
@pytest.mark.parametrize("when", ["before it happens", "before it is sent"])
@pytest.mark.parametrize("whom", ["the agency", "one who works there"])
async def test_a_blocked_agency_is_told_nothing_and_sees_no_trace(told: Told, when: str, whom: str) -> None:
    webhook_id, _ = await told.register()
    made = await told.send()
    await told.worker_comes_by()
    told.partner.posted.clear()
    column, blocked = "blocked_member_id", told.network.other_intake.member_id
    if whom == "the agency":
        column, blocked = "blocked_agency_id", told.network.intake.agency_id
    if when == "before it is sent":
        await told.act(told.network.intake, accept, made.id)
    await told.look(
        f"insert into survivor_block (id, agency_id, survivor_id, {column}, set_by, set_at)"
        " values ($1, $2, $3, $4, $5, now())",
        uuid4(), told.network.coordinator.agency_id, made.survivor_id, blocked, told.network.coordinator.member_id,
    )  # fmt: skip
    if when == "before it happens":
        await told.act(told.network.coordinator, withdraw_consent, survivor_id=made.survivor_id, via=Via.ORAL)
    waiting = 1 if when == "before it is sent" else 0
    assert len(await told.states(webhook_id)) == 1 + waiting, "not even written"
    await told.worker_comes_by()
    assert told.partner.posted == []
    assert await told.states(webhook_id) == ["delivered"], "what was told before, and nothing since"
    async with told.databases["app"].transaction(told.target_admin) as session:
        seen = await list_deliveries(session, webhook_id, first=9)
    assert len(seen) == (0 if whom == "the agency" else 1)


@pytest.mark.rule("A1")
async def test_an_agencys_endpoints_are_its_admins_own(told: Told) -> None:
    webhook_id, _ = await told.register()
    app = told.databases["app"]
    for actor in (told.network.intake, told.network.coordinator):
        with pytest.raises(NotPermitted):
            await told.act(actor, disable, webhook_id)
    async with app.transaction(told.source_admin) as session:
        assert list(await list_webhooks(session)) == []
        with pytest.raises(NotFound):
            await find_webhook(session, webhook_id)
        with pytest.raises(NotFound):
            await replay(session, told.source_admin, webhook_id, since=present(), now=present())
    async with app.transaction(told.network.intake) as session:
        assert list(await list_webhooks(session)) == []
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with app.transaction(told.target_admin) as session:
            await (await session.connection()).exec_driver_sql("select sealed from webhook_secret")


@pytest.mark.rule("P4")
async def test_secrets_are_sealed_and_the_old_one_signs_for_a_day_more(told: Told, verify: Callable[..., bool]) -> None:
    webhook_id, old = await told.register()
    rotate: dict[str, Any] = {"keyring": told.keyring}
    new = await told.act(told.target_admin, rotate_secret, webhook_id, **rotate)
    rows = await told.look("select encode(sealed, 'escape') as sealed from webhook_secret")
    assert not any(secret.removeprefix("whsec_")[:12] in row["sealed"] for row in rows for secret in (old, new))
    await told.send()
    await told.worker_comes_by()
    await told.send()
    await told.worker_comes_by(timedelta(hours=25))
    both, one = told.partner.posted
    assert [verify(secret, both.headers, both.body, 10**9) for secret in (old, new)] == [True, True]
    assert [verify(secret, one.headers, one.body, 10**9) for secret in (old, new)] == [False, True]


async def test_what_happens_while_it_is_off_is_kept_and_replayed_under_the_same_ids(told: Told) -> None:
    webhook_id, _ = await told.register()
    began = present()
    made = await told.send()
    await told.worker_comes_by()
    await told.act(told.target_admin, disable, webhook_id)
    await told.act(told.network.intake, accept, made.id)
    assert await told.worker_comes_by() == 0
    kinds: dict[str, Any] = {"private": True}
    await told.act(told.target_admin, change, webhook_id, told.partner.url, tuple(EventKind), **kinds)
    assert await told.worker_comes_by() == 0
    assert sorted(await told.states(webhook_id)) == ["delivered", "held"]
    assert await told.act(told.target_admin, replay, webhook_id, since=began) == 2
    assert await told.worker_comes_by() == 2
    ids = [one.headers["webhook-id"] for one in told.partner.posted]
    assert (len(ids), len(set(ids))) == (3, 2)
    one = await told.act(told.target_admin, replay, webhook_id, delivery_id=(await told.look(
        "select id from webhook_delivery where webhook_id = $1 limit 1", webhook_id))[0]["id"])  # fmt: skip
    assert one == 1
    assert await told.worker_comes_by() == 1


async def test_there_is_an_end_to_the_endpoints_of_an_agency(told: Told) -> None:
    for _ in range(10):
        await told.register()
    with pytest.raises(TooManyWebhooks):
        await told.register()
    arguments: dict[str, Any] = {"private": False, "keyring": told.keyring}
    with pytest.raises(NotPermitted):
        await told.act(told.network.intake, register, "https://partner.example", tuple(EventKind), **arguments)

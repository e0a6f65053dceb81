"""Taking a referral back, and taking consent back with everything that stands on it (C4)."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from referralnet.appointments.tables import Mode
from referralnet.consent.ending import Via
from referralnet.consent.refusals import ReleaseWithdrawn
from referralnet.database.acting import Custodian, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.errors import NotFound, NotPermitted, Refusal
from referralnet.jobs import plan_texts
from referralnet.referrals.answering import accept, confirm_cancellation, reject
from referralnet.referrals.lifecycle import IllegalTransition, RejectReason, Status
from referralnet.referrals.reading import referral
from referralnet.referrals.sending import send_referral
from referralnet.referrals.visiting import schedule_visit
from referralnet.referrals.withdrawing import mark_entered_in_error, withdraw_consent, withdraw_referral
from referralnet.survivors.contact_plans import keep_contact_plan
from tests.factories.referrals import (
    CATEGORIES,
    Look,
    Network,
    Sent,
    Tasks,
    make_member,
    make_network,
    present,
    read_at_the_desk,
    run,
    send,
)
from tests.factories.survivors import new_plan
from tests.factories.work import make_work


async def accept_and_book(app: Database, network: Network, made: Sent) -> None:
    now = present()
    await run(app, network.intake, accept, made.id, now=now)
    await run(
        app,
        network.intake,
        schedule_visit,
        made.id,
        local_start=(now + timedelta(days=5)).replace(hour=12, tzinfo=None),
        time_zone="America/Chicago",
        duration_minutes=60,
        mode=Mode.PHONE,
        now=now,
    )


async def plan_text(worker: Database, network: Network, made: Sent, subject_id: UUID, now: datetime) -> UUID:
    """One text to her that is due tomorrow, as the worker plans them."""
    text_id = uuid4()
    async with worker.transaction(Custodian(network.coordinator.agency_id)) as session:
        await session.execute(
            text("""
                insert into text_message (id, agency_id, survivor_id, subject_id, kind, priority, due_at, claimable_at,
                  send_before, occurrence, state, state_at, created_at)
                values (:id, :agency, :survivor, :referral, 'appointment_reminder', 1, :due, :due,
                  :ends, '{}', 'scheduled', :now, :now)
            """),
            {
                "id": text_id,
                "agency": network.coordinator.agency_id,
                "survivor": made.survivor_id,
                "referral": subject_id,
                "due": now + timedelta(days=1),
                "ends": now + timedelta(days=1, hours=1),
                "now": now,
            },
        )
    return text_id


@pytest.mark.rule("C4")
@pytest.mark.parametrize("by_release", [False, True])
async def test_that_a_visit_is_off_is_not_told_after_she_took_everything_back(
    databases: dict[str, Database], keyring: Keyring, look: Look, by_release: bool
) -> None:
    """The shelter had ended the referral before, and the worker had not read of it yet."""
    app = databases["app"]
    network = await make_network(databases["owner"])
    made = await send(app, network, keyring, now=present())
    contact = new_plan(phone="+13125550142")
    await run(app, network.coordinator, keep_contact_plan, made.survivor_id, contact, keyring=keyring, now=present())
    await accept_and_book(app, network, made)
    await run(app, network.intake, reject, made.id, reason=RejectReason.NO_CAPACITY, now=present())
    whose = {"release_id": made.release_id} if by_release else {"survivor_id": made.survivor_id}
    await run(app, network.coordinator, withdraw_consent, via=Via.ORAL, now=present(), **whose)
    assert await plan_texts.run(make_work(databases["worker"], keyring)) == 0
    assert await look("select kind from text_message where subject_id = $1", made.id) == []


@pytest.mark.rule("C4")
@pytest.mark.parametrize("by_release", [False, True])
async def test_one_withdrawal_ends_access_referral_visit_bed_and_texts_together(
    databases: dict[str, Database], keyring: Keyring, look: Look, open_tasks: Tasks, by_release: bool
) -> None:
    app = databases["app"]
    network = await make_network(databases["owner"], beds=1)
    made = await send(app, network, keyring, now=present())
    other = await send(app, network, keyring, now=present())
    await accept_and_book(app, network, made)
    text_id = await plan_text(databases["worker"], network, made, made.id, present())
    text_about_another = await plan_text(databases["worker"], network, made, other.id, present())
    assert (await read_at_the_desk(app, network.intake, made.id, keyring)).categories

    whose = {"release_id": made.release_id} if by_release else {"survivor_id": made.survivor_id}
    summary = await run(app, network.coordinator, withdraw_consent, via=Via.ORAL, now=present(), **whose)

    assert (summary.releases_ended, summary.referrals_closed, summary.texts_cancelled) == (1, 1, 1 if by_release else 2)
    with pytest.raises(Refusal):
        await read_at_the_desk(app, network.intake, made.id, keyring)
    row = await run(app, network.intake, referral, made.id)
    assert (row.status, row.status_reason, row.holds_unit) == (Status.CANCELLED, "consent_withdrawn", False)
    assert await look("select available, held from service_capacity where id = $1", network.capacity_id) == [
        {"available": 1, "held": 0}
    ]
    assert await look("select status from appointment where referral_id = $1", made.id) == [{"status": "cancelled"}]
    assert await look("select state from text_message where id = $1", text_id) == [{"state": "cancelled"}]
    kept = "scheduled" if by_release else "cancelled"
    assert await look("select state from text_message where id = $1", text_about_another) == [{"state": kept}]
    assert await look(
        "select wrapped from keystore.data_key join release on release.data_key_id = data_key.id where release.id = $1",
        made.release_id,
    ) == [{"wrapped": None}]
    assert await look(
        "select ended_via, ended_recorded_by from survivor_release where release_id = $1", made.release_id
    ) == [{"ended_via": "oral", "ended_recorded_by": network.coordinator.member_id}]
    assert await open_tasks(made.id) == {(network.intake.agency_id, "referral_is_over")}
    subject = made.release_id if by_release else made.survivor_id
    trail = await look(
        "select member_id, detail from audit_event where action = 'consent_withdrawn' and subject_id = $1", subject
    )
    assert [row["member_id"] for row in trail] == [network.coordinator.member_id]
    assert (await run(app, network.intake, referral, other.id)).status is Status.REQUESTED, "nobody else's ended"


@pytest.mark.rule("C4")
async def test_a_withdrawal_that_breaks_half_way_has_ended_nothing(
    app: Database, network: Network, keyring: Keyring, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await send(app, network, keyring, now=present())

    async def broken(*_: object, **__: object) -> int:
        raise ConnectionError

    monkeypatch.setattr("referralnet.referrals.withdrawing.cancel_texts", broken)
    with pytest.raises(ConnectionError):
        await run(
            app, network.coordinator, withdraw_consent, survivor_id=made.survivor_id, via=Via.WRITTEN, now=present()
        )
    assert (await run(app, network.intake, referral, made.id)).status is Status.REQUESTED
    assert await look("select status from release where id = $1", made.release_id) == [{"status": "active"}]


@pytest.mark.rule("C4")
async def test_whoever_at_her_agency_hears_her_can_take_her_word_and_nobody_elsewhere(
    app: Database, owner: Database, network: Network, keyring: Keyring
) -> None:
    made = await send(app, network, keyring, now=present())
    for stranger in (network.outsider, network.intake):
        for whose in ({"survivor_id": made.survivor_id}, {"release_id": made.release_id}):
            with pytest.raises(NotFound):
                await run(app, stranger, withdraw_consent, via=Via.ORAL, now=present(), **whose)
    agency_id, kind = network.coordinator.agency_id, network.coordinator.agency_kind
    async with owner.transaction(network.coordinator) as session:
        night_desk = await make_member(session, agency_id, kind, frozenset({Role.INTAKE}))
    summary = await run(app, night_desk, withdraw_consent, survivor_id=made.survivor_id, via=Via.ORAL, now=present())
    assert summary.referrals_closed == 1


@pytest.mark.rule("C4")
async def test_after_a_withdrawal_nothing_more_is_sent_under_that_release_and_it_ends_once(
    app: Database, network: Network, keyring: Keyring
) -> None:
    made = await send(app, network, keyring, now=present())
    await run(app, network.coordinator, withdraw_consent, release_id=made.release_id, via=Via.ORAL, now=present())
    with pytest.raises(ReleaseWithdrawn):
        await run(
            app,
            network.coordinator,
            send_referral,
            survivor_id=made.survivor_id,
            need_id=made.need_id,
            service_at_location_id=network.service_at_location_id,
            release_id=made.release_id,
            categories=CATEGORIES,
            keyring=keyring,
            now=present(),
        )
    with pytest.raises(ReleaseWithdrawn):
        await run(app, network.coordinator, withdraw_consent, release_id=made.release_id, via=Via.ORAL, now=present())


async def test_it_must_be_said_whose_consent_ends(app: Database, network: Network) -> None:
    for whose in ({}, {"survivor_id": uuid4(), "release_id": uuid4()}):
        with pytest.raises(ValueError, match="whose consent"):
            await run(app, network.coordinator, withdraw_consent, via=Via.ORAL, now=present(), **whose)


@pytest.mark.rule("R1")
async def test_an_unanswered_referral_is_taken_back_at_once_and_an_accepted_one_by_asking(
    app: Database, network: Network, keyring: Keyring, open_tasks: Tasks
) -> None:
    made = await send(app, network, keyring, now=present())
    await run(app, network.coordinator, withdraw_referral, made.id, now=present())
    row = await run(app, network.coordinator, referral, made.id)
    assert (row.status, row.business_status, row.status_reason) == (Status.CANCELLED, "6.0", None)
    assert await open_tasks(made.id) == {(network.intake.agency_id, "referral_is_over")}
    made = await send(app, network, keyring, now=present())
    await accept_and_book(app, network, made)
    await run(app, network.coordinator, withdraw_referral, made.id, now=present())
    row = await run(app, network.coordinator, referral, made.id)
    assert (row.status, row.business_status) == (Status.CANCELLATION_REQUESTED, "5.2")
    with pytest.raises(IllegalTransition):
        await run(app, network.coordinator, withdraw_referral, made.id, now=present())
    await run(app, network.intake, confirm_cancellation, made.id, now=present())
    row = await run(app, network.intake, referral, made.id)
    assert row.status is Status.CANCELLED


@pytest.mark.rule("M9")
async def test_a_cancellation_that_is_agreed_to_cancels_the_visit_and_tells_the_custodian(
    app: Database, network: Network, keyring: Keyring, look: Look
) -> None:
    made = await send(app, network, keyring, now=present())
    await accept_and_book(app, network, made)
    await run(app, network.coordinator, withdraw_referral, made.id, now=present())
    await run(app, network.intake, confirm_cancellation, made.id, now=present())
    assert await look("select status from appointment where referral_id = $1", made.id) == [{"status": "cancelled"}]
    kinds = await look(
        "select kind from notice where referral_id = $1 and kind like 'appointment%' order by created_at", made.id
    )
    assert [row["kind"] for row in kinds] == ["appointment_set", "appointment_cancelled"]


@pytest.mark.rule("R1")
async def test_a_referral_made_by_mistake_is_marked_so_while_it_is_unanswered(
    app: Database, network: Network, keyring: Keyring
) -> None:
    made = await send(app, network, keyring, now=present())
    await run(app, network.coordinator, mark_entered_in_error, made.id, now=present())
    row = await run(app, network.coordinator, referral, made.id)
    assert row.status is Status.ENTERED_IN_ERROR
    made = await send(app, network, keyring, now=present())
    await run(app, network.intake, accept, made.id, now=present())
    with pytest.raises(IllegalTransition):
        await run(app, network.coordinator, mark_entered_in_error, made.id, now=present())


@pytest.mark.rule("R1")
async def test_the_target_cannot_take_back_what_it_was_sent(app: Database, network: Network, keyring: Keyring) -> None:
    made = await send(app, network, keyring, now=present())
    for act in (withdraw_referral, mark_entered_in_error):
        with pytest.raises(NotPermitted):
            await run(app, network.intake, act, made.id, now=present())
        with pytest.raises(IllegalTransition):
            await run(app, network.other_intake, act, made.id, now=present())
        with pytest.raises(NotFound):
            await run(app, network.outsider, act, made.id, now=present())

"""Sending: judged again at the last moment, once or not at all, and never after a withdrawal."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from referralnet.database.acting import Dispatcher
from referralnet.messaging import outbox
from referralnet.messaging.cancelling import cancel_texts
from referralnet.messaging.carriers import Ambiguous, Busy, Refused
from referralnet.messaging.claiming import claim_texts
from referralnet.messaging.looking import send_due
from referralnet.messaging.outbox import DueText
from referralnet.messaging.sending import Outcome, Sender, send_text
from tests.factories.messaging import Case
from tests.integration.messaging.conftest import Desk, RememberingCarrier


async def due_text(desk: Desk, case: Case) -> DueText:
    await desk.tell(case)
    await desk.plan()
    rows = await desk.look(
        "select id from text_message where subject_id = $1 and kind = 'appointment_set' and state = 'scheduled'",
        case.referral_id,
    )
    return DueText(rows[0]["id"], case.agency_id)


async def state_of(desk: Desk, due: DueText) -> tuple[str, str | None]:
    (row,) = await desk.look("select state, error_code from text_message where id = $1", due.id)
    return row["state"], row["error_code"]


async def test_a_due_text_reaches_the_phone_once_with_the_windows_end_as_validity(
    desk: Desk, arrange: Any, sender: Sender, carrier: RememberingCarrier
) -> None:
    case = await arrange()
    due = await due_text(desk, case)
    assert await send_text(sender, due) is Outcome.ACCEPTED
    assert await send_text(sender, due) is Outcome.NOT_SENT
    ((to, body, validity_seconds),) = carrier.sent
    assert to == case.phone
    assert body.startswith("Calendar: you are down for Thu, Mar 5 at 9:00 AM.")
    call = carrier.timeout_seconds + 1
    assert validity_seconds == 12 * 3600 - call, "from when the call ends at the latest, after 09:00, to 21:00"
    assert await state_of(desk, due) == ("accepted", None)


@pytest.mark.rule("M1")
@pytest.mark.parametrize(
    ("table", "change", "state", "reason"),
    [
        ("contact_plan", "texts_opted_in_at = null, opt_in_method = null", "held", "no_opt_in"),
        ("contact_plan", "reconfirm_by = '2026-03-01'", "held", "reconfirm_overdue"),
        ("contact_plan", "paused_at = now(), paused_reason = 'staff'", "held", "paused"),
        ("contact_plan", "safe_windows = '[]'", "expired", "window_gone"),
        ("release", "status = 'inactive'", "held", "release_ended"),
        ("referral", "status = 'requested'", "held", "referral_closed"),
        ("appointment", "status = 'cancelled'", "cancelled", "appointment_changed"),
        ("appointment", "status = 'fulfilled'", "cancelled", "appointment_changed"),
    ],
)
async def test_what_changed_since_planning_stops_the_text_at_the_moment_of_sending(
    desk: Desk,
    arrange: Any,
    sender: Sender,
    carrier: RememberingCarrier,
    table: str,
    change: str,
    state: str,
    reason: str,
) -> None:
    case = await arrange()
    due = await due_text(desk, case)
    ids = {"contact_plan": case.plan_id, "release": case.release_id, "referral": case.referral_id}
    await desk.alter(f"update {table} set {change} where id = $1", ids.get(table, case.appointment_id))
    assert await send_text(sender, due) is Outcome.NOT_SENT
    assert carrier.sent == []
    assert await state_of(desk, due) == (state, reason)
    told = [] if state == "cancelled" else [("survivor_not_texted", reason)]
    assert await desk.tasks(case.agency_id) == told


@pytest.mark.rule("M1")
async def test_who_came_before_the_agreed_time_is_reminded_of_nothing_and_nobody_is_told(
    desk: Desk, arrange: Any, sender: Sender
) -> None:
    """Whether the referral has ended since, or not: the reminder is not missing, it is not needed."""
    case = await arrange()
    due = await due_text(desk, case)
    await desk.look("update appointment set status = 'fulfilled' where id = $1", case.appointment_id)
    await desk.look("update release set status = 'inactive' where id = $1", case.release_id)
    assert await send_text(sender, due) is Outcome.NOT_SENT
    assert await state_of(desk, due) == ("cancelled", "appointment_changed")
    assert await desk.look("select kind from task where subject_id = $1", due.id) == []


@pytest.mark.rule("M2")
async def test_a_text_whose_window_has_gone_is_shown_to_a_person_and_not_sent_late(
    desk: Desk, arrange: Any, sender: Sender, carrier: RememberingCarrier
) -> None:
    case = await arrange()
    due = await due_text(desk, case)
    desk.clock.advance(timedelta(hours=12))
    assert await send_text(sender, due) is Outcome.NOT_SENT
    assert carrier.sent == []
    assert await state_of(desk, due) == ("expired", "window_gone")
    assert await desk.tasks(case.agency_id) == [("survivor_not_texted", "window_gone")]


@pytest.mark.rule("M5")
async def test_an_answer_that_never_comes_is_unknown_and_never_sent_again(
    desk: Desk, arrange: Any, sender: Sender, carrier: RememberingCarrier
) -> None:
    case = await arrange()
    due = await due_text(desk, case)
    carrier.fails_with = Ambiguous()
    assert await send_text(sender, due) is Outcome.UNKNOWN
    carrier.fails_with = None
    desk.clock.advance(timedelta(hours=1))
    assert await send_text(sender, due) is Outcome.NOT_SENT
    assert carrier.sent == []
    assert await desk.tasks(case.agency_id) == [("text_unsettled", "no_answer")]


@pytest.mark.rule("M5")
async def test_a_busy_carrier_is_asked_again_later_and_the_text_goes_once(
    desk: Desk, arrange: Any, sender: Sender, carrier: RememberingCarrier
) -> None:
    case = await arrange()
    due = await due_text(desk, case)
    carrier.fails_with = Busy(20)
    assert await send_text(sender, due) is Outcome.BUSY
    carrier.fails_with = None
    assert await send_text(sender, due) is Outcome.NOT_SENT, "not before the pause is over"
    desk.clock.advance(timedelta(seconds=21))
    assert await send_text(sender, due) is Outcome.ACCEPTED
    assert len(carrier.sent) == 1


@pytest.mark.rule("M8")
async def test_an_opt_out_at_the_carrier_is_kept_told_and_holds_in_every_custody(
    desk: Desk, arrange: Any, sender: Sender, carrier: RememberingCarrier
) -> None:
    case = await arrange()
    other = await arrange(phone=case.phone)
    due, due_elsewhere = await due_text(desk, case), await due_text(desk, other)
    carrier.fails_with = Refused("21610")
    assert await send_text(sender, due) is Outcome.REFUSED
    carrier.fails_with = None
    assert await send_text(sender, due) is Outcome.NOT_SENT
    assert await send_text(sender, due_elsewhere) is Outcome.NOT_SENT
    assert carrier.sent == []
    assert await desk.tasks(case.agency_id) == [("survivor_not_texted", "21610")]
    assert await state_of(desk, due_elsewhere) == ("held", "suppressed")


@pytest.mark.rule("C4")
async def test_a_withdrawal_waits_for_the_text_in_flight_and_nothing_is_posted_after_it(
    desk: Desk, arrange: Any, sender: Sender, carrier: RememberingCarrier
) -> None:
    case = await arrange()
    due = await due_text(desk, case)
    order: list[str] = []

    async def withdraw() -> None:
        async with desk.app.transaction(case.coordinator) as session:
            await cancel_texts(session, survivor_id=case.survivor_id, reason="consent_withdrawn", now=desk.clock.now())
        order.append("withdrawn")

    async def during_the_call() -> None:
        withdrawals.append(asyncio.create_task(withdraw()))
        await asyncio.sleep(0.3)
        order.append("posted")

    withdrawals: list[asyncio.Task[None]] = []
    carrier.before_answer = during_the_call
    assert await send_text(sender, due) is Outcome.ACCEPTED
    await asyncio.gather(*withdrawals)
    assert order == ["posted", "withdrawn"]
    assert {state for _, state in await desk.texts(case)} == {"accepted", "cancelled"}


@pytest.mark.rule("C4")
async def test_a_withdrawal_between_claim_and_call_leaves_the_text_unposted(
    desk: Desk, arrange: Any, sender: Sender, carrier: RememberingCarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = await arrange()
    due = await due_text(desk, case)

    async def claim_then_withdraw(*args: Any, **options: Any) -> Any:
        claim = await claim_texts(*args, **options)
        await args[0].commit()
        async with desk.app.transaction(case.coordinator) as session:
            await cancel_texts(session, survivor_id=case.survivor_id, reason="consent_withdrawn", now=desk.clock.now())
        return claim

    monkeypatch.setattr("referralnet.messaging.sending.claim_texts", claim_then_withdraw)
    assert await send_text(sender, due) is Outcome.NOT_SENT
    assert carrier.sent == []
    assert {state for _, state in await desk.texts(case)} == {"cancelled"}


@pytest.mark.rule("M5")
async def test_a_claim_whose_worker_died_is_shown_to_a_person_and_never_sent(
    desk: Desk, arrange: Any, sender: Sender, carrier: RememberingCarrier
) -> None:
    case = await arrange()
    due = await due_text(desk, case)
    async with desk.worker.transaction(case.custodian) as session:
        (claim,) = await claim_texts(session, due, keyring=sender.keyring, now=desk.clock.now(), lease_seconds=30)
    assert claim.text == due
    desk.clock.advance(timedelta(seconds=31))
    async with desk.worker.transaction(Dispatcher()) as session:
        assert due in await outbox.lapsed_leases(session, now=desk.clock.now())
    async with desk.worker.transaction(case.custodian) as session:
        assert await outbox.give_up_lease(session, due.id, now=desk.clock.now())
    assert await send_text(sender, due) is Outcome.NOT_SENT
    assert carrier.sent == []
    assert await state_of(desk, due) == ("unknown", "lease_lapsed")
    assert await desk.tasks(case.agency_id) == [("text_unsettled", "lease_lapsed")]


@pytest.mark.rule("M12")
async def test_one_agencys_surge_does_not_delay_anothers_urgent_text(desk: Desk, arrange: Any, sender: Sender) -> None:
    surge = await arrange()
    quiet = await arrange()
    await due_text(desk, surge)
    await desk.alter(
        "insert into text_message (id, agency_id, survivor_id, subject_id, kind, priority, due_at, claimable_at, "
        "send_before,"
        " occurrence, state, state_at, created_at) select gen_random_uuid(), agency_id, survivor_id, "
        "gen_random_uuid(), kind, 0,"
        " due_at - interval '1 hour', claimable_at - interval '1 hour', send_before, occurrence, state, state_at, "
        "created_at"
        " from text_message, generate_series(1, 300) where subject_id = $1 and kind = 'appointment_set'",
        surge.referral_id,
    )
    later = quiet.starts_at + timedelta(days=1)
    await desk.alter("update appointment set starts_at = $1 where id = $2", later, quiet.appointment_id)
    await desk.tell(quiet, "appointment_changed", later)
    await desk.plan()
    async with desk.worker.transaction(Dispatcher()) as session:
        turns = await outbox.due_turns(session, now=desk.clock.now(), first=10)
    assert quiet.agency_id in [turn.agency_id for turn in turns[:5]]
    await desk.alter("delete from text_message where subject_id <> $1", quiet.referral_id)


async def test_texts_of_the_minute_go_out_many_at_a_time_and_each_once(
    desk: Desk, arrange: Any, sender: Sender, carrier: RememberingCarrier
) -> None:
    for _ in range(6):
        await desk.tell(await arrange())
    await desk.plan()
    looks = [await send_due(sender, first=100, at_once=3) for _ in range(2)]
    assert looks[0].outcomes[Outcome.ACCEPTED] >= 6
    assert not looks[1].outcomes
    assert len({to for to, _, _ in carrier.sent}) == len(carrier.sent)

"""Texts of one custody go together, and what one of them meets concerns no other."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from referralnet.messaging.cancelling import cancel_texts
from referralnet.messaging.carriers import Ambiguous, Busy, Refused
from referralnet.messaging.claiming import claim_texts
from referralnet.messaging.looking import send_due
from referralnet.messaging.outbox import Turn
from referralnet.messaging.pacing import Pace
from referralnet.messaging.sending import Outcome, Sender, Sent, send_together
from tests.factories.messaging import Case, superuser
from tests.integration.messaging.conftest import Desk, RememberingCarrier

Due = Callable[..., Awaitable[list[Case]]]


@pytest.fixture
async def due(desk: Desk, arrange: Callable[..., Awaitable[Case]]) -> Due:
    """Makes one text each that is due, of survivors of one agency, and nothing else that is."""

    async def make(count: int) -> list[Case]:
        cases: list[Case] = []
        for number in range(count):
            agencies = {"agency_id": cases[0].agency_id, "target_agency_id": cases[0].target_agency_id} if cases else {}
            cases.append(await arrange(phone=f"+1773555{number:04d}", **agencies))
            await desk.tell(cases[-1])
        await desk.plan()
        return cases

    for table in ("text_message", "task", "suppression"):
        await desk.alter(f"delete from {table}")
    return make


async def state_of(desk: Desk, case: Case) -> str:
    (row,) = await desk.look(
        "select state, error_code from text_message where subject_id = $1 and kind = 'appointment_set'",
        case.referral_id,
    )
    return f"{row['state']} {row['error_code'] or ''}".strip()


async def send(sender: Sender, cases: list[Case]) -> Sent:
    return await send_together(sender, Turn(cases[0].agency_id, 1, 1), at_most=len(cases))


async def withdraw(desk: Desk, case: Case) -> None:
    async with desk.app.transaction(case.coordinator) as session:
        await cancel_texts(session, survivor_id=case.survivor_id, reason="consent_withdrawn", now=desk.clock.now())


def after_the_claim(monkeypatch: pytest.MonkeyPatch, then: Callable[[], Awaitable[None]]) -> None:
    """Have something happen between a group's claim and its calls, once."""

    async def claim_and(*args: Any, **options: Any) -> Any:
        claims = await claim_texts(*args, **options)
        await args[0].commit()
        monkeypatch.undo()
        await then()
        return claims

    monkeypatch.setattr("referralnet.messaging.sending.claim_texts", claim_and)


@pytest.mark.rule("M5")
async def test_each_of_a_group_ends_as_the_carrier_answered_it(
    desk: Desk, sender: Sender, carrier: RememberingCarrier, due: Due
) -> None:
    cases = await due(6)
    taken, refused, busy, silent, broken, also_taken = cases
    carrier.fails_for = {
        refused.phone: Refused("21610"), busy.phone: Busy(20), silent.phone: Ambiguous(), broken.phone: RuntimeError(),
    }  # fmt: skip
    sent = await send(sender, cases)
    assert Counter(sent.outcomes) == {
        Outcome.ACCEPTED: 2, Outcome.REFUSED: 1, Outcome.BUSY: 1, Outcome.UNKNOWN: 1,
    }  # fmt: skip
    assert isinstance(sent.broken, RuntimeError)
    assert [await state_of(desk, case) for case in cases] == [
        "accepted", "failed 21610", "scheduled", "unknown no_answer", "claimed", "accepted",
    ]  # fmt: skip
    assert sorted(await desk.tasks(taken.agency_id)) == [
        ("survivor_not_texted", "21610"), ("text_unsettled", "no_answer"),
    ]  # fmt: skip
    assert {to for to, _, _ in carrier.sent} == {taken.phone, also_taken.phone}
    recorded = await desk.look("select subject_id from audit_event where action = 'text_sent'")
    accepted = await desk.look("select id from text_message where state = 'accepted'")
    assert {row["id"] for row in accepted} <= {row["subject_id"] for row in recorded}


@pytest.mark.rule("M5")
async def test_of_two_that_the_carrier_calls_the_same_one_is_unknown_and_the_others_are_accepted(
    desk: Desk, sender: Sender, carrier: RememberingCarrier, due: Due
) -> None:
    cases = await due(4)
    carrier.calls = {cases[1].phone: "SMsame", cases[2].phone: "SMsame"}
    sent = await send(sender, cases)
    assert (Counter(sent.outcomes), sent.broken) == ({Outcome.ACCEPTED: 3, Outcome.UNKNOWN: 1}, None)
    assert Counter([await state_of(desk, case) for case in cases]) == {"accepted": 3, "unknown no_answer": 1}
    assert await desk.tasks(cases[0].agency_id) == [("text_unsettled", "no_answer")]


@pytest.mark.rule("M5")
async def test_a_name_that_cannot_be_kept_keeps_no_other_from_being_kept(
    desk: Desk, sender: Sender, carrier: RememberingCarrier, due: Due
) -> None:
    cases = await due(3)
    carrier.calls = {cases[1].phone: "SM\x00"}
    sent = await send(sender, cases)
    assert (sent.outcomes, sent.broken is None) == ([Outcome.ACCEPTED] * 2, False)
    assert [await state_of(desk, case) for case in cases] == ["accepted", "claimed", "accepted"], "its lease lapses"


@pytest.mark.rule("M12")
async def test_one_that_cannot_be_judged_keeps_back_no_other_and_is_left_for_now(
    desk: Desk, sender: Sender, carrier: RememberingCarrier, due: Due
) -> None:
    cases = await due(3)
    await desk.alter(
        "update keystore.data_key set wrapped = '\\x00' where id = (select data_key_id from survivor where id = $1)",
        cases[0].survivor_id,
    )
    await desk.alter("update text_message set priority = 0 where subject_id = $1", cases[0].referral_id)
    assert Counter((await send(sender, cases)).outcomes) == {Outcome.ACCEPTED: 2, Outcome.NOT_SENT: 1}
    assert [await state_of(desk, case) for case in cases] == ["scheduled", "accepted", "accepted"]
    assert (await send_due(sender, first=10, at_once=4)).outcomes == {}, "it is not tried again and again"


BREAKS = {
    "claiming": "alter table text_message add constraint broken"
    " check (subject_id <> '{referral}' or state <> 'claimed')",
    "taking": "update text_message set occurrence = '{{\"appointment_id\": \"none\"}}' where subject_id = '{referral}'",
    "withholding": "update contact_plan set paused_at = now(), paused_reason = 'staff'"
    " where survivor_id = '{survivor}';"
    " delete from contact_plan_change; alter table task add constraint broken check (subject_id <> '{text}') not valid",
}
"""Where the database itself refuses something about one text."""
MENDED = "alter table text_message drop constraint if exists broken; alter table task drop constraint if exists broken"


@pytest.mark.rule("M12")
@pytest.mark.parametrize("where", BREAKS)
async def test_one_that_the_database_refuses_keeps_back_no_other_and_comes_again(
    desk: Desk, sender: Sender, carrier: RememberingCarrier, due: Due, where: str
) -> None:
    cases = await due(3)
    await desk.alter("delete from failing_row")
    broken, *sound = cases
    (text,) = await desk.look("select id from text_message where subject_id = $1 and kind = 'appointment_set'",
                              broken.referral_id)  # fmt: skip
    async with superuser(desk.urls) as db:
        await db.execute(
            BREAKS[where].format(referral=broken.referral_id, survivor=broken.survivor_id, text=text["id"])
        )
        try:
            sent = await send(sender, cases)
            again = await send_due(sender, first=10, at_once=4)
        finally:
            await db.execute(MENDED)
    assert (Counter(sent.outcomes), sent.broken) == ({Outcome.ACCEPTED: 2, Outcome.NOT_SENT: 1}, None)
    assert {to for to, _, _ in carrier.sent} == {case.phone for case in sound}
    assert again.outcomes == {}, "it is not tried again and again"
    failing = await desk.look("select job, row_id, failures from failing_row")
    assert [tuple(row.values()) for row in failing] == [("send_texts", text["id"], 1)]


@pytest.mark.rule("C4")
async def test_a_withdrawal_waits_for_a_groups_calls_and_nothing_is_posted_after_it(
    desk: Desk, sender: Sender, carrier: RememberingCarrier, due: Due
) -> None:
    cases = await due(3)
    order: list[str] = []

    async def withdraw_one() -> None:
        await withdraw(desk, cases[1])
        order.append("withdrawn")

    async def during_the_call() -> None:
        if not withdrawals:
            withdrawals.append(asyncio.create_task(withdraw_one()))
        await asyncio.sleep(0.3)
        order.append("posted")

    withdrawals: list[asyncio.Task[None]] = []
    carrier.before_answer = during_the_call
    assert (await send(sender, cases)).outcomes == [Outcome.ACCEPTED] * 3
    await asyncio.gather(*withdrawals)
    assert order == ["posted"] * 3 + ["withdrawn"]


@pytest.mark.rule("C4")
async def test_a_withdrawal_between_claim_and_calls_takes_its_text_from_the_group(
    desk: Desk, sender: Sender, carrier: RememberingCarrier, due: Due, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = await due(3)
    after_the_claim(monkeypatch, lambda: withdraw(desk, cases[1]))
    assert Counter((await send(sender, cases)).outcomes) == {Outcome.ACCEPTED: 2, Outcome.NOT_SENT: 1}
    assert [await state_of(desk, case) for case in cases] == ["accepted", "cancelled consent_withdrawn", "accepted"]
    assert {to for to, _, _ in carrier.sent} == {cases[0].phone, cases[2].phone}


@pytest.mark.rule("C4")
async def test_a_withdrawal_that_has_one_of_her_texts_and_wants_the_next_never_waits_for_whom_it_keeps_waiting(
    desk: Desk, sender: Sender, carrier: RememberingCarrier, due: Due, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = await due(2)
    lock = "select from text_message where subject_id = $1 and kind = 'appointment_set' for update"
    async with superuser(desk.urls) as db:
        withdrawing = db.transaction()

        async def lock_the_first() -> None:
            await withdrawing.start()
            await db.execute(lock, cases[0].referral_id)

        async def lock_the_next_and_withdraw() -> None:
            await db.execute(lock, cases[1].referral_id)
            await db.execute(
                "update text_message set state = 'unknown', fence = fence + 1, error_code = 'consent_withdrawn'"
                " where subject_id = $1",
                cases[0].referral_id,
            )
            await withdrawing.commit()

        async def during_the_call() -> None:
            withdrawals.append(asyncio.create_task(lock_the_next_and_withdraw()))
            await asyncio.sleep(0.3)

        withdrawals: list[asyncio.Task[None]] = []
        carrier.before_answer = during_the_call
        after_the_claim(monkeypatch, lock_the_first)
        async with asyncio.timeout(10):
            sent = await send(sender, cases)
            await asyncio.gather(*withdrawals)
    assert Counter(sent.outcomes) == {Outcome.ACCEPTED: 1, Outcome.NOT_SENT: 1}
    assert [to for to, _, _ in carrier.sent] == [cases[1].phone], "hers was not posted after it"
    assert await state_of(desk, cases[0]) == "cancelled consent_withdrawn"


async def test_one_that_somebody_has_for_a_moment_goes_after_the_group(
    desk: Desk, sender: Sender, carrier: RememberingCarrier, due: Due, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = await due(3)
    async with superuser(desk.urls) as db:
        holding = db.transaction()

        async def hold_one() -> None:
            await holding.start()
            await db.execute("select from text_message where subject_id = $1 for update", cases[0].referral_id)

        async def let_go() -> None:
            if len(carrier.sent) == 1:
                await holding.rollback()

        carrier.before_answer = let_go
        after_the_claim(monkeypatch, hold_one)
        assert (await send(sender, cases)).outcomes == [Outcome.ACCEPTED] * 3
    assert carrier.sent[-1][0] == cases[0].phone


async def test_no_more_are_in_hand_than_are_sent_at_once_and_whoever_is_to_stop_begins_no_group(
    desk: Desk, sender: Sender, carrier: RememberingCarrier, due: Due
) -> None:
    await due(9)
    in_hand: list[int] = []

    async def count() -> None:
        (row,) = await desk.look("select count(*) as claimed from text_message where state = 'claimed'")
        in_hand.append(row["claimed"])

    carrier.before_answer = count
    look = await send_due(sender, first=9, at_once=4, stopping=lambda: len(carrier.sent) > 0)
    assert look.outcomes == {Outcome.ACCEPTED: 4}
    assert max(in_hand) <= 4
    states = await desk.look("select state, count(*) as count from text_message where due_at <= $1 group by state",
                             desk.clock.now())  # fmt: skip
    assert {row["state"]: row["count"] for row in states} == {"accepted": 4, "scheduled": 5}


@pytest.mark.rule("M12")
async def test_what_a_group_did_not_hand_over_is_given_back_to_the_rate(
    desk: Desk, sender: Sender, carrier: RememberingCarrier, due: Due
) -> None:
    cases = await due(5)
    paced = Sender(
        sender.database, sender.carrier, sender.keyring, sender.clock, sender.public_base_url, pace=Pace(0.001, 4)
    )
    for case in cases[:2]:
        await desk.alter("update contact_plan set paused_at = now(), paused_reason = 'staff' where id = $1",
                         case.plan_id)  # fmt: skip
    await send_due(paced, first=10, at_once=8)
    await send_due(paced, first=10, at_once=8)
    assert {to for to, _, _ in carrier.sent} == {case.phone for case in cases[2:]}

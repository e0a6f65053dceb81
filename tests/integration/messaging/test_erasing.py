"""What a text held is gone, here and at the carrier, once nothing about it can arrive any more (M10)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from referralnet.clock import FixedClock
from referralnet.database.acting import Nobody
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.jobs import apply_callbacks, erase_texts, read_inbound, send_texts
from referralnet.jobs.work import Work
from referralnet.messaging.carriers import Ambiguous, Busy, Refused, RemoteText, Report, Written
from referralnet.messaging.policy import ERASED_AGAIN_AFTER, KEPT_AFTER_LAST_STATUS, SILENT_AFTER
from referralnet.messaging.receiving import keep_callback, keep_inbound
from referralnet.messaging.sending import Sender
from referralnet.messaging.tables import TextState
from referralnet.messaging.wording import Message, Occasion, render
from tests.factories.messaging import Case
from tests.integration.messaging.conftest import Desk, RememberingCarrier

MOMENT = timedelta(seconds=1)


@pytest.fixture
def work(sender: Sender) -> Work:
    return Work(sender, texts_at_once=2, text_unlisted_seconds=900)


async def sent(desk: Desk, work: Work, case: Case, status: str | None = None) -> dict[str, Any]:
    """One text of this case that went out, and what the carrier reported of it."""
    await desk.tell(case)
    await desk.plan()
    await send_texts.run(work)
    (row,) = await desk.look(
        "select id, carrier_sid from text_message where subject_id = $1 and attempts = 1", case.referral_id
    )
    if status is not None:
        async with desk.app.transaction(Nobody()) as session:
            report = Report(row["carrier_sid"] or f"SM{uuid4().hex}", TextState(status), None)
            await keep_callback(session, text_id=row["id"], report=report, now=desk.clock.now())
        await apply_callbacks.run(work)
    return row


async def held(desk: Desk, case: Case) -> tuple[bool, bool]:
    """Whether number and body of the text that went out are still there."""
    (row,) = await desk.look(
        "select to_sealed is not null as number, body_sealed is not null as body from text_message"
        " where subject_id = $1 and attempts = 1",
        case.referral_id,
    )
    return row["number"], row["body"]


@pytest.mark.rule("M10")
@pytest.mark.parametrize("status", ["delivered", "undelivered", "failed"])
async def test_number_and_body_are_kept_for_a_time_after_the_last_status_and_then_gone_everywhere(
    desk: Desk, arrange: Any, work: Work, carrier: RememberingCarrier, status: str
) -> None:
    case = await arrange(starts_at=desk.clock.now() + timedelta(days=30))
    text = await sent(desk, work, case, status)
    desk.clock.advance(KEPT_AFTER_LAST_STATUS - MOMENT)
    await erase_texts.run(work)
    assert (await held(desk, case), text["carrier_sid"] in carrier.erased) == ((True, True), False)
    desk.clock.advance(2 * MOMENT)
    await erase_texts.run(work)
    assert (await held(desk, case), carrier.erased.count(text["carrier_sid"])) == ((False, False), 1)
    await erase_texts.run(work)
    assert carrier.erased.count(text["carrier_sid"]) == 1
    with pytest.raises(asyncpg.CheckViolationError):
        await desk.alter("update text_message set body_sealed = 'again' where id = $1", text["id"])


@pytest.mark.rule("M10")
async def test_a_text_of_which_the_carrier_says_nothing_more_is_erased_a_week_later(
    desk: Desk, arrange: Any, work: Work, carrier: RememberingCarrier
) -> None:
    case = await arrange(starts_at=desk.clock.now() + timedelta(days=30))
    text = await sent(desk, work, case, "sent")
    desk.clock.advance(SILENT_AFTER - MOMENT)
    await erase_texts.run(work)
    assert (await held(desk, case), text["carrier_sid"] in carrier.erased) == ((True, True), False)
    desk.clock.advance(2 * MOMENT)
    await erase_texts.run(work)
    assert (await held(desk, case), text["carrier_sid"] in carrier.erased) == ((False, False), True)


@pytest.mark.rule("M10")
async def test_what_nobody_could_settle_is_looked_for_at_the_carrier_before_it_is_erased_here(
    desk: Desk, arrange: Any, work: Work, carrier: RememberingCarrier
) -> None:
    case = await arrange(starts_at=desk.clock.now() + timedelta(days=30))
    carrier.fails_with = Ambiguous()
    await sent(desk, work, case)
    carrier.fails_with = None
    body = render(Message.APPOINTMENT_SET, "en", Occasion(case.starts_at, "America/Chicago", "calendar"))
    carrier.listed = [
        RemoteText(sid, case.phone, said, TextState.DELIVERED)
        for sid, said in (("SMa", body), ("SMb", body), ("SMc", "else"))
    ]
    desk.clock.advance(SILENT_AFTER + MOMENT)
    carrier.erase_fails_with = Busy(1)
    await erase_texts.run(work)
    assert await held(desk, case) == (True, True), "it is found by number and body alone"
    carrier.erase_fails_with = None
    await erase_texts.run(work)
    assert await held(desk, case) == (False, False)
    assert ({"SMa", "SMb"} <= set(carrier.erased), "SMc" in carrier.erased) == (True, False)


@pytest.mark.rule("M10")
async def test_what_the_carrier_will_not_erase_is_told_to_a_person_and_asked_for_again(
    desk: Desk, arrange: Any, work: Work, carrier: RememberingCarrier
) -> None:
    case = await arrange(starts_at=desk.clock.now() + timedelta(days=30))
    text = await sent(desk, work, case, "delivered")
    desk.clock.advance(KEPT_AFTER_LAST_STATUS + MOMENT)
    carrier.erase_fails_with = Refused("20009")
    await erase_texts.run(work)
    assert await held(desk, case) == (False, False), "here it is erased all the same"
    assert ("text_not_erased", "20009") in await desk.tasks(case.agency_id)
    carrier.erase_fails_with = None
    await erase_texts.run(work)
    assert text["carrier_sid"] not in carrier.erased, "not at once"
    desk.clock.advance(ERASED_AGAIN_AFTER + MOMENT)
    await erase_texts.run(work)
    assert text["carrier_sid"] in carrier.erased


@pytest.mark.rule("M10")
async def test_what_came_in_and_the_answer_to_it_are_erased_as_well(
    desk: Desk, work: Work, carrier: RememberingCarrier, keyring: Keyring, app: Database, clock: FixedClock
) -> None:
    sid, waiting = f"SM{uuid4().hex}", f"SM{uuid4().hex}"
    async with app.transaction(Nobody()) as session:
        await keep_inbound(session, keyring, Written(sid, "+13125559931", "stop"), now=clock.now())
    await read_inbound.run(work)
    await send_texts.run(work)
    clock.advance(SILENT_AFTER + MOMENT)
    async with app.transaction(Nobody()) as session:
        await keep_inbound(session, keyring, Written(waiting, "+13125559932", "1"), now=clock.now())
    await erase_texts.run(work)
    kept = await desk.look(
        "select carrier_sid from inbound_text where from_lookup is not null or body_sealed is not null"
        " or from_sealed is not null"
    )
    assert [row["carrier_sid"] for row in kept] == [waiting], "what nobody has read yet stays"
    answers = await desk.look("select carrier_sid, to_sealed, body_sealed from text_message where agency_id is null")
    assert {(row["to_sealed"], row["body_sealed"]) for row in answers} == {(None, None)}
    assert {sid, *(row["carrier_sid"] for row in answers)} <= set(carrier.erased)
    assert waiting not in carrier.erased
    await read_inbound.run(work)


@pytest.mark.rule("M11")
async def test_a_restored_database_erases_nothing_at_the_carrier(
    desk: Desk, arrange: Any, work: Work, carrier: RememberingCarrier
) -> None:
    case = await arrange(starts_at=desk.clock.now() + timedelta(days=30))
    await sent(desk, work, case, "delivered")
    desk.clock.advance(KEPT_AFTER_LAST_STATUS + MOMENT)
    permitted = await desk.look("select system_identifier from sending_permit")
    await desk.alter("update sending_permit set system_identifier = 1")
    await erase_texts.run(work)
    await desk.alter("update sending_permit set system_identifier = $1", permitted[0]["system_identifier"])
    assert (carrier.erased, await held(desk, case)) == ([], (False, False))


@pytest.mark.rule("M10")
async def test_a_text_that_the_carrier_has_told_of_by_two_names_is_erased_under_both(
    desk: Desk, arrange: Any, work: Work, carrier: RememberingCarrier
) -> None:
    case = await arrange(starts_at=desk.clock.now() + timedelta(days=30))
    text = await sent(desk, work, case, "sent")
    async with desk.app.transaction(Nobody()) as session:
        report = Report("SM-another-name", TextState.DELIVERED, None)
        await keep_callback(session, text_id=text["id"], report=report, now=desk.clock.now())
    await apply_callbacks.run(work)
    desk.clock.advance(KEPT_AFTER_LAST_STATUS + MOMENT)
    await erase_texts.run(work)
    assert {text["carrier_sid"], "SM-another-name"} <= set(carrier.erased)

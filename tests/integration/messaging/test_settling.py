"""Reports and the carrier's own list settle what nobody knew; nothing is ever sent to find out (M5, M7, M8)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from referralnet.database.acting import Nobody
from referralnet.encryption.lookup import lookup_hash
from referralnet.jobs import apply_callbacks, send_texts, settle_unknown, sweep_leases
from referralnet.jobs.work import Work
from referralnet.messaging.cancelling import cancel_texts
from referralnet.messaging.carriers import Ambiguous, RemoteText, Report
from referralnet.messaging.claiming import claim_texts
from referralnet.messaging.outbox import DueText
from referralnet.messaging.receiving import keep_callback
from referralnet.messaging.sending import Sender
from referralnet.messaging.tables import TextState
from tests.factories.messaging import Case
from tests.integration.messaging.conftest import Desk, RememberingCarrier


@pytest.fixture
def work(sender: Sender) -> Work:
    return Work(sender, texts_at_once=2, text_unlisted_seconds=900)


async def report(
    desk: Desk, work: Work, text_id: UUID, status: str, *, sid: str, error_code: str | None = None
) -> None:
    async with desk.app.transaction(Nobody()) as session:
        await keep_callback(
            session, text_id=text_id, report=Report(sid, TextState(status), error_code), now=desk.clock.now()
        )
    await apply_callbacks.run(work)


async def one_text(desk: Desk, case: Case) -> UUID:
    await desk.tell(case)
    await desk.plan()
    (row,) = await desk.look(
        "select id from text_message where subject_id = $1 and kind = 'appointment_set'", case.referral_id
    )
    text_id: UUID = row["id"]
    return text_id


async def unknown_text(desk: Desk, case: Case, work: Work, carrier: RememberingCarrier) -> UUID:
    text_id = await one_text(desk, case)
    carrier.fails_with = Ambiguous()
    await send_texts.run(work)
    carrier.fails_with = None
    assert await state(desk, text_id) == "unknown"
    return text_id


async def state(desk: Desk, text_id: UUID) -> str:
    (row,) = await desk.look("select state from text_message where id = $1", text_id)
    return str(row["state"])


@pytest.mark.rule("M7")
async def test_reports_in_the_wrong_order_and_twice_leave_the_best_news(desk: Desk, arrange: Any, work: Work) -> None:
    text_id = await one_text(desk, await arrange())
    await send_texts.run(work)
    (row,) = await desk.look("select carrier_sid from text_message where id = $1", text_id)
    seen = []
    for status in ("undelivered", "delivered", "sent", "delivered", "undelivered", "accepted"):
        await report(desk, work, text_id, status, sid=row["carrier_sid"])
        seen.append(await state(desk, text_id))
    assert seen == ["undelivered"] + ["delivered"] * 5


@pytest.mark.rule("M5")
async def test_a_report_settles_an_unknown_text_and_closes_its_task(
    desk: Desk, arrange: Any, work: Work, carrier: RememberingCarrier
) -> None:
    case = await arrange()
    text_id = await unknown_text(desk, case, work, carrier)
    assert await desk.tasks(case.agency_id) == [("text_unsettled", "no_answer")]
    await report(desk, work, text_id, "sent", sid="SM-late")
    assert await state(desk, text_id) == "sent"
    assert await desk.tasks(case.agency_id) == []


@pytest.mark.rule("M5")
async def test_the_carriers_list_settles_an_unknown_text_it_holds(
    desk: Desk, arrange: Any, work: Work, carrier: RememberingCarrier
) -> None:
    case = await arrange()
    text_id = await unknown_text(desk, case, work, carrier)
    body = "Calendar: you are down for Thu, Mar 5 at 9:00 AM. Reply 1 yes, 2 call me, 3 bad time. STOP ends texts."
    carrier.listed = [
        RemoteText("SM-found", case.phone, body, TextState.DELIVERED),
        RemoteText("SM-x", case.phone, "other", TextState.SENT),
    ]
    desk.clock.advance(timedelta(seconds=30))
    assert await settle_unknown.run(work) == 1
    assert await state(desk, text_id) == "delivered"
    assert carrier.sent == []


@pytest.mark.rule("M5")
async def test_what_the_list_still_lacks_after_long_was_never_there_and_a_person_decides(
    desk: Desk, arrange: Any, work: Work, carrier: RememberingCarrier
) -> None:
    case = await arrange()
    text_id = await unknown_text(desk, case, work, carrier)
    desk.clock.advance(timedelta(minutes=10))
    assert await settle_unknown.run(work) == 0
    assert await state(desk, text_id) == "unknown"
    desk.clock.advance(timedelta(minutes=6))
    assert await settle_unknown.run(work) == 1
    assert await state(desk, text_id) == "failed"
    assert await desk.tasks(case.agency_id) == [("text_unsettled", "no_answer")]
    await send_texts.run(work)
    assert carrier.sent == []


@pytest.mark.rule("M5")
async def test_a_text_that_a_withdrawal_found_in_a_dead_workers_hands_is_shown_to_a_person(
    desk: Desk, arrange: Any, work: Work
) -> None:
    case = await arrange()
    text_id = await one_text(desk, case)
    async with desk.worker.transaction(case.custodian) as session:
        due = DueText(text_id, case.agency_id)
        assert await claim_texts(session, due, keyring=work.keyring, now=desk.clock.now(), lease_seconds=30)
    async with desk.app.transaction(case.coordinator) as session:
        await cancel_texts(session, subject_id=case.referral_id, reason="consent_withdrawn", now=desk.clock.now())
    assert await state(desk, text_id) == "unknown"
    desk.clock.advance(timedelta(minutes=1))
    await sweep_leases.run(work)
    assert await desk.tasks(case.agency_id) == [("text_unsettled", "interrupted")]


@pytest.mark.rule("M8")
async def test_an_opt_out_that_the_carrier_reports_later_is_kept_too(desk: Desk, arrange: Any, work: Work) -> None:
    case = await arrange()
    text_id = await one_text(desk, case)
    await send_texts.run(work)
    (row,) = await desk.look("select carrier_sid from text_message where id = $1", text_id)
    before = len(await desk.look("select 1 from suppression"))
    await report(desk, work, text_id, "failed", sid=row["carrier_sid"], error_code="21610")
    assert len(await desk.look("select 1 from suppression")) == before + 1
    assert await desk.tasks(case.agency_id) == [("survivor_not_texted", "21610")]


@pytest.mark.rule("M5", "M7")
@pytest.mark.parametrize("said", ["accepted", "sent", "delivered"])
async def test_the_carriers_word_is_better_than_our_guess_that_it_never_had_the_text(
    desk: Desk, arrange: Any, work: Work, carrier: RememberingCarrier, said: str
) -> None:
    case = await arrange()
    text_id = await unknown_text(desk, case, work, carrier)
    desk.clock.advance(timedelta(minutes=16))
    await settle_unknown.run(work)
    assert await state(desk, text_id) == "failed"
    await report(desk, work, text_id, said, sid=f"SM-{text_id}")
    assert await state(desk, text_id) == said
    assert await desk.tasks(case.agency_id) == []


@pytest.mark.rule("M8")
async def test_an_opt_out_is_kept_even_if_a_better_report_came_before(desk: Desk, arrange: Any, work: Work) -> None:
    case = await arrange()
    text_id = await one_text(desk, case)
    await send_texts.run(work)
    await report(desk, work, text_id, "undelivered", sid=f"SM-{text_id}", error_code="30003")
    await report(desk, work, text_id, "failed", sid=f"SM-{text_id}", error_code="21610")
    lookup = lookup_hash(work.keyring, "phone", case.phone)
    assert await desk.look("select via from suppression where phone_lookup = $1", lookup) == [{"via": "carrier"}]
    assert await state(desk, text_id) == "undelivered"


@pytest.mark.rule("M7")
async def test_a_late_delivered_takes_the_task_away_that_a_failure_had_opened(
    desk: Desk, arrange: Any, work: Work
) -> None:
    case = await arrange()
    text_id = await one_text(desk, case)
    await send_texts.run(work)
    await report(desk, work, text_id, "undelivered", sid=f"SM-{text_id}", error_code="30003")
    assert await desk.tasks(case.agency_id) == [("survivor_not_texted", "30003")]
    await report(desk, work, text_id, "delivered", sid=f"SM-{text_id}")
    assert await desk.tasks(case.agency_id) == []


@pytest.mark.rule("M5")
async def test_a_carrier_that_calls_two_texts_the_same_stops_no_report(
    desk: Desk, arrange: Any, work: Work, carrier: RememberingCarrier
) -> None:
    first, second = await arrange(), await arrange()
    text_ids = [await one_text(desk, case) for case in (first, second)]
    carrier.calls_all = "SM-the-same"
    await send_texts.run(work)
    assert sorted([await state(desk, text_id) for text_id in text_ids]) == ["accepted", "unknown"]
    for text_id in text_ids:
        await report(desk, work, text_id, "delivered", sid="SM-the-same")
    assert [await state(desk, text_id) for text_id in text_ids] == ["delivered", "delivered"]
    assert (await desk.tasks(first.agency_id), await desk.tasks(second.agency_id)) == ([], [])

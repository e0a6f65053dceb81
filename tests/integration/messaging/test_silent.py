"""A text that the carrier took and said nothing final about is asked about, settled, or shown as that (M5)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from referralnet.jobs import ask_about_texts, send_texts
from referralnet.jobs.work import Work
from referralnet.messaging.carriers import Ambiguous, Busy, RemoteText
from referralnet.messaging.delivery import describe_delivery
from referralnet.messaging.policy import ASKED_ABOUT_AFTER, SILENT_AFTER
from referralnet.messaging.sending import Sender
from referralnet.messaging.tables import TextState
from tests.factories.messaging import Case
from tests.integration.messaging.conftest import Desk, RememberingCarrier

MOMENT = timedelta(minutes=1)


@pytest.fixture
def work(sender: Sender) -> Work:
    return Work(sender, texts_at_once=2, text_unlisted_seconds=900)


async def sent(desk: Desk, work: Work, case: Case) -> tuple[UUID, str]:
    """A text that the carrier has taken, alone: (id, sid)."""
    await desk.alter("delete from text_message")
    await desk.tell(case)
    await desk.plan()
    await send_texts.run(work)
    (row,) = await desk.look("select id, carrier_sid from text_message where state = 'accepted'")
    return row["id"], row["carrier_sid"]


async def stands(desk: Desk, text_id: UUID) -> tuple[str, str | None]:
    (row,) = await desk.look("select state, error_code from text_message where id = $1", text_id)
    return row["state"], row["error_code"]


@pytest.fixture
async def case(desk: Desk, arrange: Any) -> Case:
    made: Case = await arrange(starts_at=desk.clock.now() + timedelta(days=30))
    return made


@pytest.mark.rule("M5")
@pytest.mark.parametrize(
    ("said", "code"), [(TextState.DELIVERED, None), (TextState.UNDELIVERED, "30003"), (TextState.FAILED, "21610")]
)
async def test_a_report_that_was_lost_is_fetched_a_day_later(
    desk: Desk, work: Work, carrier: RememberingCarrier, case: Case, said: TextState, code: str | None
) -> None:
    text_id, sid = await sent(desk, work, case)
    carrier.listed = [RemoteText(sid, case.phone, "", said, code)]
    desk.clock.advance(ASKED_ABOUT_AFTER - MOMENT)
    assert (await ask_about_texts.run(work), carrier.asked) == (0, [])
    desk.clock.advance(2 * MOMENT)
    assert (await ask_about_texts.run(work), carrier.asked) == (1, [sid])
    assert await stands(desk, text_id) == (said, code)
    told = [(kind, reason) for kind, reason in await desk.tasks(case.agency_id) if kind == "survivor_not_texted"]
    assert told == ([] if code is None else [("survivor_not_texted", code)])
    assert await ask_about_texts.run(work) == 0
    assert carrier.asked == [sid], "what is settled is not asked about again"


@pytest.mark.rule("M5")
@pytest.mark.parametrize("says", ["sent", "queued", "no record", "no list", "another carrier's"])
async def test_what_stays_without_a_last_word_is_shown_as_that_and_asked_about_once_a_day(
    desk: Desk, work: Work, carrier: RememberingCarrier, case: Case, says: str
) -> None:
    text_id, sid = await sent(desk, work, case)
    state = {"sent": TextState.SENT, "queued": TextState.ACCEPTED}.get(says)
    carrier.listed = [] if state is None else [RemoteText(sid, case.phone, "", state)]
    carrier.lists = says != "no list"
    if says == "another carrier's":
        await desk.alter("update text_message set carrier_sid = 'of-another' where id = $1", text_id)
    desk.clock.advance(ASKED_ABOUT_AFTER + MOMENT)
    await ask_about_texts.run(work)
    stands_at, code = await stands(desk, text_id)
    assert stands_at == (state or TextState.ACCEPTED)
    told = describe_delivery(TextState(stands_at), code)
    assert "has not said whether it arrived" in told.says
    assert told.to_do
    asked = len(carrier.asked)
    await ask_about_texts.run(work)
    assert len(carrier.asked) == asked
    for _ in range(10):
        desk.clock.advance(ASKED_ABOUT_AFTER + MOMENT)
        await ask_about_texts.run(work)
    assert len(carrier.asked) <= SILENT_AFTER / ASKED_ABOUT_AFTER + 1, "and in the end no more"


@pytest.mark.rule("M5", "M7")
async def test_a_report_that_comes_after_all_counts(
    desk: Desk, work: Work, carrier: RememberingCarrier, case: Case
) -> None:
    text_id, sid = await sent(desk, work, case)
    desk.clock.advance(ASKED_ABOUT_AFTER + MOMENT)
    await ask_about_texts.run(work)
    assert (await stands(desk, text_id))[1] == "no_last_word"
    carrier.listed = [RemoteText(sid, case.phone, "", TextState.DELIVERED)]
    desk.clock.advance(ASKED_ABOUT_AFTER + MOMENT)
    assert await ask_about_texts.run(work) == 1
    assert await stands(desk, text_id) == ("delivered", None)


@pytest.mark.parametrize("trouble", [Busy(1), Ambiguous()])
async def test_a_carrier_that_does_not_answer_is_asked_at_the_next_look(
    desk: Desk, work: Work, carrier: RememberingCarrier, case: Case, trouble: Exception
) -> None:
    text_id, sid = await sent(desk, work, case)
    carrier.listed = [RemoteText(sid, case.phone, "", TextState.DELIVERED)]
    carrier.look_up_fails_with = trouble
    desk.clock.advance(ASKED_ABOUT_AFTER + MOMENT)
    assert await ask_about_texts.run(work) == 0
    assert await stands(desk, text_id) == ("accepted", None)
    carrier.look_up_fails_with = None
    assert await ask_about_texts.run(work) == 1


@pytest.mark.rule("M11")
async def test_a_restored_database_asks_the_carrier_nothing(
    desk: Desk, work: Work, carrier: RememberingCarrier, case: Case
) -> None:
    await sent(desk, work, case)
    desk.clock.advance(ASKED_ABOUT_AFTER + MOMENT)
    (permitted,) = await desk.look("select system_identifier from sending_permit")
    await desk.alter("update sending_permit set system_identifier = 1")
    await ask_about_texts.run(work)
    await desk.alter("update sending_permit set system_identifier = $1", permitted["system_identifier"])
    assert carrier.asked == []

"""What a carrier does by itself: STOPs that it has heard and answered, and an account that it no longer accepts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from referralnet.database.acting import AgencyKind, Nobody, Role
from referralnet.encryption.lookup import lookup_hash
from referralnet.identity.tasks import ALARMS, close_task, list_tasks
from referralnet.jobs import read_inbound, send_texts, watch_carrier
from referralnet.jobs.work import Work
from referralnet.messaging.carriers import Ambiguous, Keyword, Written
from referralnet.messaging.carriers.meanings import refusal
from referralnet.messaging.policy import CARRIER_TRIED_AFTER, UNANSWERED_MAX
from referralnet.messaging.receiving import keep_inbound
from referralnet.messaging.sending import Sender
from tests.factories.messaging import Case, add_agency, add_member, superuser
from tests.integration.messaging.conftest import Desk, RememberingCarrier


@pytest.fixture
def work(sender: Sender) -> Work:
    return Work(sender, texts_at_once=2, text_unlisted_seconds=900)


@pytest.fixture
def asked(desk: Desk, carrier: RememberingCarrier) -> list[datetime]:
    """When the carrier was asked to take a text, whatever it answered."""
    moments: list[datetime] = []

    async def note() -> None:
        moments.append(desk.clock.now())

    carrier.before_answer = note
    return moments


async def write(desk: Desk, work: Work, number: str, body: str, handled: Keyword | None) -> None:
    async with desk.app.transaction(Nobody()) as session:
        written = Written(f"SM{uuid4().hex}", number, body, handled)
        await keep_inbound(session, work.keyring, written, now=desk.clock.now())
    await read_inbound.run(work)
    await send_texts.run(work)


async def is_suppressed(desk: Desk, work: Work, number: str) -> bool:
    lookup = lookup_hash(work.keyring, "phone", number)
    return bool(await desk.look("select 1 from suppression where phone_lookup = $1", lookup))


async def kinds(desk: Desk, case: Case) -> list[str]:
    return [kind for kind, _ in await desk.tasks(case.agency_id)]


@pytest.mark.rule("M4", "M8")
@pytest.mark.parametrize("body", ["STOP", "genug", "1"])
async def test_a_stop_that_the_carrier_has_answered_stops_here_without_a_second_answer(
    desk: Desk, arrange: Any, work: Work, carrier: RememberingCarrier, body: str
) -> None:
    case = await arrange()
    await desk.tell(case)
    await desk.plan()
    await send_texts.run(work)
    carrier.sent.clear()
    await write(desk, work, case.phone, body, Keyword.OPT_OUT)
    assert await is_suppressed(desk, work, case.phone)
    assert {state for _, state in await desk.texts(case)} == {"accepted", "cancelled"}
    assert await kinds(desk, case) == ["survivor_stopped_texts"]
    assert [to for to, _, _ in carrier.sent if to == case.phone] == []


@pytest.mark.rule("M4")
@pytest.mark.parametrize("body", ["START", "los geht's"])
async def test_a_start_that_the_carrier_has_answered_lifts_the_suppression_and_asks_a_person(
    desk: Desk, arrange: Any, work: Work, carrier: RememberingCarrier, body: str
) -> None:
    case = await arrange()
    await write(desk, work, case.phone, "STOP", Keyword.OPT_OUT)
    await write(desk, work, case.phone, body, Keyword.OPT_IN)
    assert not await is_suppressed(desk, work, case.phone)
    assert "survivor_asks_for_texts" in await kinds(desk, case)
    assert [to for to, _, _ in carrier.sent if to == case.phone] == []


async def test_a_help_that_the_carrier_has_answered_is_not_answered_again(
    desk: Desk, work: Work, carrier: RememberingCarrier
) -> None:
    for number, handled, answers in (("+13125559941", None, 1), ("+13125559942", Keyword.HELP, 0)):
        await write(desk, work, number, "HELP", handled)
        assert len([to for to, _, _ in carrier.sent if to == number]) == answers


@pytest.mark.rule("M4")
async def test_what_we_read_as_a_stop_is_one_even_if_the_carrier_took_it_for_a_start(
    desk: Desk, arrange: Any, work: Work
) -> None:
    case = await arrange()
    await write(desk, work, case.phone, "stop", Keyword.OPT_IN)
    assert await is_suppressed(desk, work, case.phone)


@pytest.mark.rule("M5")
async def test_a_refused_account_fails_no_text_asks_with_one_at_a_time_and_is_one_alarm_for_whoever_runs_the_network(
    desk: Desk, arrange: Any, work: Work, carrier: RememberingCarrier, asked: list[datetime]
) -> None:
    async with superuser(desk.urls) as db:
        operator = await add_agency(db, AgencyKind.NETWORK_OPERATOR)
        admin = await add_member(db, operator, AgencyKind.NETWORK_OPERATOR, Role.NETWORK_ADMIN)
    cases = [await arrange() for _ in range(6)]
    for case in cases:
        await desk.tell(case)
    await desk.plan()
    carrier.fails_with = refusal("20003")
    await send_texts.run(work)
    at_first = len(asked)
    assert at_first <= work.texts_at_once
    for _ in range(14):
        await send_texts.run(work)
        await watch_carrier.run(work)
        desk.clock.advance(timedelta(seconds=1))
    assert len(asked) == at_first, "nothing asks before the first pause is over"
    tries = await _asks_within(desk, work, asked, timedelta(minutes=30))
    assert 5 <= tries <= 8, "15 s, 30 s, 1 min, 2, 4, 8 and then 10: one text each, however many are due"
    async with desk.app.transaction(admin) as session:
        (alarm,) = await list_tasks(session, kinds=ALARMS)
    assert (alarm.kind, alarm.detail, alarm.subject_id) == ("carrier_refuses_account", {"reason": "20003"}, operator)
    for case in cases:
        assert ("appointment_set", "scheduled") in await desk.texts(case)
        assert await desk.tasks(case.agency_id) == [], "it is none of theirs, and no text's"

    carrier.fails_with = None
    desk.clock.advance(timedelta(minutes=10))
    await send_texts.run(work)
    await watch_carrier.run(work)
    sent = Counter(to for to, _, _ in carrier.sent)
    assert [sent[case.phone] for case in cases] == [1] * 6, "once the account is right again, each goes once"
    async with desk.app.transaction(admin) as session:
        (over,) = await list_tasks(session, kinds=ALARMS)
        assert over.kind == "carrier_answers"
        await close_task(session, admin, over.id, now=desk.clock.now())
        assert await list_tasks(session, kinds=ALARMS) == []


@pytest.mark.rule("M5")
async def test_where_nobody_of_the_network_runs_it_a_refused_account_is_told_to_the_admins_of_each_agency(
    desk: Desk, arrange: Any, work: Work, carrier: RememberingCarrier
) -> None:
    await desk.alter("update agency set kind = 'financial' where kind = 'network_operator'")
    case, other = await arrange(), await arrange()
    async with superuser(desk.urls) as db:
        admin = await add_member(db, case.agency_id, AgencyKind.PROSECUTION, Role.AGENCY_ADMIN)
    await desk.tell(case)
    await desk.plan()
    carrier.fails_with = refusal("20003")
    await send_texts.run(work)
    for _ in range(2):
        await watch_carrier.run(work)
    for agency_id in (case.agency_id, other.agency_id):
        assert await desk.tasks(agency_id) == [("carrier_refuses_account", "20003")]
    async with desk.app.transaction(admin) as session:
        assert [task.kind for task in await list_tasks(session, kinds=ALARMS)] == ["carrier_refuses_account"]
    async with desk.app.transaction(case.coordinator) as session:
        assert await list_tasks(session, kinds=ALARMS) == []


@pytest.mark.rule("M5")
async def test_a_silence_that_turns_out_to_be_a_refused_account_is_told_as_that(
    desk: Desk, arrange: Any, work: Work, carrier: RememberingCarrier
) -> None:
    async with superuser(desk.urls) as db:
        operator = await add_agency(db, AgencyKind.NETWORK_OPERATOR)
    for _ in range(UNANSWERED_MAX + 2):
        await desk.tell(await arrange())
    await desk.plan()
    alone = replace(work, texts_at_once=1)
    carrier.fails_with = Ambiguous()
    for _ in range(UNANSWERED_MAX):
        await send_texts.run(alone)
    await watch_carrier.run(work)
    assert await desk.tasks(operator) == [("carrier_silent", None)]
    carrier.fails_with = refusal("20005")
    desk.clock.advance(CARRIER_TRIED_AFTER)
    await send_texts.run(alone)
    await watch_carrier.run(work)
    assert await desk.tasks(operator) == [("carrier_refuses_account", "20005")]


async def _asks_within(desk: Desk, work: Work, asked: list[datetime], span: timedelta) -> int:
    before, until = len(asked), desk.clock.now() + span
    while desk.clock.now() < until:
        await send_texts.run(work)
        await watch_carrier.run(work)
        desk.clock.advance(timedelta(seconds=15))
    return len(asked) - before


@pytest.mark.rule("M2", "M5")
async def test_a_text_whose_window_goes_while_the_account_is_refused_is_shown_to_her_coordinator(
    desk: Desk, arrange: Any, work: Work, carrier: RememberingCarrier
) -> None:
    morning = [{"weekdays": [0, 1, 2, 3, 4, 5, 6], "start": "08:00", "end": "10:00"}]
    case = await arrange(safe_windows=morning, starts_at=desk.clock.now() + timedelta(hours=6))
    await desk.tell(case)
    await desk.plan()
    # Each try is of one text: others that are due as well would take turns with hers.
    await desk.alter("delete from text_message where subject_id <> $1", case.referral_id)
    carrier.fails_with = refusal("vonage-low-balance")
    for _ in range(14):
        await send_texts.run(work)
        desk.clock.advance(timedelta(minutes=5))
    assert carrier.sent == []
    assert ("appointment_set", "expired") in await desk.texts(case)
    assert ("survivor_not_texted", "window_gone") in await desk.tasks(case.agency_id)

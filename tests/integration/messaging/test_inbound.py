"""What she writes takes effect: everywhere for her number, in each custody for her plan, and as tasks for people."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from referralnet.database.acting import Custodian, Nobody
from referralnet.encryption.lookup import lookup_hash
from referralnet.jobs import read_inbound, send_texts
from referralnet.jobs.work import Work
from referralnet.messaging.carriers import Written
from referralnet.messaging.receiving import keep_inbound
from referralnet.messaging.sending import Sender
from referralnet.survivors.sealed_fields import load_survivor_key, seal_field
from referralnet.survivors.tables import ContactPlan
from tests.factories.messaging import Case
from tests.integration.messaging.conftest import Desk, RememberingCarrier


@pytest.fixture
def work(sender: Sender) -> Work:
    return Work(sender, texts_at_once=2, text_unlisted_seconds=900)


async def write(desk: Desk, work: Work, number: str, body: str) -> None:
    async with desk.app.transaction(Nobody()) as session:
        await keep_inbound(session, work.keyring, Written(f"SM{uuid4().hex}", number, body), now=desk.clock.now())
    assert await read_inbound.run(work) == 1
    assert await read_inbound.run(work) == 0


async def told(desk: Desk, work: Work, case: Case) -> None:
    await desk.tell(case)
    await desk.plan()
    await send_texts.run(work)


async def paused(desk: Desk, case: Case) -> str | None:
    (row,) = await desk.look("select paused_reason from contact_plan where id = $1", case.plan_id)
    reason: str | None = row["paused_reason"]
    return reason


@pytest.mark.rule("M4")
@pytest.mark.parametrize("body", ["STOP", "basta", "please stop"])
async def test_stop_ends_every_text_to_the_number_in_every_custody_with_one_confirmation(
    desk: Desk, arrange: Any, work: Work, carrier: RememberingCarrier, body: str
) -> None:
    case = await arrange()
    same_phone = await arrange(phone=case.phone)
    bystander = await arrange()
    for each in (case, same_phone, bystander):
        await told(desk, work, each)
    carrier.sent.clear()
    await write(desk, work, case.phone, body)
    for each in (case, same_phone):
        assert await paused(desk, each) == "stop"
        assert {state for _, state in await desk.texts(each)} == {"accepted", "cancelled"}
        assert await desk.tasks(each.agency_id) == [("survivor_stopped_texts", None)]
    assert await paused(desk, bystander) is None
    assert ("appointment_reminder", "scheduled") in await desk.texts(bystander)
    await send_texts.run(work)
    words = "Ya no le" if body == "basta" else "You will get no more texts"
    ((to, said, _),) = carrier.sent
    assert (to, said.startswith(words)) == (case.phone, True)
    for again in ("STOP", "HELP", "1"):
        await write(desk, work, case.phone, again)
    await send_texts.run(work)
    assert len(carrier.sent) == 1, "one confirmation, and nothing more until START"


@pytest.mark.rule("M4")
async def test_a_confirmation_that_cannot_go_within_five_minutes_does_not_go(
    desk: Desk, arrange: Any, work: Work, carrier: RememberingCarrier
) -> None:
    await write(desk, work, "+13125559901", "stop")
    desk.clock.advance(timedelta(minutes=5))
    await send_texts.run(work)
    assert carrier.sent == []


@pytest.mark.rule("M6")
async def test_a_number_nobody_knows_gets_the_same_reply_as_one_that_is_known(
    desk: Desk, arrange: Any, work: Work, carrier: RememberingCarrier
) -> None:
    known = await arrange(language="es")
    unknown = "+13125559902"
    for body in ("hello", "HELP", "STOP", "START", "1", "2"):
        for number in (known.phone, unknown):
            await write(desk, work, number, body)
    await send_texts.run(work)
    # Several texts leave at once, so that their order is nobody's: it is the words that must be the same.
    sent = sorted((to, said) for to, said, _ in carrier.sent)
    replies = {number: [said for to, said in sent if to == number] for number in (known.phone, unknown)}
    assert len(replies[unknown]) == 2
    assert replies[known.phone] == replies[unknown]


@pytest.mark.rule("M4")
async def test_start_lifts_the_suppression_and_leaves_the_rest_to_a_person(
    desk: Desk, arrange: Any, work: Work
) -> None:
    case = await arrange()
    await write(desk, work, case.phone, "STOP")
    lookup = lookup_hash(work.keyring, "phone", case.phone)
    assert await desk.look("select via from suppression where phone_lookup = $1", lookup) == [{"via": "text"}]
    await write(desk, work, case.phone, "START")
    assert await desk.look("select via from suppression where phone_lookup = $1", lookup) == []
    assert await paused(desk, case) == "staff", "only a person can begin texts again"
    assert ("survivor_asks_for_texts", "no_code_phrase_agreed") in await desk.tasks(case.agency_id)


async def agree_on_a_phrase(desk: Desk, work: Work, case: Case, phrase: str) -> None:
    async with work.database.transaction(Custodian(case.agency_id)) as session:
        key = await load_survivor_key(session, work.keyring, case.survivor_id)
    sealed = seal_field(key, ContactPlan.code_phrase_sealed, case.plan_id, phrase)
    await desk.alter("update contact_plan set code_phrase_sealed = $1 where id = $2", sealed, case.plan_id)


@pytest.mark.rule("M4")
@pytest.mark.parametrize(
    ("body", "reason", "suppressed"),
    [
        ("START", "code_phrase_missing", False),
        ("Start, Blue Umbrella!", "code_phrase_given", False),
        ("start green umbrella", None, True),
    ],
)
async def test_on_a_shared_phone_a_start_tells_whether_it_holds_her_code_phrase(
    desk: Desk, arrange: Any, work: Work, body: str, reason: str | None, suppressed: bool
) -> None:
    case = await arrange()
    await agree_on_a_phrase(desk, work, case, "blue umbrella")
    await write(desk, work, case.phone, "STOP")
    await write(desk, work, case.phone, body)
    tasks = await desk.tasks(case.agency_id)
    assert [told for kind, told in tasks if kind == "survivor_asks_for_texts"] == ([reason] if reason else [])
    assert (("survivor_wrote", None) in tasks) == (reason is None), "anything else is for a person to look at"
    lookup = lookup_hash(work.keyring, "phone", case.phone)
    assert bool(await desk.look("select 1 from suppression where phone_lookup = $1", lookup)) == suppressed
    assert await paused(desk, case) == ("stop" if suppressed else "staff"), "only a person can begin texts again"


@pytest.mark.rule("M6")
async def test_a_code_phrase_is_never_asked_for_or_answered(
    desk: Desk, arrange: Any, work: Work, carrier: RememberingCarrier
) -> None:
    case = await arrange()
    await agree_on_a_phrase(desk, work, case, "blue umbrella")
    for body in ("1", "1 blue umbrella", "START", "start blue umbrella", "blue umbrella"):
        await write(desk, work, case.phone, body)
    await send_texts.run(work)
    assert [body for to, body, _ in carrier.sent if to == case.phone] == []


async def test_three_pauses_her_texts_at_once_and_calls_a_person(desk: Desk, arrange: Any, work: Work) -> None:
    case = await arrange()
    await told(desk, work, case)
    await write(desk, work, case.phone, "3")
    assert await paused(desk, case) == "unsafe"
    assert {state for _, state in await desk.texts(case)} == {"accepted", "cancelled"}
    assert await desk.tasks(case.agency_id) == [("survivor_unsafe", None)]


@pytest.mark.parametrize(("body", "task"), [("2", "survivor_asks_for_call"), ("who is this?", "survivor_wrote")])
async def test_what_only_a_person_can_answer_becomes_her_task(
    desk: Desk, arrange: Any, work: Work, body: str, task: str
) -> None:
    case = await arrange()
    await write(desk, work, case.phone, body)
    assert await desk.tasks(case.agency_id) == [(task, None)]
    assert await paused(desk, case) is None


async def test_one_confirms_the_appointment_that_was_asked_about_last(desk: Desk, arrange: Any, work: Work) -> None:
    first = await arrange()
    await told(desk, work, first)
    desk.clock.advance(timedelta(minutes=10))
    second = await arrange(phone=first.phone)
    await told(desk, work, second)
    desk.clock.advance(timedelta(minutes=1))
    await write(desk, work, first.phone, "1")
    confirmed = {
        case.appointment_id: bool(
            (await desk.look("select confirmed_at from appointment where id = $1", case.appointment_id))[0][
                "confirmed_at"
            ]
        )
        for case in (first, second)
    }
    assert confirmed == {first.appointment_id: False, second.appointment_id: True}


async def test_a_confirmation_of_what_is_off_goes_to_a_person(desk: Desk, arrange: Any, work: Work) -> None:
    case = await arrange()
    await told(desk, work, case)
    await desk.alter("update appointment set status = 'cancelled' where id = $1", case.appointment_id)
    desk.clock.advance(timedelta(minutes=1))
    await write(desk, work, case.phone, "1")
    assert await desk.tasks(case.agency_id) == [("confirmation_too_late", None)]

"""All workers together keep the carrier's rate, and leave a carrier alone that does not answer."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from referralnet.clock import FixedClock
from referralnet.database.acting import AgencyKind, Role
from referralnet.database.transactions import Database
from referralnet.identity.tasks import ALARMS, CARRIER_ANSWERS, CARRIER_SILENT, close_task, list_tasks
from referralnet.messaging.carrier_alarms import tell_of_carrier
from referralnet.messaging.carriers import Ambiguous, Busy, Refused
from referralnet.messaging.delivery import describe_delivery
from referralnet.messaging.looking import Look, send_due
from referralnet.messaging.pacing import Pace
from referralnet.messaging.policy import CARRIER_TRIED_AFTER, CARRIER_TRIED_AFTER_MAX, UNANSWERED_MAX
from referralnet.messaging.reading import list_texts
from referralnet.messaging.sending import Outcome, Sender
from tests.factories.messaging import Case, add_agency, add_member, superuser
from tests.integration.messaging.conftest import Desk, RememberingCarrier

Arrange = Callable[..., Awaitable[Case]]


@pytest.fixture
async def due(desk: Desk, arrange: Arrange) -> Callable[..., Awaitable[list[Case]]]:
    """Makes texts that are due, of as many survivors, and nothing else that is."""

    async def make(count: int, **changes: Any) -> list[Case]:
        cases = [await arrange(phone=f"+1773555{number:04d}", **changes) for number in range(count)]
        for case in cases:
            await desk.tell(case)
        await desk.plan()
        return cases

    await desk.alter("delete from text_message")
    await desk.alter("delete from task")
    return make


async def states(desk: Desk) -> Counter[str]:
    rows = await desk.look("select state, count(*) as count from text_message where due_at <= $1 group by 1",
                           desk.clock.now())  # fmt: skip
    return Counter({row["state"]: row["count"] for row in rows})


@pytest.mark.rule("M12")
async def test_three_senders_at_once_keep_the_rate_in_every_span_and_use_all_of_it(
    desk: Desk,
    sender: Sender,
    carrier: RememberingCarrier,
    clock: FixedClock,
    due: Callable[..., Awaitable[list[Case]]],
) -> None:
    await due(45)
    rate, burst, step = 10.0, 5, timedelta(milliseconds=150)
    senders = [replace(sender, pace=Pace(rate, burst)) for _ in range(3)]
    began, handed_over = clock.now(), Counter[datetime]()
    while len(carrier.sent) < 45:
        before = len(carrier.sent)
        await asyncio.gather(*(send_due(one, first=20, at_once=4) for one in senders))
        handed_over[clock.now()] = len(carrier.sent) - before
        clock.advance(step)
        assert clock.now() - began < timedelta(seconds=10), handed_over
    moments = sorted(handed_over)
    for first, since in enumerate(moments):
        for until in moments[first:]:
            count = sum(handed_over[at] for at in moments if since <= at <= until)
            assert count <= burst + rate * (until - since).total_seconds() + 0.01, (since, until)
    took_seconds = (moments[-1] - began).total_seconds()
    assert took_seconds <= (45 - burst) / rate + 3 * step.total_seconds(), "tokens were lost"
    assert len({to for to, _, _ in carrier.sent}) == 45


async def test_a_text_of_two_segments_counts_twice(
    desk: Desk, sender: Sender, carrier: RememberingCarrier, due: Callable[..., Awaitable[list[Case]]]
) -> None:
    await due(4, language="es")
    paced = replace(sender, pace=Pace(1.0, 4))
    assert [row["segments"] for row in await desk.look("select segments from text_message limit 1")] == [2]
    look = await send_due(paced, first=20, at_once=4)
    assert (len(carrier.sent), look.waits_for_rate) == (2, True)


@pytest.mark.rule("M12")
async def test_what_the_rate_allows_goes_to_the_urgent_first(
    desk: Desk, sender: Sender, carrier: RememberingCarrier, due: Callable[..., Awaitable[list[Case]]]
) -> None:
    cases = await due(6)
    urgent = cases[4]
    await desk.alter("update text_message set priority = 0 where subject_id = $1", urgent.referral_id)
    await send_due(replace(sender, pace=Pace(1.0, 2)), first=20, at_once=1)
    assert carrier.sent[0][0] == urgent.phone
    assert len(carrier.sent) == 2


async def test_what_may_not_be_sent_costs_nothing_of_the_rate(
    desk: Desk, sender: Sender, carrier: RememberingCarrier, due: Callable[..., Awaitable[list[Case]]]
) -> None:
    await due(3, texts_opted_in_at=None, opt_in_method=None)
    await desk.alter("delete from task")
    (allowed,) = await due(1)
    paced = replace(sender, pace=Pace(0.1, 4))
    # Planned while she agreed, and taken back since.
    for case in (cases := await due(3)):
        await desk.alter("update contact_plan set texts_opted_in_at = null, opt_in_method = null where id = $1",
                         case.plan_id)  # fmt: skip
    await desk.alter("update text_message set priority = 0 where subject_id = any($1)",
                     [case.referral_id for case in cases])  # fmt: skip
    assert (await send_due(paced, first=3, at_once=4)).asked == 0
    assert (await send_due(paced, first=20, at_once=4)).asked == 1
    assert [to for to, _, _ in carrier.sent] == [allowed.phone]


async def look(sender: Sender) -> Look:
    return await send_due(sender, first=100, at_once=1)


@pytest.mark.rule("M5")
async def test_a_carrier_that_does_not_answer_costs_a_few_texts_and_not_all(
    desk: Desk,
    sender: Sender,
    carrier: RememberingCarrier,
    clock: FixedClock,
    due: Callable[..., Awaitable[list[Case]]],
) -> None:
    await due(20)
    carrier.fails_with = Ambiguous()
    for _ in range(20):
        await look(sender)
    assert await states(desk) == {"unknown": UNANSWERED_MAX, "scheduled": 20 - UNANSWERED_MAX}

    clock.advance(CARRIER_TRIED_AFTER - timedelta(seconds=1))
    assert (await look(sender)).outcomes == {}, "left alone"
    clock.advance(timedelta(seconds=1))
    asked = [looked.asked for looked in await asyncio.gather(*(look(sender) for _ in range(3)))]
    assert sorted(asked) == [0, 0, 1], "one text tries, however many workers look"
    clock.advance(CARRIER_TRIED_AFTER)
    assert (await look(sender)).asked == 0, "the pause has grown"
    clock.advance(CARRIER_TRIED_AFTER)
    carrier.fails_with = None
    assert (await look(sender)).outcomes == {Outcome.ACCEPTED: 1}
    while (await look(sender)).asked:
        pass
    assert await states(desk) == {"unknown": UNANSWERED_MAX + 1, "accepted": 20 - UNANSWERED_MAX - 1}


async def test_the_pause_between_tries_ends_growing(
    desk: Desk,
    sender: Sender,
    carrier: RememberingCarrier,
    clock: FixedClock,
    due: Callable[..., Awaitable[list[Case]]],
) -> None:
    await due(UNANSWERED_MAX + 12)
    carrier.fails_with = Ambiguous()
    for _ in range(UNANSWERED_MAX):
        await look(sender)
    for _ in range(12):
        clock.advance(CARRIER_TRIED_AFTER_MAX)
        assert (await look(sender)).asked == 1


async def test_a_refusal_is_an_answer_and_a_few_silences_between_answers_stop_nothing(
    desk: Desk, sender: Sender, carrier: RememberingCarrier, due: Callable[..., Awaitable[list[Case]]]
) -> None:
    await due(12)
    for _ in range(3):
        carrier.fails_with = Ambiguous()
        for _ in range(UNANSWERED_MAX - 2):
            assert (await send_due(sender, first=1, at_once=1)).asked == 1
        carrier.fails_with = Refused("30003")
        assert (await send_due(sender, first=1, at_once=1)).asked == 1


async def test_a_try_of_a_text_that_may_not_go_leaves_the_try_to_the_next(
    desk: Desk,
    sender: Sender,
    carrier: RememberingCarrier,
    clock: FixedClock,
    due: Callable[..., Awaitable[list[Case]]],
) -> None:
    cases = await due(UNANSWERED_MAX + 2)
    carrier.fails_with = Ambiguous()
    for _ in range(UNANSWERED_MAX):
        await look(sender)
    waiting = await desk.look("select subject_id from text_message where state = 'scheduled' and due_at <= $1",
                              clock.now())  # fmt: skip
    first = next(case for case in cases if case.referral_id == waiting[0]["subject_id"])
    await desk.alter("update text_message set priority = 0 where subject_id = $1", first.referral_id)
    await desk.alter("update contact_plan set paused_at = now(), paused_reason = 'staff' where id = $1", first.plan_id)
    carrier.fails_with = None
    clock.advance(CARRIER_TRIED_AFTER)
    assert (await look(sender)).outcomes == {Outcome.NOT_SENT: 1}
    assert (await look(sender)).outcomes == {Outcome.ACCEPTED: 1}


async def test_a_carrier_that_asks_to_come_later_is_left_alone_by_all_until_then(
    desk: Desk,
    sender: Sender,
    carrier: RememberingCarrier,
    clock: FixedClock,
    due: Callable[..., Awaitable[list[Case]]],
) -> None:
    await due(5)
    carrier.fails_with = Busy(20)
    assert (await look(sender)).outcomes == {Outcome.BUSY: 1}
    carrier.fails_with = None
    clock.advance(timedelta(seconds=19))
    assert (await look(sender)).asked == 0
    clock.advance(timedelta(seconds=1))
    assert (await look(sender)).asked == 5


async def test_many_turned_away_at_once_are_one_pause_and_no_silence(
    desk: Desk,
    sender: Sender,
    carrier: RememberingCarrier,
    clock: FixedClock,
    due: Callable[..., Awaitable[list[Case]]],
) -> None:
    await due(2 * UNANSWERED_MAX)
    carrier.fails_with = Busy(20)
    looked = await send_due(sender, first=100, at_once=2 * UNANSWERED_MAX)
    assert looked.outcomes[Outcome.BUSY] >= 1
    (state,) = await desk.look("select unanswered, silent_since from carrier_state")
    assert (state["unanswered"], state["silent_since"]) == (1, None)


async def test_people_learn_that_the_carrier_is_silent_and_that_it_answers_again(
    desk: Desk, app: Database, worker: Database, sender: Sender, carrier: RememberingCarrier, clock: FixedClock,
    due: Callable[..., Awaitable[list[Case]]],
) -> None:  # fmt: skip
    case, *_ = await due(UNANSWERED_MAX + 1)
    async with superuser(desk.urls) as db:
        agency_id = await add_agency(db, AgencyKind.NETWORK_OPERATOR)
        admin = await add_member(db, agency_id, AgencyKind.NETWORK_OPERATOR, Role.NETWORK_ADMIN)
        stranger = await add_member(db, case.agency_id, AgencyKind.PROSECUTION, Role.NETWORK_ADMIN)

    async def alarms() -> list[tuple[str, UUID]]:
        async with app.transaction(stranger) as session:
            assert await list_tasks(session, kinds=ALARMS) == []
        async with app.transaction(admin) as session:
            return [(task.kind, task.id) for task in await list_tasks(session, kinds=ALARMS)]

    assert await tell_of_carrier(worker, now=clock.now()) is None
    carrier.fails_with = Ambiguous()
    for _ in range(UNANSWERED_MAX):
        await look(sender)
    assert await tell_of_carrier(worker, now=clock.now()) == CARRIER_SILENT
    assert await tell_of_carrier(worker, now=clock.now()) is None, "told once"
    assert [kind for kind, _ in await alarms()] == ["carrier_silent"]

    async def waiting_lines() -> list[str]:
        lines = []
        for one in await desk.look("select distinct agency_id, subject_id from text_message where state = 'scheduled'"
                                   " and due_at <= $1", clock.now()):  # fmt: skip
            async with superuser(desk.urls) as db:
                reader = await add_member(db, one["agency_id"], AgencyKind.PROSECUTION, Role.COORDINATOR)
            async with app.transaction(reader) as session:
                lines += [
                    describe_delivery(row.state, row.error_code, waits_for_carrier=row.waits_for_carrier).says
                    for row in await list_texts(session, one["subject_id"]) if row.due_at <= clock.now()
                ]  # fmt: skip
        return lines

    assert [line for line in await waiting_lines() if "waits for the carrier" not in line] == []

    carrier.fails_with = None
    clock.advance(CARRIER_TRIED_AFTER)
    assert (await look(sender)).asked == 1
    assert await tell_of_carrier(worker, now=clock.now()) == CARRIER_ANSWERS
    ((kind, task_id),) = await alarms()
    assert kind == "carrier_answers"
    async with app.transaction(admin) as session:
        await close_task(session, admin, task_id, now=clock.now())
    assert await alarms() == []

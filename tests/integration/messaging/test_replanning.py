"""Her contact plan changed, and what waits for her moves with it; what cannot go any more, a person is told of (M9)."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from referralnet.database.acting import Custodian
from referralnet.jobs import send_texts
from referralnet.jobs.work import Work
from referralnet.messaging.replanning import plan_for_changed_contact
from referralnet.messaging.sending import Sender
from tests.factories.messaging import Case
from tests.integration.messaging.conftest import Desk, RememberingCarrier

EVENINGS = json.dumps([{"weekdays": [0, 1, 2, 3, 4, 5, 6], "start": "18:00", "end": "20:00"}])


@pytest.fixture
def work(sender: Sender) -> Work:
    return Work(sender, texts_at_once=2, text_unlisted_seconds=900)


async def waiting(desk: Desk, case: Case) -> list[tuple[str, datetime]]:
    rows = await desk.look(
        "select kind, due_at from text_message where survivor_id = $1 and state = 'scheduled'"
        " and kind <> 'reconfirm_contact' order by due_at",
        case.survivor_id,
    )
    return [(row["kind"], row["due_at"]) for row in rows]


@pytest.mark.rule("M9")
async def test_new_windows_move_what_waits_and_say_nothing_twice(
    desk: Desk, arrange: Any, work: Work, carrier: RememberingCarrier
) -> None:
    case = await arrange()
    await desk.tell(case)
    await desk.plan()
    await send_texts.run(work)
    assert [kind for kind, _ in await waiting(desk, case)] == ["appointment_reminder"] * 2
    await desk.change_plan(case, safe_windows=EVENINGS)
    await desk.replan()
    # 18:00 in Chicago is midnight in UTC: one reminder in the evening before, and no evening is left for the other.
    evening_before = case.starts_at.replace(hour=0)
    assert await waiting(desk, case) == [("appointment_reminder", evening_before)]
    assert await desk.tasks(case.agency_id) == [("survivor_not_texted", "window_gone")]
    assert len(carrier.sent) == 1
    assert await desk.replan() == 0, "a change is followed once"


@pytest.mark.rule("M9")
async def test_another_time_zone_moves_what_waits(desk: Desk, arrange: Any) -> None:
    mornings = [{"weekdays": [0, 1, 2, 3, 4, 5, 6], "start": "10:00", "end": "12:00"}]
    case = await arrange(safe_windows=mornings)
    await desk.tell(case)
    await desk.plan()
    before = await waiting(desk, case)
    await desk.change_plan(case, time_zone="America/Los_Angeles")
    await desk.replan()
    after = await waiting(desk, case)
    assert [kind for kind, _ in after] == [kind for kind, _ in before]
    assert [late - early for (_, early), (_, late) in zip(before, after, strict=True)] == [timedelta(hours=2)] * len(
        after
    )


@pytest.mark.rule("M1")
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"texts_opted_in_at": None, "opt_in_method": None}, "no_opt_in"),
        ({"reconfirm_by": date(2026, 2, 1)}, "reconfirm_overdue"),
    ],
)
async def test_what_may_not_go_by_the_new_plan_is_taken_back_and_a_person_is_told(
    desk: Desk, arrange: Any, change: dict[str, Any], reason: str
) -> None:
    case = await arrange()
    await desk.tell(case)
    await desk.plan()
    await desk.change_plan(case, **change)
    await desk.replan()
    assert await waiting(desk, case) == []
    assert await desk.tasks(case.agency_id) == [("survivor_not_texted", reason)]


async def test_a_first_plan_brings_the_texts_that_a_booked_visit_had_to_do_without(desk: Desk, arrange: Any) -> None:
    case = await arrange(texts_opted_in_at=None, opt_in_method=None)
    await desk.tell(case)
    await desk.plan()
    assert await waiting(desk, case) == []
    await desk.change_plan(case, texts_opted_in_at=desk.clock.now(), opt_in_method="oral")
    await desk.replan()
    assert [kind for kind, _ in await waiting(desk, case)] == ["appointment_set"] + ["appointment_reminder"] * 2


async def test_a_reminder_whose_moment_has_passed_unsent_is_not_lost_when_the_plan_changes(
    desk: Desk, arrange: Any, work: Work, carrier: RememberingCarrier
) -> None:
    case = await arrange()
    await desk.tell(case)
    await desk.plan()
    await send_texts.run(work)
    # 18:00 in Chicago on the evening before: past the moment of the first reminder, which nobody sent.
    desk.clock.advance(case.starts_at - timedelta(hours=15) - desk.clock.now())
    await desk.change_plan(case, time_zone="America/New_York")
    await desk.replan()
    late, second = desk.clock.now(), case.starts_at - timedelta(hours=2)
    assert await waiting(desk, case) == [("appointment_reminder", late), ("appointment_reminder", second)]


@pytest.mark.rule("M5")
async def test_a_text_that_a_worker_holds_is_neither_taken_back_nor_planned_again(
    desk: Desk, arrange: Any, work: Work, carrier: RememberingCarrier
) -> None:
    case = await arrange()
    await desk.tell(case)
    await desk.plan()

    async def meanwhile() -> None:
        carrier.before_answer = None
        await desk.change_plan(case, safe_windows=EVENINGS)
        await desk.replan()

    carrier.before_answer = meanwhile
    await send_texts.run(work)
    kinds = [kind for kind, state in await desk.texts(case) if state != "cancelled"]
    assert (kinds.count("appointment_set"), len(carrier.sent)) == (1, 1)


@pytest.mark.rule("M2")
async def test_a_text_due_before_the_worker_has_moved_it_neither_leaves_nor_alarms(
    desk: Desk, arrange: Any, work: Work, carrier: RememberingCarrier
) -> None:
    case = await arrange()
    await desk.tell(case)
    await desk.plan()
    await desk.change_plan(case, safe_windows=EVENINGS)
    await send_texts.run(work)
    assert (carrier.sent, await desk.tasks(case.agency_id)) == ([], [])
    await desk.replan()
    assert "appointment_set" in [kind for kind, _ in await waiting(desk, case)]


async def test_nobody_replans_in_another_custody(desk: Desk, arrange: Any) -> None:
    case, stranger = await arrange(), await arrange()
    await desk.change_plan(case, safe_windows=EVENINGS)
    async with desk.worker.transaction(Custodian(stranger.agency_id)) as session:
        assert await plan_for_changed_contact(session, case.survivor_id, now=desk.clock.now()) == 0
    assert await desk.look("select 1 from contact_plan_change where survivor_id = $1", case.survivor_id)

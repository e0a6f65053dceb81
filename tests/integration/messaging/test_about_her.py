"""News, only where she chose it and without a word of what it is; and whether her number still is hers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referralnet.jobs import plan_texts, replan_texts, send_texts
from referralnet.jobs.work import Work
from referralnet.messaging.policy import NEWS_APART, NEWS_GATHERS_FOR, RECONFIRM_BEFORE
from referralnet.messaging.sending import Sender
from tests.factories.messaging import Case
from tests.integration.messaging.conftest import Desk, RememberingCarrier
from tests.integration.messaging.test_inbound import write

NEWS = "Calendar: there is news. We can tell you by phone: reply 2 for a call, 3 bad time. STOP ends texts."


HER_RELEASE = "select release_id from survivor_referral where survivor_id = $1"


@pytest.fixture
def work(sender: Sender) -> Work:
    return Work(sender, texts_at_once=2, text_unlisted_seconds=900)


async def news(desk: Desk, case: Case) -> None:
    """As the database notes it when a target answers (tests/integration/referrals/test_news.py)."""
    await desk.alter(
        "insert into notice (id, agency_id, referral_id, kind, occurrence, created_at)"
        " values (gen_random_uuid(), $1, $2, 'referral_news', '{}', $3)",
        case.agency_id, case.referral_id, desk.clock.now(),
    )  # fmt: skip


async def of_kind(desk: Desk, case: Case, kind: str) -> list[tuple[str, Any]]:
    rows = await desk.look(
        "select state, due_at from text_message where survivor_id = $1 and kind = $2 order by due_at",
        case.survivor_id, kind,
    )  # fmt: skip
    return [(row["state"], row["due_at"]) for row in rows]


async def test_several_news_make_one_text_that_says_nothing_of_them(
    desk: Desk, arrange: Any, work: Work, carrier: RememberingCarrier
) -> None:
    case = await arrange(status_digest=True)
    for _ in range(3):
        await news(desk, case)
        await plan_texts.run(work)
    assert await of_kind(desk, case, "status_digest") == [("scheduled", desk.clock.now() + NEWS_GATHERS_FOR)]
    desk.clock.advance(NEWS_GATHERS_FOR)
    await send_texts.run(work)
    assert [(to, body) for to, body, _ in carrier.sent] == [(case.phone, NEWS)]
    desk.clock.advance(timedelta(minutes=5))
    await news(desk, case)
    await plan_texts.run(work)
    first, second = await of_kind(desk, case, "status_digest")
    assert second == ("scheduled", first[1] + NEWS_APART), "at most once a day"
    desk.clock.advance(timedelta(minutes=5))
    await write(desk, work, case.phone, "2")
    assert ("survivor_asks_for_call", None) in await desk.tasks(case.agency_id)


@pytest.mark.rule("M1")
async def test_who_did_not_choose_it_is_not_told_of_news(desk: Desk, arrange: Any, work: Work) -> None:
    case = await arrange()
    await news(desk, case)
    await plan_texts.run(work)
    assert await of_kind(desk, case, "status_digest") == []
    assert await desk.tasks(case.agency_id) == []


@pytest.mark.rule("M1")
@pytest.mark.parametrize(
    ("change", "state", "task"),
    [
        ("update contact_plan set status_digest = false where survivor_id = $1", "cancelled", None),
        ("update contact_plan set paused_at = now(), paused_reason = 'staff' where survivor_id = $1", "held", "paused"),
        (f"update release set status = 'inactive' where id = ({HER_RELEASE})", "held", "release_ended"),
    ],
)
async def test_at_the_moment_of_sending_it_is_judged_again(
    desk: Desk, arrange: Any, work: Work, carrier: RememberingCarrier, change: str, state: str, task: str | None
) -> None:
    case = await arrange(status_digest=True)
    await news(desk, case)
    await plan_texts.run(work)
    await desk.alter(change, case.survivor_id)
    desk.clock.advance(NEWS_GATHERS_FOR)
    await send_texts.run(work)
    ((found, _),) = await of_kind(desk, case, "status_digest")
    assert (found, carrier.sent) == (state, [])
    assert await desk.tasks(case.agency_id) == ([("survivor_not_texted", task)] if task else [])


async def test_news_that_find_no_safe_hour_are_a_persons_to_tell(desk: Desk, arrange: Any, work: Work) -> None:
    case = await arrange(status_digest=True, safe_windows=[])
    await news(desk, case)
    await plan_texts.run(work)
    assert await desk.tasks(case.agency_id) == [("survivor_not_texted", "window_gone")]


@pytest.mark.rule("C5")
async def test_a_target_cannot_make_news(desk: Desk, arrange: Any) -> None:
    case = await arrange(status_digest=True)
    with pytest.raises(DBAPIError, match="row-level security"):
        async with desk.app.transaction(case.intake) as session:
            await session.execute(
                text(
                    "insert into notice (id, agency_id, referral_id, kind, occurrence, created_at)"
                    " values (gen_random_uuid(), :agency, :referral, 'referral_news', '{}', now())"
                ),
                {"agency": case.agency_id, "referral": case.referral_id},
            )


@pytest.mark.rule("M1")
async def test_before_the_date_she_is_asked_once_whether_the_number_still_is_hers(
    desk: Desk, arrange: Any, work: Work, carrier: RememberingCarrier
) -> None:
    today = desk.clock.now().date()
    case = await arrange()
    await desk.change_plan(case, reconfirm_by=today + timedelta(days=40))
    await replan_texts.run(work)
    ((state, due_at),) = await of_kind(desk, case, "reconfirm_contact")
    assert (state, due_at.date()) == ("scheduled", today + timedelta(days=40) - RECONFIRM_BEFORE)
    desk.clock.advance(due_at - desk.clock.now())
    await send_texts.run(work)
    ((_, body, _),) = [sent for sent in carrier.sent if sent[0] == case.phone]
    assert body.startswith("Calendar: is this still your number?")
    await desk.change_plan(case, time_zone="America/New_York")
    await replan_texts.run(work)
    assert len(await of_kind(desk, case, "reconfirm_contact")) == 1
    desk.clock.advance(timedelta(minutes=1))
    await write(desk, work, case.phone, "1")
    assert await desk.tasks(case.agency_id) == [("survivor_confirms_number", "no_code_phrase_agreed")]
    ((by,),) = [tuple(row.values()) for row in await desk.look(
        "select reconfirm_by from contact_plan where id = $1", case.plan_id)]  # fmt: skip
    assert by == today + timedelta(days=40), "a text by itself confirms nothing: a person does"


@pytest.mark.rule("M1")
async def test_a_question_about_a_date_that_no_longer_holds_is_not_asked(
    desk: Desk, arrange: Any, work: Work, carrier: RememberingCarrier
) -> None:
    case = await arrange()
    await desk.change_plan(case, reconfirm_by=desk.clock.now().date() + timedelta(days=40))
    await replan_texts.run(work)
    ((_, due_at),) = await of_kind(desk, case, "reconfirm_contact")
    await desk.change_plan(case, reconfirm_by=desk.clock.now().date() + timedelta(days=90))
    desk.clock.advance(due_at - desk.clock.now())
    await send_texts.run(work)
    assert [sent for sent in carrier.sent if sent[0] == case.phone] == []
    await replan_texts.run(work)
    states = [state for state, _ in await of_kind(desk, case, "reconfirm_contact")]
    assert states == ["cancelled", "scheduled"]
    assert await desk.tasks(case.agency_id) == []


async def test_one_text_at_a_time_waits_to_say_that_there_is_news(desk: Desk, arrange: Any, work: Work) -> None:
    case = await arrange(status_digest=True)
    await news(desk, case)
    assert await plan_texts.run(work) == 1
    desk.clock.advance(timedelta(minutes=1))
    await news(desk, case)
    assert await plan_texts.run(work) == 0

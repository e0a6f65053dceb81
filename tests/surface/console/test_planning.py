"""A routing plan and a call log on the screen: who was asked, who is next, and what was said on the telephone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from referralnet.clock import FixedClock
from referralnet.consent.handoffs import record_handoff
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.referrals import answering
from referralnet.referrals.calling import Call, CallAnswer, record_call
from referralnet.referrals.lifecycle import RejectReason
from referralnet.referrals.routing_reading import routing_plan
from tests.factories.referrals import run
from tests.factories.routing import Choices, Routed, make_choices, route
from tests.surface.console.conftest import Browser, OpenBrowser, sign_in_as

PLAN = re.compile(r"/plans/[\w-]{43}")


@pytest.fixture
def present() -> FixedClock:
    return FixedClock(datetime.now(UTC))


@pytest.fixture
async def choices(owner: Database) -> Choices:
    return await make_choices(owner)


@pytest.fixture
async def routed(app: Database, choices: Choices, keyring: Keyring) -> Routed:
    return await route(app, choices, keyring)


@pytest.fixture
async def page(browser: OpenBrowser, app: Database, choices: Choices, routed: Routed, present: FixedClock) -> Browser:
    """The coordinator's browser; the first service was asked."""
    assert routed.release_ids
    return await sign_in_as(browser(now=present), app, choices.coordinator, present)


async def say_no(app: Database, choices: Choices, routed: Routed, present: FixedClock) -> None:
    plan = await run(app, choices.coordinator, routing_plan, routed.plan_id)
    asked = plan.choices[0].referral_id
    intake, reason = choices.shelters[0].intake, RejectReason.NO_CAPACITY
    await run(app, intake, answering.reject, asked, reason=reason, now=present.now())


async def plan_page(page: Browser) -> tuple[str, str]:
    """The address of the plan, as the referral's page leads to it, and what stands there."""
    sent = re.search(r"/requests/[\w-]{43}", (await page.get("/")).text)
    assert sent
    found = PLAN.search((await page.get(sent.group())).text)
    assert found
    return found.group(), (await page.get(found.group())).text


async def test_the_sender_sees_who_was_asked_and_who_comes_next(page: Browser) -> None:
    _, shown = await plan_page(page)
    assert "One after another" in shown
    assert shown.count("waiting for an answer") == 1
    assert shown.count("not asked yet") == 2


async def test_who_is_next_is_changed_and_taken_out(page: Browser) -> None:
    address, shown = await plan_page(page)
    unasked = re.findall(r'name="choice_id" value="([\w-]+)"', shown)
    second = unasked[-1]
    answer = await page.post(f"{address}/first", page=address, choice_id=second)
    shown = (await page.get(answer.headers["location"])).text
    assert "It is asked first, when it comes to that." in shown
    assert re.findall(r'name="choice_id" value="([\w-]+)"', shown)[0] == second
    answer = await page.post(f"{address}/remove", page=address, choice_id=second)
    shown = (await page.get(answer.headers["location"])).text
    assert (second in shown, shown.count("not asked yet")) == (False, 1)


async def test_the_next_is_asked_by_a_press_and_the_plan_is_closed_by_another(
    page: Browser, app: Database, choices: Choices, routed: Routed, present: FixedClock
) -> None:
    address, _ = await plan_page(page)
    refused = await page.post(f"{address}/continue", page=address)
    assert refused.status_code == 422
    assert "has not answered yet" in refused.text
    await say_no(app, choices, routed, present)
    answer = await page.post(f"{address}/continue", page=address)
    shown = (await page.get(answer.headers["location"])).text
    assert "The next service is asked." in shown
    assert "no capacity" in shown
    answer = await page.post(f"{address}/close", page=address)
    assert "Nobody more is asked." in (await page.get(answer.headers["location"])).text
    assert (await page.post(f"{address}/open", page=address)).status_code == 404


@pytest.mark.rule("C6")
async def test_no_service_learns_of_the_plan(
    browser: OpenBrowser, page: Browser, app: Database, choices: Choices, present: FixedClock
) -> None:
    address, _ = await plan_page(page)
    shelter = await sign_in_as(browser(now=present), app, choices.shelters[0].intake, present)
    assert (await shelter.get(address)).status_code == 404
    received = re.search(r"/requests/[\w-]{43}", (await shelter.get("/")).text)
    assert received
    assert not PLAN.search((await shelter.get(received.group())).text)


@pytest.fixture
async def calls(page: Browser, app: Database, choices: Choices, routed: Routed, present: FixedClock) -> str:
    """The address of the call log of a service that is no member, as the worklist leads to it."""
    unlisted = choices.home.unlinked_service_at_location_id
    handoff = await run(
        app, choices.coordinator, record_handoff, routed.survivor_id, unlisted, now=present.now() - timedelta(days=1)
    )
    made = Call(present.now() - timedelta(hours=3), CallAnswer.NOBODY_REACHED)
    await run(app, choices.coordinator, record_call, handoff, made, now=present.now())
    found = re.search(r"/calls/[\w-]{43}", (await page.get("/")).text)
    assert found
    return found.group()


async def test_a_call_is_logged_in_codes_and_settles_its_task(page: Browser, calls: str, present: FixedClock) -> None:
    shown = (await page.get(calls)).text
    assert "Nobody reached".lower() in shown.lower()
    local = present.now().astimezone(ZoneInfo("America/Chicago"))
    when = {"day": local.date().isoformat(), "time": f"{local:%H:%M}"}
    refused = await page.post(calls, **when, answer="declined")
    assert (refused.status_code, 'id="reason-wrong"' in refused.text) == (422, True)
    refused = await page.post(calls, **when)
    assert 'id="answer-wrong"' in refused.text
    answer = await page.post(calls, **when, answer="declined", reason="no_capacity")
    shown = (await page.get(answer.headers["location"])).text
    assert "The call is logged." in shown
    assert "no capacity" in shown
    assert calls not in (await page.get("/")).text


async def test_a_call_of_another_month_is_refused_beside_its_time(page: Browser, calls: str) -> None:
    for day, time in (("2020-01-01", "10:00"), ("never", "10:00"), ("2999-01-01", "10:00")):
        refused = await page.post(calls, day=day, time=time, answer="takes_her")
        assert (refused.status_code, 'id="called_at-wrong"' in refused.text) == (422, True)

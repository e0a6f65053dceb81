"""A plan that goes on gets another service, and what lacks her consent is put before her: by the pages of the way."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from referralnet.clock import FixedClock
from referralnet.consent.ending import Via
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.referrals.planning import close_routing
from referralnet.referrals.routing import Mode
from referralnet.referrals.routing_reading import PlanRow, routing_plan
from referralnet.referrals.withdrawing import withdraw_consent
from tests.factories.referrals import run
from tests.factories.routing import Choices, Routed, make_choices, make_routable, route, sign
from tests.surface.console.conftest import Browser, OpenBrowser, sign_in_as

PLANS = re.compile(r"/plans/[\w-]{43}")
Planned = Callable[..., Awaitable[tuple[Routed, str]]]


@pytest.fixture
def present() -> FixedClock:
    return FixedClock(datetime.now(UTC))


@pytest.fixture
async def choices(owner: Database) -> Choices:
    """Four shelters; a plan asks the first three."""
    return await make_choices(owner, shelters=4)


@pytest.fixture
async def page(browser: OpenBrowser, app: Database, choices: Choices, present: FixedClock) -> Browser:
    return await sign_in_as(browser(now=present), app, choices.coordinator, present)


@pytest.fixture
async def planned(app: Database, choices: Choices, keyring: Keyring, page: Browser) -> Planned:
    """Start a plan; returns it, and its page's address as the referral's page leads to it."""

    async def start(mode: Mode = Mode.IN_TURN, covered: int | None = 1) -> tuple[Routed, str]:
        asked = replace(choices, shelters=choices.shelters[:3])
        routed = await route(app, asked, keyring, mode=mode, covered=covered)
        sent = re.search(r"/requests/[\w-]{43}", (await page.get("/")).text)
        assert sent
        found = PLANS.search((await page.get(sent.group())).text)
        assert found
        return routed, found.group()

    return start


async def leads_to(page: Browser, address: str, words: str) -> str:
    """The address of the link with these words."""
    found = re.search(rf'href="([^"]+)"[^>]*>{re.escape(words)}', (await page.get(address)).text)
    assert found, words
    return found.group(1).replace("&amp;", "&")


async def plan_now(app: Database, choices: Choices, routed: Routed) -> PlanRow:
    return await run(app, choices.coordinator, routing_plan, routed.plan_id)


async def put(page: Browser, step: str, **fields: str | list[str]) -> str:
    """Send the last step as its page has it; what the page says that follows, or that is wrong."""
    address, _, query = step.partition("?")
    carried = dict(re.findall(r"(\w+)=([^&]+)", query))
    answer = await page.post(address, page=step, **{**carried, **fields})
    return (await page.get(answer.headers["location"])).text if answer.status_code == 303 else answer.text


@pytest.mark.rule("C6", "R4")
async def test_another_service_is_put_on_the_plan_and_she_is_asked_about_it_later(
    page: Browser, app: Database, choices: Choices, planned: Planned
) -> None:
    routed, address = await planned()
    services = await leads_to(page, address, "Ask another service as well")
    shown = (await page.get(services)).text
    assert "You add to a plan that goes on." in shown
    assert f'name="plan" value="{address.removeprefix("/plans/")}"' in shown
    assert "If you tick several" not in shown.replace("If you tick several, they", "")
    wanted = choices.shelters[3].service_at_location_id
    consent = f"{services.replace('/services', '/consent')}&to={wanted}"
    step = await leads_to(page, consent, "Put it on the plan now")
    shown = (await page.get(step)).text
    assert "until then it waits on the plan" in shown
    assert 'name="categories"' not in shown
    assert "It is on the plan." in await put(page, step)
    added = (await plan_now(app, choices, routed)).choices[-1]
    assert (added.service_at_location_id, added.release_id, added.referral_id) == (wanted, None, None)
    assert "It is in the plan already." in await put(page, step)


@pytest.mark.rule("C1")
async def test_a_choice_without_her_word_is_put_before_her_and_covered_by_what_she_signs(
    page: Browser, app: Database, choices: Choices, planned: Planned
) -> None:
    routed, address = await planned()
    consent = await leads_to(page, address, "Ask her about it")
    shown = (await page.get(consent)).text
    assert "Put it on the plan now" not in shown
    base, _, query = consent.partition("?")
    carried = dict(re.findall(r"(\w+)=([^&]+)", query))
    asked = await page.post(
        base, page=consent, **carried, ask=str(choices.shelters[1].intake.agency_id), purpose="shelter",
        categories=["identity", "needs"], term_days="30", form_language="es",
    )  # fmt: skip
    assert asked.status_code == 303, asked.text
    release = asked.headers["location"]
    need = base.split("/")[2]
    signed = await page.post(
        release.partition("?")[0], page=release, **carried, need=need, method="electronic", signature="Ana"
    )
    step = await leads_to(page, signed.headers["location"], "Go on: look at what is sent")
    refused = await put(page, step)
    assert 'id="categories-wrong"' in refused
    assert "It is on the plan." in await put(page, step, categories=["needs"])
    plan = await plan_now(app, choices, routed)
    assert len(plan.choices) == 3
    covered = plan.choices[1]
    assert covered.release_id is not None
    assert (set(covered.categories), covered.referral_id) == ({"needs"}, None)


async def test_what_she_has_released_already_is_added_with_it(
    page: Browser, app: Database, choices: Choices, planned: Planned, keyring: Keyring, present: FixedClock
) -> None:
    routed, address = await planned()
    recipient = choices.shelters[3].intake.agency_id
    release = await sign(app, choices, routed.survivor_id, recipient, keyring)
    present.advance(timedelta(minutes=1))
    services = await leads_to(page, address, "Ask another service as well")
    step = f"{services.replace('/services', '/send')}&to={choices.shelters[3].service_at_location_id}"
    assert "It is on the plan." in await put(page, step, categories=["identity"])
    added = (await plan_now(app, choices, routed)).choices[-1]
    assert (added.release_id, set(added.categories), added.referral_id) == (release, {"identity"}, None)


@pytest.mark.rule("R4")
async def test_where_all_are_asked_at_once_it_is_asked_at_once_and_told_nothing(
    page: Browser, app: Database, choices: Choices, planned: Planned
) -> None:
    routed, address = await planned(Mode.TOGETHER)
    services = await leads_to(page, address, "Ask another service as well")
    consent = f"{services.replace('/services', '/consent')}&to={choices.shelters[3].service_at_location_id}"
    step = str((await page.get(consent)).headers["location"])
    shown = (await page.get(step)).text
    assert "When one has accepted, you ask her what it may be told." in shown
    assert "It is on the plan." in await put(page, step)
    added = (await plan_now(app, choices, routed)).choices[-1]
    assert (added.release_id, added.status) == (None, "requested")


async def test_nothing_is_added_to_a_plan_that_is_over_or_to_another_needs(
    page: Browser, app: Database, choices: Choices, planned: Planned, keyring: Keyring, present: FixedClock
) -> None:
    routed, address = await planned()
    services = await leads_to(page, address, "Ask another service as well")
    step = f"{services.replace('/services', '/send')}&to={choices.shelters[3].service_at_location_id}"
    await page.get(step)
    await make_routable(app, choices, keyring, covered=1)
    person = re.findall(r"/people/[\w-]{43}", (await page.get("/people")).text)
    needs = {
        found
        for one in person
        for found in re.findall(r"/needs/[\w-]{43}", (await page.get(one)).text)
        if found not in step
    }
    assert needs
    elsewhere = f"{needs.pop()}/send?{step.partition('?')[2]}"
    assert (await page.get(elsewhere)).status_code == 404
    await run(app, choices.coordinator, close_routing, routed.plan_id, now=present.now())
    assert "The plan has found its service, or was closed." in await put(page, step)
    assert "Ask another service as well" not in (await page.get(address)).text


@pytest.mark.rule("C3")
async def test_what_she_has_taken_back_meanwhile_is_told_and_not_passed_over(
    page: Browser, app: Database, choices: Choices, planned: Planned, keyring: Keyring, present: FixedClock
) -> None:
    routed, address = await planned()
    release = await sign(app, choices, routed.survivor_id, choices.shelters[3].intake.agency_id, keyring)
    present.advance(timedelta(minutes=1))
    services = await leads_to(page, address, "Ask another service as well")
    step = f"{services.replace('/services', '/send')}&to={choices.shelters[3].service_at_location_id}"
    shown = (await page.get(step)).text
    assert 'id="categories-identity"' in shown
    await run(app, choices.coordinator, withdraw_consent, release_id=release, via=Via.ORAL, now=present.now())
    refused = await put(page, step, categories=["identity"])
    assert "There is no release in force for this." in refused
    assert len((await plan_now(app, choices, routed)).choices) == 3

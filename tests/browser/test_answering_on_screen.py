"""Journeys of the service that is asked and of the one that asks, in the browser, with what they look like.

`REFERRALNET_TEST_SCREENS=docs/screens` keeps the screenshots there.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect
from sqlalchemy import text

from referralnet.database.acting import Custodian, Dispatcher
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.messaging.planning import plan_notice, unhandled_notices
from referralnet.referrals.answering import accept
from referralnet.referrals.handing_over import HandoffKind, confirm_warm_handoff
from referralnet.survivors.needs import Urgency
from tests.browser.conftest import Visit, Visitor
from tests.browser.network import Town, make_town, send_one
from tests.browser.test_everybody_can_use_it import violations
from tests.factories.referrals import present, run

pytestmark = [pytest.mark.node, pytest.mark.slow]
SCREENS = os.environ.get("REFERRALNET_TEST_SCREENS")
NOW = present()  # what `base` serves: releases are judged by the database's own clock


@pytest_asyncio.fixture(scope="module")
async def town(owner: Database, app: Database, keyring: Keyring) -> Town:
    return await make_town(owner, app, keyring, now=NOW, referrals=6)


async def keep_screen(visitor: Visitor, name: str) -> None:
    """What axe finds on it, whether it is too wide, and its picture for docs/screens where that is asked for."""
    await visitor.page.wait_for_load_state()
    await visitor.page.evaluate("document.fonts.ready.then(() => true)")
    width = visitor.page.viewport_size["width"]  # type: ignore[index]
    wide = f"[...document.querySelectorAll('body *')].filter(one => one.getBoundingClientRect().right > {width})"
    assert await visitor.page.evaluate(f"{wide}.map(one => one.outerHTML.slice(0, 200))") == [], name
    assert await violations(visitor) == [], name
    if SCREENS:
        on = "-on-a-phone" if width < 400 else ""
        await visitor.page.evaluate("window.scrollTo(0, 0)")
        await visitor.page.screenshot(path=Path(SCREENS) / f"{name}{on}.png", full_page=True)


async def counted(visitor: Visitor, *presses: str) -> int:
    """Click what has these names, one after the other."""
    for name in presses:
        await visitor.page.click(name)
    return len(presses)


async def plan_texts(worker: Database) -> None:
    """What the worker does every few seconds."""
    async with worker.transaction(Dispatcher()) as session:
        waiting = await unhandled_notices(session)
    for notice_id, agency_id, _ in waiting:
        async with worker.transaction(Custodian(agency_id)) as session:
            await plan_notice(session, notice_id, now=NOW)


@pytest.mark.parametrize("width", [1280, 375])
async def test_a_referral_is_answered_in_three_clicks_from_home(visit: Visit, town: Town, width: int) -> None:
    visitor = await visit(width)
    await visitor.sign_in(town.rosa)
    await keep_screen(visitor, "home-of-intake")
    clicks = await counted(visitor, ".ask >> nth=0 >> text=Answer >> nth=-1")
    await keep_screen(visitor, "answer")
    clicks += await counted(visitor, "text=Accept and hold a place" if width > 400 else "label[for=reason-no_capacity]")
    if width <= 400:
        clicks += await counted(visitor, ".next button:has-text('Decline')")
    await expect(visitor.page.locator("[role=status].usa-alert")).to_contain_text("You have")
    assert clicks <= 3
    await keep_screen(visitor, "accepted" if width > 400 else "declined")
    assert visitor.troubles == []


@pytest.mark.parametrize("width", [1280, 375])
async def test_a_visit_is_booked_and_her_text_is_seen_before_it_goes(
    visit: Visit, town: Town, worker: Database, width: int
) -> None:
    visitor = await visit(width)
    await visitor.sign_in(town.rosa)
    await visitor.page.click(".ask >> nth=0 >> text=Answer >> nth=-1")
    await visitor.page.click("text=Accept and hold a place")
    await visitor.page.click("text=Book a visit")
    await visitor.page.fill("#day", (NOW + timedelta(days=4)).date().isoformat())
    await visitor.page.fill("#time", "10:30")
    await visitor.page.select_option("#travel", "source")
    await keep_screen(visitor, "visit")
    await visitor.page.click("text=Book it")
    await expect(visitor.page.locator("[role=status].usa-alert")).to_contain_text("The visit is booked.")
    await keep_screen(visitor, "visit-booked")
    await visitor.go(f"/calendar?from={(NOW + timedelta(days=4)).date().isoformat()}")
    await keep_screen(visitor, "calendar")
    await plan_texts(worker)
    source = await visit(width)
    await source.sign_in(town.dana)
    await keep_screen(source, "home-of-coordinator")
    await source.page.click("text=Arrange how she gets there >> nth=0")
    await expect(source.page.locator(".phone-bubble p").first).to_contain_text("10:30")
    await keep_screen(source, "source-sees-texts")
    await source.go("/texts?language=es")
    await source.page.fill("#words", "Lakeside notes")
    await expect(source.page.locator("#label-says")).to_contain_text("Not this one")
    await keep_screen(source, "texts")
    assert visitor.troubles == source.troubles == []


@pytest.mark.parametrize("width", [1280, 375])
async def test_a_count_is_kept_true_by_one_tap(visit: Visit, town: Town, width: int) -> None:
    visitor = await visit(width)
    await visitor.sign_in(town.rosa)
    clicks = await counted(visitor, ".pages >> text=Capacity", "text=Still true >> nth=0")
    await expect(visitor.page.locator("[role=status]")).to_contain_text("Thank you.")
    assert clicks == 2
    await keep_screen(visitor, "capacity")


async def test_by_keyboard_without_a_script_and_at_four_times_the_size_a_referral_is_answered(
    visit: Visit, town: Town
) -> None:
    visitor = await visit(320, java_script_enabled=False, locale="es-US")
    await visitor.sign_in(town.rosa)
    await visitor.page.focus(".ask h3 a >> nth=0")
    await visitor.page.keyboard.press("Enter")
    await expect(visitor.page.locator("#next-title")).to_have_text("Qué sigue")
    await visitor.page.wait_for_load_state()
    scrolls = "document.documentElement.scrollWidth"
    assert await visitor.page.evaluate(scrolls) <= 320
    await visitor.page.focus("#reason-duplicate")
    await visitor.page.keyboard.press("Space")
    await visitor.page.keyboard.press("Tab")
    await visitor.page.keyboard.press("Enter")
    await expect(visitor.page.locator("[role=status]").first).to_contain_text("Ha dicho que no.")
    await visitor.page.wait_for_load_state()
    assert await visitor.page.evaluate(scrolls) <= 320


async def test_an_open_page_tells_of_a_change_and_leaves_alone_what_somebody_writes(
    visit: Visit, town: Town, app: Database, keyring: Keyring
) -> None:
    newest = await send_one(app, town.network, keyring, Urgency.URGENT, NOW + timedelta(seconds=1))
    visitor = await visit()
    await visitor.sign_in(town.dana)
    await visitor.page.clock.install()
    await visitor.page.click("#sent-title ~ .rows a >> nth=0")
    await expect(visitor.page.locator("h1 + .status")).to_have_text("waiting for an answer")
    await run(app, town.rosa.actor, accept, newest, now=NOW)
    await visitor.page.clock.run_for(5000)
    await expect(visitor.page.locator("h1 + .status")).to_have_text("accepted")
    await expect(visitor.page.locator("#live-said")).to_have_text("This page has changed. accepted")
    await expect(visitor.page.locator("[data-live=timeline] li").first).to_contain_text("accepted")
    await visitor.page.click("text=Say that you have spoken")
    await visitor.page.check("#kind-between_staff + label")
    await run(app, town.rosa.actor, confirm_warm_handoff, newest, kind=HandoffKind.WITH_SURVIVOR, now=NOW)
    await visitor.page.clock.run_for(5000)
    await expect(visitor.page.locator("#live-stale")).to_be_visible()
    assert await visitor.page.is_checked("#kind-between_staff")
    async with app.transaction(town.dana.actor) as session:
        await session.execute(text("update member_session set revoked_at = now() where member_id = acting_member()"))
    await visitor.page.clock.run_for(5000)
    await expect(visitor.page.locator("h1")).to_have_text("This page has locked itself")
    assert [trouble for trouble in visitor.troubles if "403" not in trouble] == []

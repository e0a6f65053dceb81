"""What is kept of somebody, what takes two people, and what is sent on: looked at in Chromium, wide and narrow."""

from __future__ import annotations

from uuid import UUID

import pytest
import pytest_asyncio
from playwright.async_api import expect

from referralnet.database.acting import Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.referrals.answering import accept
from tests.browser import network
from tests.browser.conftest import Visit
from tests.browser.screens import look
from tests.factories.identity import MadeMember, make_member
from tests.factories.referrals import present

pytestmark = [pytest.mark.node, pytest.mark.slow]
NOW = present()  # what `base` serves: releases are judged by the database's own clock


@pytest_asyncio.fixture(scope="module")
async def town(owner: Database, app: Database, keyring: Keyring) -> network.Town:
    made = await network.make_town(owner, app, keyring, now=NOW)
    async with app.transaction(made.rosa.actor) as session:
        await accept(session, made.rosa.actor, made.referrals[0], now=NOW)
    return made


@pytest_asyncio.fixture(scope="module")
async def june(owner: Database, keyring: Keyring, town: network.Town) -> MadeMember:
    """The coordinator of the house that has accepted."""
    agency_id = UUID(str(town.rosa.actor.agency_id))
    return await make_member(owner, keyring, agency_id, [Role.COORDINATOR, Role.INTAKE], now=NOW)


@pytest.mark.rule("C6")
@pytest.mark.parametrize("width", [1280, 375])
async def test_what_was_accepted_is_sent_on(visit: Visit, june: MadeMember, width: int) -> None:
    visitor = await visit(width)
    await visitor.sign_in(june)
    page = visitor.page
    await visitor.go("/requests/list/received")
    await visitor.follow("main a[href^='/requests/']:not([href*='list'])")
    await look(visitor, "onward")
    await visitor.follow("text=Refer her on")
    await look(visitor, "onward-who")
    await visitor.follow("text=Record somebody new")
    await page.fill("#given_name", f"Ana {width}")
    async with page.expect_navigation():
        await page.click("text=Record her")
    await expect(page.locator("#household_size")).not_to_have_value("")
    await look(visitor, "onward-need")
    await page.select_option("#service_type", "emergency_shelter")
    await page.click("label[for=urgency-urgent]")
    async with page.expect_navigation():
        await page.click("text=See who could help")
    await expect(page.locator(".referring-on")).to_be_visible()
    await look(visitor, "onward-services")
    assert visitor.troubles == []


@pytest.mark.parametrize("width", [1280, 375])
async def test_a_record_is_read_corrected_and_added_to(
    visit: Visit, town: network.Town, june: MadeMember, width: int
) -> None:
    coordinator = town.dana if width == 1280 else june  # a code opens once, and it is always the same moment here
    visitor = await visit(width)
    await visitor.sign_in(coordinator)
    page = visitor.page
    await visitor.go("/people/new")
    await page.fill("#given_name", "Guadalupe")
    await page.fill("#phone", "312 555 0177")
    async with page.expect_navigation():
        await page.click("text=Record her")
    await visitor.follow("text=Open her record")
    await page.fill("#code", coordinator.totp_code(NOW))
    async with page.expect_navigation():
        await page.click("main form button")
    await expect(page.locator("h1")).to_have_text("What is kept of her")
    await look(visitor, "record")
    await page.click("summary:has-text('Add a number')")
    await page.fill("#number", "312 555 0188")
    async with page.expect_navigation():
        await page.click("text=Keep the number")
    await expect(page.locator("#number_kind-wrong")).to_be_visible()
    await expect(page.locator("#number")).to_have_value("312 555 0188")
    await look(visitor, "record-wrong")
    await page.click("label[for=number_kind-friend]")
    async with page.expect_navigation():
        await page.click("text=Keep the number")
    await expect(page.locator("#numbers")).to_contain_text("555")
    await page.click(".note-kept summary >> nth=0")
    await page.fill("#text_safety", "He knows the address of her sister.")
    async with page.expect_navigation():
        await page.click("#notes button:has-text('Keep the note') >> nth=0")
    await visitor.follow("text=Open the history")
    await expect(page.locator("main")).to_contain_text("He knows the address of her sister.")
    await look(visitor, "record-before")
    assert all("422" in said for said in visitor.troubles)


@pytest.mark.rule("C10", "C12")
async def test_what_takes_two_people_waits_for_the_second(
    visit: Visit, owner: Database, keyring: Keyring, town: network.Town
) -> None:
    lee = await make_member(owner, keyring, UUID(str(town.dana.actor.agency_id)), [Role.COORDINATOR], now=NOW)
    first, second = await visit(), await visit(375)
    await first.sign_in(town.dana)
    await first.go("/people")
    await first.follow("main .rows a >> nth=0")
    await first.follow("#away >> text=What takes two people")
    await first.page.click("summary:has-text('A court or a law compels')")
    await first.page.click("label[for=mandate-court_order]")
    await first.page.fill("#authority", "Circuit Court of Invented County")
    await first.page.fill("#reference", "26 MR 0142")
    await first.page.fill("#recipient", "The clerk of that court")
    await first.page.fill("#mandated_on", NOW.date().isoformat())
    await first.page.click("label[for=categories-needs]")
    async with first.page.expect_navigation():
        await first.page.click("main button:has-text('Propose it')")
    await look(first, "two-proposed")
    await second.sign_in(lee)
    await look(second, "two-at-home")
    await second.follow("text=To tell what a court or a law compels")
    await second.follow("text=Read the mandate")
    await second.page.fill("#code", lee.totp_code(NOW))
    async with second.page.expect_navigation():
        await second.page.click("main form button")
    await expect(second.page.locator("main")).to_contain_text("The clerk of that court")
    await look(second, "two-read")
    await second.follow("main button:has-text('Confirm it')")
    await expect(second.page.locator("[role=status].usa-alert")).to_contain_text("Confirmed, and done.")
    await second.follow("text=Back to her page")
    await second.follow("text=Read it on the screen")
    await look(second, "accounting")
    assert first.troubles == second.troubles == []

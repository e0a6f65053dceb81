"""The coordinator's journeys on the screen: find and refer, and what she takes back."""

from __future__ import annotations

import pytest
import pytest_asyncio
from playwright.async_api import expect

from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from tests.browser.conftest import Visit, Visitor
from tests.browser.screens import look
from tests.factories.referrals import present
from tests.factories.towns import Town, make_town

pytestmark = [pytest.mark.node, pytest.mark.slow]
NOW = present()  # what `base` serves: releases are judged by the database's own clock


@pytest_asyncio.fixture(scope="module")
async def town(owner: Database, app: Database, keyring: Keyring) -> Town:
    return await make_town(owner, app, keyring, now=NOW)


async def record(visitor: Visitor, name: str) -> None:
    await visitor.go("/people/new")
    await visitor.page.fill("#given_name", name)
    await visitor.page.click("text=Record her")


async def say_what_she_needs(visitor: Visitor) -> None:
    page = visitor.page
    await page.select_option("#service_type", "emergency_shelter")
    await page.click("label[for=urgency-urgent]")
    await page.fill("#region", "IL")
    await page.fill("#household_size", "2")
    await page.select_option("#age_band", "25_59")
    await page.select_option("#language", "es")
    await page.click("text=See who could help")


async def ask_and_sign(visitor: Visitor, *, pictures: bool = False) -> None:
    page = visitor.page
    await page.click("label[for=categories-identity]")
    await page.click("label[for=categories-needs]")
    if pictures:
        await look(visitor, "way-consent")
    await page.click("main button:has-text('Read it with her')")
    await page.click("label[for=method-electronic]")
    await page.fill("#signature", "Ana")
    if pictures:
        await look(visitor, "way-signing")
    await page.click("text=She has signed")
    await page.click("text=Go on: look at what is sent")


@pytest.mark.parametrize("width", [1280, 375])
async def test_somebody_is_recorded_and_referred_with_her_consent(visit: Visit, town: Town, width: int) -> None:
    visitor = await visit(width)
    await visitor.sign_in(town.dana)
    page = visitor.page
    await visitor.go("/people")
    await look(visitor, "people")
    await record(visitor, f"Ana {width}")
    await expect(page.locator("[role=status].usa-alert")).to_contain_text("She is recorded")
    await look(visitor, "person-new")
    await visitor.follow("text=She needs something")
    await look(visitor, "way-need")
    await say_what_she_needs(visitor)
    await expect(page.locator("h1")).to_have_text("Who could help?")
    await page.click("label:has-text('Ask it · Tonight at Lantern House')")
    await look(visitor, "way-services")
    await page.click("text=Go on with those ticked")
    await ask_and_sign(visitor, pictures=True)
    await expect(page.locator("h1")).to_have_text("Ready to send")
    await look(visitor, "way-send")
    assert visitor.troubles == []
    await page.click("main button:has-text('Send it')")
    await page.wait_for_url("**/requests/*")


@pytest.mark.rule("R7")
async def test_a_form_without_a_connection_says_so_and_loses_nothing(visit: Visit, town: Town) -> None:
    visitor = await visit()
    await visitor.sign_in(town.dana)
    page = visitor.page
    await visitor.go("/people/new")
    await page.fill("#given_name", "Typed only once")
    await page.context.set_offline(True)
    await page.click("text=Record her")
    await expect(page.locator(".not-sent")).to_contain_text("What you typed is still here")
    assert await page.input_value("#given_name") == "Typed only once"
    assert await page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]
    await page.context.set_offline(False)
    await page.dblclick("text=Record her")
    await expect(page.locator("[role=status].usa-alert")).to_contain_text("She is recorded")
    await visitor.go("/people")
    assert await page.locator(".rows strong").count() == len(set(await page.locator(".rows strong").all_inner_texts()))


async def test_the_way_is_gone_by_keyboard_alone(visit: Visit, town: Town) -> None:
    visitor = await visit()
    await visitor.sign_in(town.dana)
    page = visitor.page
    await record(visitor, "By keyboard")
    await expect(page.locator(".title-row form")).to_be_visible()

    async def press(*names: str) -> None:
        for name in names:
            for _ in range(120):
                await page.keyboard.press("Tab")
                label = await page.evaluate(
                    "document.activeElement.labels?.[0]?.innerText || document.activeElement.innerText || ''"
                )
                if label.strip().startswith(name):
                    break
            else:
                raise AssertionError(f"the keyboard does not reach {name!r}")

    await press("She needs something")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/needs*")
    await press("What kind of help")
    await page.keyboard.type("Emergency shelter")
    await press("Urgent")
    await page.keyboard.press("Space")
    await press("Where about")
    await page.keyboard.type("IL")
    await press("For how many")
    await page.keyboard.type("2")
    await press("Her age")
    await page.keyboard.type("25")
    await press("Her language")
    await page.keyboard.type("Spanish")
    await page.keyboard.press("Enter")
    await press("See who could help")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/services*")
    await press("Ask it")
    await page.keyboard.press("Space")
    await press("Go on with those ticked")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/consent*")
    await press("Who she is", "What she needs: the kind")
    await page.keyboard.press("Space")
    await press("Read it with her")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/releases/*")
    await expect(page.locator("h1")).to_have_text("Her consent for Lantern House")
    assert visitor.troubles == []


async def test_she_takes_it_back_and_sees_what_ends_before_it_does(visit: Visit, town: Town) -> None:
    for width in (1280, 375):
        visitor = await visit(width)
        await visitor.sign_in(town.dana)
        page = visitor.page
        await record(visitor, f"Ending {width}")
        await expect(page.locator(".title-row form")).to_be_visible()
        person = page.url
        await page.click("text=She needs something")
        await say_what_she_needs(visitor)
        await page.click("label:has-text('Ask it · Tonight at Lantern House')")
        await page.click("text=Go on with those ticked")
        await ask_and_sign(visitor)
        await page.click("main button:has-text('Send it')")
        await page.wait_for_url("**/requests/*")
        await page.goto(person)
        await look(visitor, "person")
        await visitor.follow("text=Make it smaller")
        await look(visitor, "consent-smaller")
        await visitor.follow("text=She wants to end all of it")
        await look(visitor, "consent-end")
        await page.click("label[for=via-oral]")
        await page.click("main button:has-text('Take it back now')")
        await expect(page.locator("[role=status].usa-alert")).to_contain_text("It has ended")
        await expect(page.locator("#sent")).to_contain_text("Nothing is under way")
        await visitor.follow("text=Take everything back")
        await look(visitor, "everything-ends")

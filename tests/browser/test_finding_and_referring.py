"""The coordinator's journeys on the screen: find and refer, and what she takes back."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import expect

from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from tests.browser.conftest import Visit, Visitor, served
from tests.browser.screens import look
from tests.factories.referrals import present
from tests.factories.towns import Town, make_town

pytestmark = [pytest.mark.node, pytest.mark.slow]
NOW = present()


@pytest_asyncio.fixture(scope="module")
async def base(app: Database, keyring: Keyring) -> AsyncIterator[str]:
    """A console in the present: releases are judged by the database's own clock."""
    async with served(app, keyring, "production", NOW) as address:
        yield address


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
    await page.click("text=She needs something")
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

"""Keep capacity true: one tap for each count, an old one first, and two people at once.

`REFERRALNET_TEST_SCREENS=docs/screens` keeps the pictures there.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
import pytest_asyncio
from playwright.async_api import expect

from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from tests.browser.conftest import Visit
from tests.browser.network import Town, make_town
from tests.browser.screens import look
from tests.databases import DatabaseUrls
from tests.factories.messaging import superuser
from tests.factories.referrals import present

pytestmark = [pytest.mark.node, pytest.mark.slow]
NOW = present()  # what `base` serves: releases are judged by the database's own clock


@pytest_asyncio.fixture(scope="module")
async def town(owner: Database, app: Database, keyring: Keyring) -> Town:
    return await make_town(owner, app, keyring, now=NOW)


async def let_it_get_old(urls: DatabaseUrls, town: Town) -> None:
    """Nobody has said anything of the largest count for two days: five beds then."""
    async with superuser(urls) as db:
        await db.execute(
            """update service_capacity set available = 5, updated = $1
                where id = (select id from service_capacity where agency_id = $2
                            order by maximum desc nulls last limit 1)""",
            NOW - timedelta(days=2), town.rosa.actor.agency_id,
        )  # fmt: skip


@pytest.mark.rule("D5")
@pytest.mark.parametrize("width", [1280, 375])
async def test_an_old_count_stands_first_and_is_true_again_by_one_tap(
    visit: Visit, town: Town, database_urls: DatabaseUrls, width: int
) -> None:
    await let_it_get_old(database_urls, town)
    visitor = await visit(width)
    await visitor.sign_in(town.rosa)
    await visitor.follow(".pages >> text=Capacity")
    page = visitor.page
    unit = page.locator(".unit-stale").first
    await expect(page.locator(".unit").first).to_contain_text("Too old to be believed")
    await expect(unit).to_contain_text("said 2 days ago")
    await look(visitor, "capacity-old")
    named = await unit.get_attribute("id")
    await visitor.follow(f"#{named} >> text=Still true")
    await expect(page.locator("[role=status].usa-alert")).to_contain_text("Thank you.")
    await expect(page.locator(f"#{named}")).to_contain_text("said now")
    await expect(page.locator(f"#{named} strong")).to_have_text("5")
    await expect(page.locator(".unit-stale")).to_have_count(0)
    # What was kept stands where one looks, and not behind the head.
    box, head = await page.locator(f"#{named}").bounding_box(), await page.locator(".head").bounding_box()
    assert box is not None
    assert head is not None
    assert box["y"] >= head["height"] - 1
    await look(visitor, "capacity-kept")
    assert visitor.troubles == []


@pytest.mark.rule("R2")
@pytest.mark.parametrize("width", [1280, 375])
async def test_of_two_people_who_take_a_bed_away_at_once_the_second_is_shown_what_the_first_did(
    visit: Visit, town: Town, database_urls: DatabaseUrls, width: int
) -> None:
    await let_it_get_old(database_urls, town)
    first, second = await visit(width), await visit(width)
    for visitor in (first, second):
        await visitor.sign_in(town.rosa)
        await visitor.go("/capacity")
    named = await first.page.locator(".unit-stale").first.get_attribute("id")
    await first.follow(f"#{named} >> text=One fewer")
    await expect(first.page.locator(f"#{named} strong")).to_have_text("4")
    await second.follow(f"#{named} >> text=One fewer")
    await expect(second.page.locator(f"#{named} [role=alert]")).to_contain_text("has changed since you looked")
    await expect(second.page.locator(f"#{named} strong")).to_have_text("4")
    await look(second, "capacity-two-at-once")
    await second.follow(f"#{named} >> text=One fewer")
    await expect(second.page.locator(f"#{named} strong")).to_have_text("3")


@pytest.mark.rule("P3")
async def test_another_number_is_typed_and_one_that_cannot_be_is_told_beside_it(
    visit: Visit, town: Town, database_urls: DatabaseUrls
) -> None:
    await let_it_get_old(database_urls, town)
    visitor = await visit(375)
    await visitor.sign_in(town.rosa)
    await visitor.go("/capacity")
    page = visitor.page
    named = await page.locator(".unit-stale").first.get_attribute("id")
    await page.click(f"#{named} summary")
    await page.fill(f"#{named} .usa-input", "many")
    await visitor.follow(f"#{named} >> text=Keep")
    await expect(page.locator(f"#{named} [role=alert]")).to_contain_text("Write a whole number")
    await expect(page.locator(f"#{named} .usa-input")).to_be_visible()
    await page.fill(f"#{named} .usa-input", "2")
    await visitor.follow(f"#{named} >> text=Keep")
    await expect(page.locator(f"#{named} strong")).to_have_text("2")

"""Every page, in both languages, on a desk and on a phone: what axe finds, what is too wide, and where the focus is.

`REFERRALNET_TEST_PAGES=people|capacity` looks at those alone whose address this expression finds.
"""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from tests.browser.conftest import Visit, Visitor
from tests.browser.every_page import FOR_TRYING, LOOKED_AT, NOBODY, World, make_world
from tests.browser.keys import FOCUSED
from tests.browser.test_everybody_can_use_it import violations
from tests.databases import DatabaseUrls
from tests.factories.referrals import present

pytestmark = [pytest.mark.node, pytest.mark.slow]
NOW = present()  # what `base` serves: releases are judged by the database's own clock
TABS_MAX = 400
ONLY = re.compile(os.environ.get("REFERRALNET_TEST_PAGES", ""))


@pytest_asyncio.fixture(scope="module")
async def world(
    owner: Database, app: Database, worker: Database, keyring: Keyring, database_urls: DatabaseUrls
) -> World:
    return await make_world(owner, app, worker, keyring, database_urls, now=NOW)


async def look_at_all(
    visit: Visit, world: World, language: str, width: int, check: Callable[[Visitor, str], Awaitable[None]]
) -> None:
    """Open every page as whoever has it, and check it."""
    for who in sorted({who for who, _ in LOOKED_AT.values()}):
        visitor = await visit(width, locale=f"{language}-US", reduced_motion="reduce")
        await visitor.page.context.add_cookies(world.cookies(who, visitor.base))  # type: ignore[arg-type]
        for route, (opener, _) in LOOKED_AT.items():
            if opener != who or route in FOR_TRYING or not ONLY.search(route):
                continue
            answer = await visitor.page.goto(visitor.base + world.address(route))
            assert answer is not None
            assert (answer.status, visitor.page.url) == (200, visitor.base + world.address(route))
            assert await visitor.page.get_attribute("html", "lang") == language, route
            await check(visitor, route)
        assert visitor.troubles == [], who


@pytest.mark.parametrize("language", ["en", "es"])
async def test_axe_finds_nothing_and_nothing_is_too_wide(visit: Visit, world: World, language: str) -> None:
    async def check(visitor: Visitor, route: str) -> None:
        for width in (1280, 375, 320):
            await visitor.page.set_viewport_size({"width": width, "height": 900})
            assert await visitor.page.evaluate("document.documentElement.scrollWidth") <= width, (route, width)
            if width > 320:
                assert await violations(visitor) == [], (route, width)

    await look_at_all(visit, world, language, 1280, check)


@pytest.mark.parametrize(("language", "width"), [("en", 1280), ("es", 375)])
async def test_whatever_the_keyboard_reaches_is_seen_and_has_a_ring(
    visit: Visit, world: World, language: str, width: int
) -> None:
    found = []

    async def check(visitor: Visitor, route: str) -> None:
        reached = 0
        for _ in range(TABS_MAX):
            await visitor.page.keyboard.press("Tab")
            told = await visitor.page.evaluate(FOCUSED)
            if told is None:
                break
            reached += 1
            if told[1]:
                found.append((route, *told))
        assert 3 < reached < TABS_MAX, route

    await look_at_all(visit, world, language, width, check)
    assert found == [], "\n".join(map(str, found))


@pytest.mark.parametrize("route", [route for route in sorted(FOR_TRYING) if LOOKED_AT[route][0] != NOBODY])
async def test_the_pages_for_trying_are_looked_at_as_well(
    visit: Visit, trying_base: str, world: World, chromium: Browser, route: str
) -> None:
    visitor = await visit(1280)
    visitor.base = trying_base
    await visitor.page.context.add_cookies(world.cookies(LOOKED_AT[route][0], trying_base))  # type: ignore[arg-type]
    await visitor.go(world.address(route))
    assert await visitor.page.locator("h1").count() == 1
    if route == "/explorer":
        assert await violations(visitor) == []

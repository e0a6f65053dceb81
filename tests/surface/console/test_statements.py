"""Every page asks the database a few statements, and no more of them where there is ten times as much to show."""

from __future__ import annotations

import pytest
import pytest_asyncio

from referralnet.clock import FixedClock
from referralnet.console.cookies import Cookie
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from tests.browser.every_page import LOOKED_AT, NOBODY, World, make_world
from tests.databases import DatabaseUrls
from tests.factories.referrals import present
from tests.surface.console.conftest import OpenBrowser, statements
from tests.surface.console.many_rows import STATEMENTS_MAX, grow

NOW = present()


@pytest_asyncio.fixture(scope="module")
async def world(
    owner: Database, app: Database, worker: Database, keyring: Keyring, database_urls: DatabaseUrls
) -> World:
    return await make_world(owner, app, worker, keyring, database_urls, now=NOW)


async def asked_by(browser: OpenBrowser, app: Database, world: World, route: str) -> list[str]:
    """The statements of a page that has been opened before."""
    page = browser(now=FixedClock(NOW))
    who = LOOKED_AT[route][0]
    if who != NOBODY:
        page.client.cookies.set(Cookie.SESSION.value, world.tokens[who])
    address = world.address(route)
    with statements(app) as sent:
        answer = await page.get(address)
    assert answer.status_code == 200, (route, answer.status_code)
    return sent


def test_of_every_page_it_is_said_how_much_it_may_ask() -> None:
    assert STATEMENTS_MAX.keys() == LOOKED_AT.keys()


@pytest.mark.slow
async def test_a_page_is_a_few_statements_however_much_stands_on_it(
    browser: OpenBrowser, app: Database, keyring: Keyring, world: World, database_urls: DatabaseUrls
) -> None:
    """Her accounting finds that the copies stand in no trail, and raises an alarm: that is one statement, and right."""
    few = {route: await asked_by(browser, app, world, route) for route in LOOKED_AT}
    too_many = {route: len(sent) for route, sent in few.items() if len(sent) > STATEMENTS_MAX[route]}
    assert too_many == {}
    rows = await grow(database_urls, app, keyring, now=NOW)
    assert all(after >= before * 5 for before, after in rows.values()), rows
    more = {}
    for route in LOOKED_AT:
        sent = [said for said in await asked_by(browser, app, world, route) if "insert into task" not in said]
        if len(sent) > len(few[route]):
            more[route] = [statement for statement in sent if sent.count(statement) > few[route].count(statement)]
    assert more == {}

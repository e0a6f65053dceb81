"""Import and administer, on screen: for whoever keeps an agency, the network, or looks back on what was done.

`REFERRALNET_TEST_SCREENS=docs/screens` keeps the pictures there.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from referralnet.clock import FixedClock
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.jobs.importer import Importer
from tests.browser.administering import People, fill, make_people
from tests.browser.conftest import Visit, Visitor
from tests.browser.screens import look
from tests.databases import DatabaseUrls
from tests.factories.directory import EVENING
from tests.factories.identity import MadeMember
from tests.integration.directory.test_requests import SERVICES, package

pytestmark = [pytest.mark.node, pytest.mark.slow]


@pytest_asyncio.fixture(scope="module")
async def people(
    owner: Database, app: Database, keyring: Keyring, database_urls: DatabaseUrls, member: MadeMember
) -> People:
    made = await make_people(owner, keyring, member.actor.agency_id, now=EVENING)
    await fill(app, keyring, database_urls, made, now=EVENING)
    return made


async def at(visit: Visit, width: int, who: MadeMember) -> Visitor:
    visitor = await visit(width)
    await visitor.sign_in(who)
    return visitor


@pytest.mark.parametrize("width", [1280, 375])
async def test_an_agency_is_kept(visit: Visit, people: People, width: int) -> None:
    visitor = await at(visit, width, people.admin)
    for path, name in (
        ("/administer/members", "members"), ("/administer/programs", "programs"), ("/administer/files", "files"),
        ("/administer/kinds", "kinds"), ("/administer/deadlines", "deadlines"),
        ("/administer/reminders", "reminders"), ("/measures?side=received", "measures"),
    ):  # fmt: skip
        await visitor.go(path)
        await look(visitor, name)
    await visitor.go("/administer/members/invite")
    await visitor.page.fill("#display_name", "Noa Example")
    await visitor.page.fill("#login", f"noa{width}@harbor.example")
    await visitor.page.check("#roles-2 + label")
    await look(visitor, "invite")
    await visitor.page.focus("#login")
    await visitor.page.keyboard.press("Enter")
    code = await visitor.page.locator(".shown-once code").first.inner_text()
    await look(visitor, "invited")
    newcomer = await visit(width)
    await newcomer.go("/join")
    await newcomer.page.fill("#code", code)
    await newcomer.page.keyboard.press("Enter")
    await expect(newcomer.page.locator(".picture svg")).to_be_visible()
    await look(newcomer, "join")
    assert visitor.troubles == newcomer.troubles == []


@pytest.mark.parametrize("width", [1280, 375])
async def test_a_directory_is_imported(
    visit: Visit, people: People, owner: Database, tmp_path: Path, width: int
) -> None:
    visitor = await at(visit, width, people.keeper)
    await visitor.go("/administer/network")
    await look(visitor, "network")
    await visitor.go("/administer/imports")
    await look(visitor, "imports")
    file = tmp_path / "harbor.zip"
    file.write_bytes(package(organizations="id,name\no1,Harbor Desk\n", services=SERVICES))
    await visitor.page.set_input_files("#file", file)
    await visitor.page.click("text=Try it: change nothing")
    await expect(visitor.page.locator("[role=status]")).to_contain_text("It waits for its turn.")
    await Importer(owner, FixedClock(EVENING)).look()
    # The page tells it by itself.
    await expect(visitor.page.locator("[role=status]")).to_contain_text("This is what would come in.")
    await expect(visitor.page.locator(".report")).to_contain_text("services.csv:3")
    await look(visitor, "import-report")
    assert visitor.troubles == []


@pytest.mark.parametrize("width", [1280, 375])
async def test_deadlines_and_reminders_are_changed_once_their_effect_was_seen(
    visit: Visit, people: People, width: int
) -> None:
    keeper, admin = await at(visit, width, people.keeper), await at(visit, width, people.admin)
    await keeper.go("/administer/deadlines")
    await look(keeper, "deadlines-of-the-network")
    await keeper.page.fill("#urgent_hours", str(width % 7 + 1))
    await keeper.follow("text=See what would change")
    await expect(keeper.page.locator(".change").first).to_contain_text("in place of")
    await look(keeper, "deadlines-change")
    await keeper.follow("text=Let it hold from now on")
    await expect(keeper.page.locator("[role=status].usa-alert")).to_contain_text("Kept.")
    await admin.go("/administer/reminders")
    await admin.page.check("#whose-own + label")
    await admin.page.fill("#hours-1", str(width % 48 + 30))
    await admin.follow("text=See what would change")
    await expect(admin.page.locator("form.card")).to_contain_text("Of the same visit she would be reminded")
    await look(admin, "reminders-change")
    await admin.follow("text=Let it hold from now on")
    await expect(admin.page.locator("[role=status].usa-alert")).to_contain_text("planned anew")
    assert keeper.troubles == admin.troubles == []


@pytest.mark.parametrize("width", [1280, 375])
async def test_the_trail_is_read(visit: Visit, people: People, width: int) -> None:
    visitor = await at(visit, width, people.auditor)
    await visitor.go("/trail")
    await look(visitor, "trail")
    await visitor.page.select_option("#what", "readings")
    await visitor.page.click("text=Show >> nth=0")
    await expect(visitor.page.locator(".events")).to_contain_text("saw who somebody is")
    assert visitor.troubles == []

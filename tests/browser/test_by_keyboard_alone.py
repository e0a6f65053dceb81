"""All six journeys with a keyboard alone: find and refer, answer, schedule and text, withdraw, capacity, import."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from referralnet.clock import FixedClock
from referralnet.database.acting import AgencyKind, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.jobs.importer import Importer
from tests.browser.conftest import Visit, Visitor
from tests.browser.keys import Keys
from tests.browser.network import Town, make_town
from tests.factories.identity import MadeMember, make_agency, make_member
from tests.factories.referrals import present
from tests.integration.directory.test_requests import SERVICES, package

pytestmark = [pytest.mark.node, pytest.mark.slow]
NOW = present()  # what `base` serves: releases are judged by the database's own clock


@pytest_asyncio.fixture(scope="module")
async def town(owner: Database, app: Database, keyring: Keyring) -> Town:
    return await make_town(owner, app, keyring, now=NOW)


async def at(visit: Visit, who: MadeMember) -> tuple[Visitor, Keys]:
    """Somebody who signs in by the keyboard too."""
    visitor = await visit(1280, locale="en-US", reduced_motion="reduce")
    keys = Keys(visitor.page)
    await visitor.go("/sign-in")
    await keys.type("#login", who.login)
    await keys.type("#password", who.password)
    async with visitor.page.expect_navigation():
        await visitor.page.keyboard.press("Enter")
    return visitor, keys


async def test_somebody_is_referred_and_takes_it_back(visit: Visit, town: Town) -> None:
    visitor, keys = await at(visit, town.dana)
    await keys.follow("People")
    await keys.follow("Record somebody new")
    await keys.type("#given_name", "By keyboard")
    await keys.follow("Record her")
    person = visitor.page.url
    await keys.follow("She needs something")
    await keys.type("#service_type", "Emergency shelter")
    await keys.choose("urgency", "#urgency-urgent")
    for field, words in (
        ("#region", "IL"), ("#household_size", "2"), ("#age_band", "25"), ("#language", "Spanish"),
    ):  # fmt: skip
        await keys.type(field, words)
    await keys.follow("See who could help")
    await keys.tick("Ask it · Tonight at Lantern House")
    await keys.follow("Go on with those ticked")
    await keys.tick("#categories-needs")
    await keys.follow("Read it with her")
    await keys.choose("method", "#method-electronic")
    await keys.type("#signature", "By keyboard")
    await keys.follow("She has signed")
    await keys.follow("Go on: look at what is sent")
    await keys.follow("Send it")
    await expect(visitor.page.locator("h1 + .status")).to_have_text("waiting for an answer")
    await visitor.page.goto(person)
    await keys.follow("Take everything back")
    await keys.choose("via", "#via-oral")
    await keys.follow("End everything now")
    await expect(visitor.page.locator("[role=status].usa-alert")).to_contain_text("has ended")
    await expect(visitor.page.locator("#sent")).to_contain_text("Nothing is under way")
    assert visitor.troubles == []


async def test_it_is_answered_and_a_visit_is_booked(visit: Visit, town: Town) -> None:
    visitor, keys = await at(visit, town.rosa)
    told = expect(visitor.page.locator("[role=status].usa-alert"))
    await keys.follow(".ask h3 a")
    await keys.follow("Accept and hold a place")
    await told.to_contain_text("You have")
    await keys.follow("Book a visit")
    await keys.type("#day", (NOW + timedelta(days=4)).strftime("%m%d%Y"))
    await keys.type("#time", "1030AM")
    await keys.follow("Book it")
    await told.to_contain_text("The visit is booked.")
    assert visitor.troubles == []


async def test_a_count_is_kept_true(visit: Visit, town: Town) -> None:
    visitor, keys = await at(visit, town.rosa)
    told = expect(visitor.page.locator("[role=status].usa-alert"))
    await keys.follow("Capacity")
    await keys.follow("Still true")
    await told.to_contain_text("Thank you.")
    await keys.to("Another number")
    await visitor.page.keyboard.press("Enter")
    await keys.type(".another-number .usa-input", "3")
    async with visitor.page.expect_navigation():
        await visitor.page.keyboard.press("Enter")
    await told.to_contain_text("Thank you.")
    await keys.follow("Undo")
    await told.to_contain_text("Undone")
    assert visitor.troubles == []


async def test_two_services_are_compared_and_the_texts_are_read(visit: Visit, town: Town) -> None:
    visitor, keys = await at(visit, town.dana)
    await keys.follow("Directory")
    for ticked in range(2):
        await keys.to(".usa-checkbox__input[name=id]")
        await visitor.page.keyboard.press("Space")
        await expect(visitor.page.locator("input[name=id]:checked")).to_have_count(ticked + 1)
    await keys.follow("Compare the two you have ticked")
    await expect(visitor.page.locator("thead th")).to_have_count(2)
    await keys.follow("Texts")
    await keys.type("#language", "Spanish")
    await keys.follow("Show")
    await expect(visitor.page.locator(".text-shown").first).to_contain_text("Responda")
    await keys.type("#words", "Police unit")
    await expect(visitor.page.locator("#label-says")).to_contain_text("police", ignore_case=True)
    assert visitor.troubles == []


async def test_a_directory_is_tried_and_the_focus_stays_while_it_is_carried_out(
    visit: Visit, town: Town, owner: Database, keyring: Keyring, tmp_path: Path
) -> None:
    office = await make_agency(owner, name="Prairie Network Office", kind=AgencyKind.NETWORK_OPERATOR)
    keeper = await make_member(owner, keyring, office, (Role.NETWORK_ADMIN,), now=NOW)
    visitor, keys = await at(visit, keeper)
    file = tmp_path / "harbor.zip"
    file.write_bytes(package(organizations="id,name\no1,Harbor Desk\n", services=SERVICES))
    await keys.follow("Administer")
    await keys.follow("Imports")
    # The browser's own dialogue opens by Enter; which file is chosen there, no page can say.
    await keys.to("#file")
    await visitor.page.set_input_files("#file", file)
    await keys.follow("Try it: change nothing")
    told = expect(visitor.page.locator("[role=status]"))
    await told.to_contain_text("It waits for its turn.")
    await keys.to("Imports")
    await Importer(owner, FixedClock(NOW)).look()
    await told.to_contain_text("This is what would come in.")
    assert await visitor.page.evaluate("document.activeElement.innerText") == "Imports"
    assert visitor.troubles == []


async def test_results_that_are_put_in_place_leave_the_focus_where_it_was(visit: Visit, town: Town) -> None:
    visitor, keys = await at(visit, town.dana)
    await keys.follow("Directory")
    await visitor.page.keyboard.press("Tab")
    assert await visitor.page.evaluate("document.activeElement.className") == "usa-skipnav"
    await visitor.page.keyboard.press("Enter")
    await visitor.page.evaluate("window.stayed = true")
    await keys.type("#words", "bed tonight spanish")
    await visitor.page.keyboard.press("Enter")
    await expect(visitor.page.locator("#search-status")).to_have_text("12 services")
    assert await visitor.page.evaluate("[window.stayed, document.activeElement.id]") == [True, "words"]

"""With the keyboard alone, without a script, and away: what the pages do in the hands of somebody who is in a hurry."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from referralnet.console.rendering import QUICK_EXIT_URL
from tests.browser.conftest import Visit, Visitor
from tests.factories.identity import MadeMember

pytestmark = pytest.mark.slow


async def signed_in(visit: Visit, member: MadeMember, **options: object) -> Visitor:
    visitor = await visit(**options)
    await visitor.sign_in(member)
    return visitor


async def focused(visitor: Visitor) -> str:
    """The id of what has the focus, or else its text."""
    return str(await visitor.page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))


async def press_until(visitor: Visitor, key: str, wanted: str) -> None:
    for _ in range(60):
        await visitor.page.keyboard.press(key)
        if await focused(visitor) == wanted:
            return
    pytest.fail(f"{key} never led to {wanted}")


async def test_the_keyboard_alone_leads_through_a_search(visit: Visit, member: MadeMember) -> None:
    visitor = await signed_in(visit, member)
    await visitor.go("/directory")
    await visitor.page.keyboard.press("Tab")
    assert await focused(visitor) == "Skip to the page"
    await visitor.page.keyboard.press("Enter")
    await press_until(visitor, "Tab", "words")
    await visitor.page.evaluate("window.stayed = true")
    await visitor.page.keyboard.type("bed tonight spanish")
    await visitor.page.keyboard.press("Enter")
    await expect(visitor.page.locator("#search-status")).to_have_text("12 services")
    assert await visitor.page.evaluate("window.stayed")  # the results were put in place
    assert "words=bed" in visitor.page.url
    await press_until(visitor, "Tab", "Tonight in a Hotel")
    await visitor.page.keyboard.press("Enter")
    await expect(visitor.page.locator("h1")).to_have_text("Tonight in a Hotel")
    await visitor.page.go_back()
    await expect(visitor.page.locator("#words")).to_have_value("bed tonight spanish")


async def test_without_a_script_everything_works(visit: Visit, member: MadeMember) -> None:
    visitor = await signed_in(visit, member, java_script_enabled=False)
    await visitor.go("/directory")
    await visitor.page.fill("#words", "bed tonight spanish")
    await visitor.follow("text=Search")
    await expect(visitor.page.locator("#found-title")).to_have_text("12 services")
    await visitor.page.check("#open + label")
    await visitor.follow(".search-act button")
    assert "open=1" in visitor.page.url
    await visitor.go("/capacity")
    await visitor.follow("text=One fewer >> nth=0")
    await expect(visitor.page.locator("[role=status]")).to_contain_text("Thank you.")


@pytest.mark.parametrize("by", ["keys", "button"])
async def test_leaving_leaves_nothing_to_come_back_to(visit: Visit, member: MadeMember, by: str) -> None:
    visitor = await signed_in(visit, member)
    await visitor.go("/directory?words=bed")
    if by == "keys":
        await visitor.page.keyboard.press("Escape")
        await visitor.page.keyboard.press("Escape")
    else:
        await visitor.page.click("#leave")
    await visitor.page.wait_for_url(QUICK_EXIT_URL)
    await visitor.page.go_back()
    await expect(visitor.page.locator("h1")).to_have_text("Sign in")
    assert "words" not in visitor.page.url


async def test_one_escape_does_not_leave(visit: Visit, member: MadeMember) -> None:
    visitor = await signed_in(visit, member)
    await visitor.page.keyboard.press("Escape")
    await visitor.go("/directory")
    await expect(visitor.page.locator("h1")).to_have_text("Directory")


async def test_after_signing_out_the_back_button_shows_nothing(visit: Visit, member: MadeMember) -> None:
    visitor = await signed_in(visit, member)
    await visitor.go("/capacity")
    await visitor.follow("text=Sign out")
    await visitor.page.go_back()
    await expect(visitor.page.locator("h1")).to_have_text("Sign in")


@pytest.mark.rule("A6")
async def test_a_page_that_nobody_uses_warns_and_then_empties_itself(visit: Visit, member: MadeMember) -> None:
    visitor = await signed_in(visit, member)
    await visitor.page.clock.install()
    await visitor.go("/capacity")
    warning = visitor.page.locator("#idle-warning")
    await visitor.page.clock.fast_forward("27:30")
    await expect(warning).to_be_hidden()
    await visitor.page.clock.fast_forward("00:40")
    await expect(warning).to_be_visible()
    await visitor.page.keyboard.press("Enter")  # stay
    await expect(warning).to_be_hidden()
    async with visitor.page.expect_request("**/sign-out"):
        await visitor.page.clock.fast_forward("29:10")
    await expect(visitor.page.locator("h1")).to_have_text("This page has locked itself")
    assert "beds" not in (await visitor.page.content()).lower()
    await visitor.page.wait_for_load_state("networkidle")
    await visitor.go("/capacity")
    await expect(visitor.page.locator("h1")).to_have_text("Sign in")


@pytest.mark.rule("A6")
async def test_a_key_that_wakes_a_sleeping_machine_does_not_open_the_page(visit: Visit, member: MadeMember) -> None:
    visitor = await signed_in(visit, member)
    await visitor.page.clock.install()
    await visitor.go("/capacity")
    await visitor.page.clock.pause_at(await visitor.page.evaluate("Date.now() + 3 * 60 * 60 * 1000"))
    await visitor.page.keyboard.press("a")
    await visitor.page.clock.run_for(6000)
    await expect(visitor.page.locator("h1")).to_have_text("This page has locked itself")


async def test_all_windows_of_a_browser_lock_together(visit: Visit, member: MadeMember) -> None:
    visitor = await signed_in(visit, member)
    await visitor.page.clock.install()
    await visitor.go("/capacity")
    beside = await visitor.page.context.new_page()
    await beside.goto(f"{visitor.base}/directory")
    await visitor.page.clock.fast_forward("29:10")
    await expect(beside.locator("h1")).to_have_text("This page has locked itself")

"""Somebody is still there, or nobody: what a page does then, with a script and without (A6)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from referralnet.clock import FixedClock
from tests.factories.identity import MadeMember
from tests.surface.console.conftest import OpenBrowser


@pytest.mark.rule("A6")
async def test_a_page_goes_away_before_its_session_does_even_without_a_script(
    browser: OpenBrowser, member: MadeMember
) -> None:
    page = browser()
    assert "http-equiv" not in (await page.get("/sign-in")).text
    await page.sign_in(member)
    shown = (await page.get("/")).text
    assert '<noscript><meta http-equiv="refresh" content="1740;url=/locked"></noscript>' in shown
    assert 'data-idle-seconds="1800"' in shown
    assert 'id="lock-screen"' in shown


@pytest.mark.rule("A6")
async def test_the_locked_page_keeps_no_session_alive(
    browser: OpenBrowser, member: MadeMember, clock: FixedClock
) -> None:
    page = browser()
    await page.sign_in(member)
    clock.advance(timedelta(minutes=29))
    locked = await page.get("/locked")
    assert "This page has locked itself" in locked.text
    assert member.login.partition("@")[0] not in locked.text
    clock.advance(timedelta(minutes=2))
    assert (await page.get("/")).headers["location"] == "/sign-in"


async def test_whoever_is_still_there_stays_signed_in(
    browser: OpenBrowser, member: MadeMember, clock: FixedClock
) -> None:
    page = browser()
    await page.sign_in(member)
    for _ in range(3):
        clock.advance(timedelta(minutes=20))
        assert (await page.get("/still-here")).status_code == 204
    clock.advance(timedelta(minutes=31))
    assert (await page.get("/still-here")).status_code == 303


async def test_leaving_quickly_asks_the_browser_to_drop_what_it_kept(browser: OpenBrowser, member: MadeMember) -> None:
    page = browser()
    for fields, header in (({"leaving": "1"}, '"cache"'), ({}, None)):
        await page.sign_in(member)
        answer = await page.post("/sign-out", page="/", **fields)
        assert answer.headers.get("clear-site-data") == header
    assert "You are signed out." in (await page.get("/sign-in")).text
    assert "You are signed out." not in (await page.get("/sign-in")).text


async def test_a_message_that_nobody_sent_is_not_shown(browser: OpenBrowser) -> None:
    page = browser()
    page.client.cookies.set("referralnet_told", "<script>")
    answer = await page.get("/sign-in")
    assert (answer.status_code, 'role="status"' in answer.text) == (200, False)

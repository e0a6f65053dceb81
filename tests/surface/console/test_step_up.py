"""The second factor in a browser."""

from __future__ import annotations

from datetime import timedelta

import pytest

from referralnet.clock import FixedClock
from tests.databases import DatabaseUrls
from tests.factories.identity import MadeMember
from tests.factories.messaging import superuser
from tests.surface.console.conftest import OpenBrowser


@pytest.mark.rule("A5")
async def test_the_right_code_opens_identity_for_five_minutes(
    browser: OpenBrowser, member: MadeMember, clock: FixedClock
) -> None:
    page = browser()
    await page.sign_in(member)
    assert "Identity may be shown until" not in (await page.get("/step-up")).text
    answer = await page.post("/step-up", code=member.totp_code(clock.now()))
    assert (answer.status_code, answer.headers["location"]) == (303, "/step-up")
    assert "9:05 AM" in (await page.get("/step-up")).text  # in the agency's own zone
    clock.advance(timedelta(minutes=5, seconds=1))
    assert "Identity may be shown until" not in (await page.get("/step-up")).text


@pytest.mark.rule("A5")
async def test_a_code_is_taken_once(browser: OpenBrowser, member: MadeMember, clock: FixedClock) -> None:
    page = browser()
    await page.sign_in(member)
    code = member.totp_code(clock.now())
    await page.post("/step-up", code=code)
    assert (await page.post("/step-up", code=code)).status_code == 422


@pytest.mark.rule("A5")
async def test_a_wrong_code_is_told_beside_the_field_and_written_to_the_trail(
    browser: OpenBrowser, member: MadeMember, database_urls: DatabaseUrls
) -> None:
    page = browser()
    await page.sign_in(member)
    for code in ("", "000000", "ünknown"):
        answer = await page.post("/step-up", code=code)
        assert answer.status_code == 422
        assert 'aria-invalid="true"' in answer.text
        assert "Error · " in answer.text
    async with superuser(database_urls) as db:
        attempts = await db.fetchval(
            "select count(*) from audit_event where action = 'attempt_refused' and subject_id = $1",
            member.actor.member_id,
        )
    assert attempts == 3

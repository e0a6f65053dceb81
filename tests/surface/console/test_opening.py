"""What she released and what the parties wrote, opened on the page: once for each code, and kept nowhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyotp
import pytest

from referralnet.clock import FixedClock
from referralnet.consent.ending import Via
from referralnet.database.acting import AgencyKind
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.referrals.withdrawing import withdraw_consent
from tests.databases import DatabaseUrls
from tests.factories.messaging import superuser
from tests.factories.referrals import run
from tests.surface.console.conftest import OpenBrowser
from tests.surface.console.requests import Two, give_authenticator, two_sides


@pytest.fixture
def present() -> FixedClock:
    return FixedClock(datetime.now(UTC))


@pytest.fixture
async def two(browser: OpenBrowser, owner: Database, app: Database, keyring: Keyring, present: FixedClock) -> Two:
    two = await two_sides(browser, owner, app, keyring, present)
    await two.step(two.target, "accept")
    return two


@pytest.fixture
async def codes(owner: Database, keyring: Keyring, two: Two) -> pyotp.TOTP:
    return await give_authenticator(owner, keyring, two.network.intake)


@pytest.mark.rule("A5")
@pytest.mark.rule("U1")
async def test_each_code_opens_what_she_released_once_and_it_is_on_no_page_that_is_loaded_again(
    two: Two, codes: pyotp.TOTP, present: FixedClock, database_urls: DatabaseUrls
) -> None:
    address = await two.address(two.target)
    assert "Ana" not in (await two.target.get(address)).text
    code = codes.at(present.now())
    shown = await two.step(two.target, "released", step_up_code=code)
    assert "<dd>Ana</dd>" in shown
    assert "May 4, 1999" in shown
    assert "Spanish" in shown
    assert "Ana" not in (await two.target.get(address)).text
    refused = await two.step(two.target, "released", step_up_code=code)
    assert "Ana" not in refused
    assert 'id="step_up_code-wrong"' in refused
    present.advance(timedelta(seconds=30))
    assert "<dd>Ana</dd>" in await two.step(two.target, "released", step_up_code=codes.at(present.now()))
    async with superuser(database_urls) as db:
        readings = "select count(*) from audit_event where action = 'disclosure_read' and member_id = $1"
        assert await db.fetchval(readings, two.network.intake.member_id) == 2


@pytest.mark.rule("A5")
async def test_a_wrong_code_opens_nothing_and_says_so_beside_the_field(two: Two, codes: pyotp.TOTP) -> None:
    for code in ("", "000000", "ünknown"):
        refused = await two.step(two.target, "released", step_up_code=code)
        assert "Ana" not in refused
        assert 'id="step_up_code-wrong"' in refused


@pytest.mark.rule("C3")
async def test_after_she_has_ended_it_the_right_code_opens_nothing(
    two: Two, codes: pyotp.TOTP, app: Database, present: FixedClock
) -> None:
    address = await two.address(two.target)
    await run(
        app, two.network.coordinator, withdraw_consent, release_id=two.sent.release_id, via=Via.ORAL, now=present.now()
    )
    answer = await two.target.post(f"{address}/released", page="/", step_up_code=codes.at(present.now()))
    assert "Ana" not in answer.text
    assert "There is no release in force" in answer.text


async def test_notes_go_both_ways_and_are_shown_after_the_second_factor(
    two: Two, codes: pyotp.TOTP, present: FixedClock, owner: Database, keyring: Keyring
) -> None:
    assert "Your note is sealed" in await two.step(two.target, "note", body="Bring <b>papers</b>, if she can.")
    assert "Your note is sealed" in await two.step(two.source, "note", body="She can.")
    assert "Six-digit code" in await two.step(two.target, "notes")  # the code is asked for on the way
    shown = await two.step(two.target, "notes", step_up_code=codes.at(present.now()))
    assert "Bring &lt;b&gt;papers&lt;/b&gt;, if she can." in shown
    assert "their side" in shown
    assert "your side" in shown
    assert "She can." not in (await two.target.get(await two.address(two.target))).text


async def test_a_note_without_words_is_refused_beside_the_field_and_what_was_typed_stays(two: Two) -> None:
    refused = await two.step(two.target, "note", body="   ")
    assert 'id="body-wrong"' in refused
    too_long = "a" * 2001
    assert too_long in await two.step(two.target, "note", body=too_long)


@pytest.mark.rule("R5")
async def test_nobody_writes_notes_to_the_police(
    browser: OpenBrowser, owner: Database, app: Database, keyring: Keyring, present: FixedClock
) -> None:
    two = await two_sides(browser, owner, app, keyring, present, source_kind=AgencyKind.LAW_ENFORCEMENT)
    shown = await two.step(two.target, "accept")
    assert "no note of yours" in shown
    assert 'name="body"' not in shown


@pytest.mark.rule("R4")
async def test_before_it_accepts_a_service_is_offered_nothing_to_open(
    browser: OpenBrowser, owner: Database, app: Database, keyring: Keyring, present: FixedClock
) -> None:
    two = await two_sides(browser, owner, app, keyring, present)
    codes = await give_authenticator(owner, keyring, two.network.intake)
    assert "released</" not in (await two.target.get(await two.address(two.target))).text
    refused = await two.step(two.target, "released", step_up_code=codes.at(present.now()))
    assert "Ana" not in refused

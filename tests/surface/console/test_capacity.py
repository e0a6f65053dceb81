"""The capacity board: one tap keeps a count true, and whoever may not is not offered it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import text

from referralnet.clock import FixedClock
from referralnet.database.acting import Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from tests.databases import DatabaseUrls
from tests.factories.identity import make_agency, make_member
from tests.factories.messaging import superuser
from tests.factories.referrals import Network, make_network, present
from tests.surface.console.conftest import Browser, OpenBrowser, sign_in_as


@pytest.fixture
async def network(owner: Database) -> Network:
    return await make_network(owner, beds=4)


@pytest.fixture
def today() -> FixedClock:
    return FixedClock(present())


@pytest.fixture
async def board(browser: OpenBrowser, app: Database, network: Network, today: FixedClock) -> Browser:
    return await sign_in_as(browser(now=today), app, network.intake, today)


def counted(html: str) -> str:
    shown = re.search(r'class="unit-count"><strong>(\d+)</strong>', html)
    assert shown
    return shown.group(1)


async def test_one_tap_keeps_a_count(board: Browser, network: Network) -> None:
    assert counted((await board.get("/capacity")).text) == "4"
    answer = await board.post("/capacity", capacity_id=str(network.capacity_id), seen="4", available="3")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/capacity#unit-{network.capacity_id}")
    shown = (await board.get("/capacity")).text
    assert counted(shown) == "3"
    assert "Everybody who looks for a place sees this count now." in shown
    assert "Everybody who looks" not in (await board.get("/capacity")).text  # it is said once


async def test_a_count_that_is_too_old_stands_first_and_is_still_true_after_a_tap(
    browser: OpenBrowser, app: Database, network: Network
) -> None:
    tomorrow = FixedClock(present() + timedelta(hours=25))
    board = await sign_in_as(browser(now=tomorrow), app, network.intake, tomorrow)
    shown = (await board.get("/capacity")).text
    assert "1 count is too old to be believed" in shown
    still_true = re.search(r'name="available" value="(\d+)">Still true', shown)
    assert still_true
    await board.post("/capacity", capacity_id=str(network.capacity_id), seen="4", available=still_true.group(1))
    assert "All counts are believed." in (await board.get("/capacity")).text


@pytest.mark.rule("R2")
async def test_a_tap_on_an_old_page_takes_no_bed_away_from_whoever_was_accepted_since(
    board: Browser, network: Network, app: Database
) -> None:
    async with app.transaction(network.intake) as session:
        await session.execute(
            text("update service_capacity set available = 3, held = 1 where id = :id"), {"id": network.capacity_id}
        )
    for still_true in ("4", "3"):
        answer = await board.post("/capacity", capacity_id=str(network.capacity_id), seen="4", available=still_true)
        assert answer.status_code == 422
        assert "The count has changed since you looked." in answer.text
        assert counted(answer.text) == "3"


@pytest.mark.rule("P3")
@pytest.mark.parametrize("available", ["-1", "many", "", "10001", "1.5", "٣", " "])
async def test_what_is_no_count_is_told_beside_its_field(board: Browser, network: Network, available: str) -> None:
    answer = await board.post("/capacity", capacity_id=str(network.capacity_id), seen="4", available=available)
    assert answer.status_code == 422
    assert f'aria-describedby="wrong-{network.capacity_id}"' in answer.text
    assert counted((await board.get("/capacity")).text) == "4"


@pytest.mark.rule("A1")
async def test_another_agencys_count_is_left_alone(
    browser: OpenBrowser, app: Database, owner: Database, network: Network, today: FixedClock
) -> None:
    other = await make_network(owner, beds=9)
    page = await sign_in_as(browser(now=today), app, other.intake, today)
    answer = await page.post("/capacity", capacity_id=str(network.capacity_id), seen="4", available="0")
    assert answer.status_code == 404
    assert counted((await page.get("/capacity")).text) == "9"


@pytest.mark.rule("A1")
@pytest.mark.parametrize("role", [Role.COORDINATOR, Role.NETWORK_ADMIN, Role.AUDITOR])
async def test_whoever_keeps_no_count_is_not_offered_the_board(
    browser: OpenBrowser, owner: Database, keyring: Keyring, database_urls: DatabaseUrls, role: Role
) -> None:
    page = browser()
    member = await make_member(owner, keyring, await make_agency(owner), (role,))
    await page.sign_in(member)
    assert 'href="/capacity"' not in (await page.get("/")).text
    assert (await page.get("/capacity")).status_code == 404
    async with superuser(database_urls) as db:
        details = "select detail from audit_event where action = 'attempt_refused' and subject_id = $1"
        (told,) = await db.fetch(details, member.actor.member_id)
    assert "NOT_PERMITTED" in told["detail"]  # and so is the attempt


async def test_an_agency_that_counts_nothing_learns_what_would_stand_there(
    browser: OpenBrowser, owner: Database, keyring: Keyring
) -> None:
    page = browser()
    await page.sign_in(await make_member(owner, keyring, await make_agency(owner), (Role.INTAKE,)))
    assert "Your agency counts nothing yet" in (await page.get("/capacity")).text

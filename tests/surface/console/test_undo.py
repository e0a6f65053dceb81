"""Undo: offered once after a step that told nobody anything, and refused where somebody has gone on from it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest

from referralnet.clock import FixedClock
from referralnet.console.handles import Handles
from referralnet.console.performing import new_intention
from referralnet.console.told import Told
from referralnet.console.undoing import INVERSES
from referralnet.database.acting import Member, Role
from referralnet.database.transactions import Database
from referralnet.directory.capacity import confirm_capacity
from referralnet.encryption.keyring import Keyring
from referralnet.errors import NotFound
from referralnet.referrals import answering, assigning
from referralnet.referrals.lifecycle import RejectReason
from tests.databases import DatabaseUrls
from tests.factories.messaging import superuser
from tests.factories.referrals import Network, make_member, make_network, present, run, send
from tests.surface.console.conftest import Browser, OpenBrowser, hidden, sign_in_as

Fields = dict[str, str | list[str]]
OFFERED = re.compile(r'action="/undo".*?name="back" value="([^"]+)".*?name="of" value="([\w-]+)"', re.DOTALL)


@pytest.fixture
async def network(owner: Database) -> Network:
    return await make_network(owner, beds=4)


class RunningClock(FixedClock):
    """Never the same moment twice, as outside of tests."""

    def now(self) -> datetime:
        self.advance(timedelta(microseconds=1))
        return super().now()


@pytest.fixture
def today() -> FixedClock:
    return RunningClock(present())


@pytest.fixture
async def intake(browser: OpenBrowser, app: Database, network: Network, today: FixedClock) -> Browser:
    return await sign_in_as(browser(now=today), app, network.intake, today)


async def offered(page: Browser, path: str) -> Fields:
    """What the form brings that takes back what was just done."""
    shown = (await page.get(path)).text
    found = OFFERED.search(shown)
    assert found
    return {**hidden(shown), "back": found.group(1), "of": found.group(2)}


async def undone(page: Browser, undo: Fields) -> str:
    """What is said after it was pressed, each time as a press of its own."""
    answer = await page.send("/undo", {**undo, "intention": new_intention()})
    assert (answer.status_code, answer.headers["location"]) == (303, undo["back"])
    return (await page.get(answer.headers["location"])).text


async def colleague_of(owner: Database, member: Member, role: Role) -> Member:
    async with owner.transaction(member) as session:
        return await make_member(session, member.agency_id, member.agency_kind, frozenset({role}))


async def test_a_count_stands_again_as_it_was_and_is_as_old_as_it_was(
    intake: Browser, network: Network, today: FixedClock, database_urls: DatabaseUrls
) -> None:
    count = "select available, updated from service_capacity where id = $1"
    async with superuser(database_urls) as db:
        before = await db.fetchrow(count, network.capacity_id)
        today.advance(timedelta(minutes=5))
        await intake.post("/capacity", capacity_id=str(network.capacity_id), seen="4", available="3")
        undo = await offered(intake, "/capacity")
        assert 'action="/undo"' not in (await intake.get("/capacity")).text, "it is offered once"
        assert await db.fetchrow(count, network.capacity_id) != before
        assert "Undone: it stands as it did before." in await undone(intake, undo)
        assert await db.fetchrow(count, network.capacity_id) == before
        assert "so nothing was undone" in await undone(intake, undo), "it is gone on from"


async def test_a_count_that_somebody_has_said_since_is_left(
    intake: Browser, app: Database, network: Network, today: FixedClock, database_urls: DatabaseUrls
) -> None:
    await intake.post("/capacity", capacity_id=str(network.capacity_id), seen="4", available="3")
    undo = await offered(intake, "/capacity")
    today.advance(timedelta(minutes=1))
    assert network.capacity_id is not None
    async with app.transaction(network.intake) as session:
        await confirm_capacity(session, network.intake, network.capacity_id, 3, now=today.now())
    shown = await undone(intake, undo)
    assert "so nothing was undone" in shown, "the same number, said by somebody"
    assert re.search(r'usa-alert--(\w+) usa-alert--slim" role="status"', shown)[1] == "warning"  # type: ignore[index]
    async with superuser(database_urls) as db:
        assert await db.fetchval("select available from service_capacity where id = $1", network.capacity_id) == 3


async def test_a_task_taken_is_given_back_and_one_given_back_is_taken_again(
    browser: OpenBrowser, app: Database, network: Network, today: FixedClock, keyring: Keyring
) -> None:
    sent = await send(app, network, keyring, now=today.now())
    await run(app, network.intake, answering.reject, sent.id, reason=RejectReason.NOT_ELIGIBLE, now=today.now())
    page = await sign_in_as(browser(now=today), app, network.coordinator, today)
    task = re.search(r"/tasks/[\w-]{43}", (await page.get("/")).text)
    assert task
    await page.post(f"{task.group()}/take", page="/")
    taken = await offered(page, "/")
    assert "Undone" in await undone(page, taken)
    assert "so nothing was undone" in await undone(page, taken)
    await page.post(f"{task.group()}/take", page="/")
    await page.post(f"{task.group()}/give-back", page="/")
    assert "Undone" in await undone(page, await offered(page, "/"))
    assert re.search(r'Yours <span class="count">1</span>', (await page.get("/")).text)
    await page.post(f"{task.group()}/take", page="/")
    taken = await offered(page, "/")
    await page.post(f"{task.group()}/done", page="/")
    assert 'action="/undo"' not in (await page.get("/")).text, "what is done is done"
    assert "so nothing was undone" in await undone(page, taken), "and is not given back"


async def test_a_referral_goes_back_to_whoever_had_it_and_to_nobody_else(
    intake: Browser, owner: Database, app: Database, network: Network, today: FixedClock, keyring: Keyring
) -> None:
    sent = await send(app, network, keyring, now=today.now())
    other = await colleague_of(owner, network.intake, Role.INTAKE)
    address = re.search(r"/requests/[\w-]{43}", (await intake.get("/")).text)
    assert address
    give = {"page": address.group(), "member_id": str(network.intake.member_id)}
    await intake.post(f"{address.group()}/give", **give)
    assert 'action="/undo"' not in (await intake.get(address.group())).text, "nobody had it before"
    await intake.post(f"{address.group()}/give", **{**give, "member_id": str(other.member_id)})
    undo = await offered(intake, address.group())
    assert "Undone" in await undone(intake, undo)
    async with app.transaction(network.intake) as session:
        assert await assigning.assignee(session, network.intake, sent.id) == network.intake.member_id
    assert "so nothing was undone" in await undone(intake, undo)
    await intake.post(f"{address.group()}/give", **{**give, "member_id": str(other.member_id)})
    undo = await offered(intake, address.group())
    await run(app, network.intake, answering.reject, sent.id, reason=RejectReason.NOT_ELIGIBLE, now=today.now())
    assert "so nothing was undone" in await undone(intake, undo), "it has ended"


@pytest.mark.rule("A1")
async def test_what_another_session_was_offered_takes_nothing_back(
    intake: Browser, browser: OpenBrowser, app: Database, network: Network, today: FixedClock
) -> None:
    await intake.post("/capacity", capacity_id=str(network.capacity_id), seen="4", available="3")
    undo = await offered(intake, "/capacity")
    again = await sign_in_as(browser(now=today), app, network.intake, today)
    assert (await again.post("/undo", page="/capacity", of=undo["of"])).status_code == 404
    assert (await intake.send("/undo", {**undo, "of": "made-up"})).status_code == 404
    doubled = [await intake.send("/undo", undo) for _ in range(2)]
    assert [answer.status_code for answer in doubled] == [303, 303]
    assert "Undone" in (await intake.get("/capacity")).text


async def test_nothing_is_offered_to_whoever_signs_in_next(
    intake: Browser, browser: OpenBrowser, app: Database, network: Network, today: FixedClock
) -> None:
    await intake.post("/capacity", capacity_id=str(network.capacity_id), seen="4", available="3")
    again = await sign_in_as(browser(now=today), app, network.intake, today)
    again.client.cookies.set("referralnet_told", intake.client.cookies["referralnet_told"])
    shown = await again.get("/capacity")
    assert (shown.status_code, "sees this count now" in shown.text) == (200, True)
    assert 'action="/undo"' not in shown.text


def test_what_is_sealed_opens_in_its_own_session_alone_and_is_no_handle() -> None:
    one, other = Handles("one session"), Handles("another")
    sealed = one.seal("something")
    assert one.unseal(sealed) == "something"
    for handles, given in ((other, sealed), (one, sealed[:-1]), (one, "")):
        with pytest.raises(NotFound):
            handles.unseal(given)


def test_nothing_that_told_anybody_has_an_inverse() -> None:
    assert set(INVERSES) == {Told.COUNT_KEPT, Told.TASK_TAKEN, Told.TASK_GIVEN_BACK, Told.GIVEN}

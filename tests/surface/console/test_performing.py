"""Forms that change something: once, with what was typed, and with the second factor on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from referralnet.api.context import Resources
from referralnet.api.endpoint import GraphQLEndpoint
from referralnet.api.schema import build_schema
from referralnet.clock import FixedClock
from referralnet.console.performing import new_intention, perform
from referralnet.console.routing import routes
from referralnet.console.serving import Desk, PageRequest, for_members
from referralnet.database.acting import Member, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput
from referralnet.identity.access import Permission
from referralnet.identity.step_up import require_fresh
from referralnet.settings import Settings
from referralnet.survivors.recording import NewSurvivor, record_survivor
from tests.databases import DatabaseUrls
from tests.factories.identity import MadeMember, make_member
from tests.factories.messaging import superuser
from tests.surface.console.conftest import BASE, Browser, hidden


async def record(request: PageRequest) -> Response:
    """A page of the smallest kind: it records somebody, after a second factor where one is wanted."""
    form = await request.form()

    async def act(session: AsyncSession, actor: Member) -> UUID:
        if "careful" in form:
            require_fresh(actor, request.now)
        if form.get("name") == "refused":
            raise InvalidInput(field="given_name", detail="Write another.")
        new = NewSurvivor(form["name"], form["name"])
        return await record_survivor(session, actor, new, keyring=request.desk.resources.keyring, now=request.now)

    try:
        wants = Permission.KEEP_LISTING if "listing" in form else Permission.KEEP_SURVIVORS
        made = await perform(request, wants, act)
    except InvalidInput as refusal:
        return PlainTextResponse(str(request.errors(refusal)), 422)
    return request.go_to(f"/made/{request.handle('survivor', made)}")


async def look(request: PageRequest) -> Response:
    """A page that wants the second factor."""
    require_fresh(request.member, request.now)
    return PlainTextResponse(str(request.opened("survivor")))


@pytest.fixture
async def page(app: Database, keyring: Keyring, clock: FixedClock, member: MadeMember) -> AsyncIterator[Browser]:
    settings = Settings(environment="production", secure_cookies=False, public_base_url=BASE)
    resources = Resources(app, keyring, clock, settings)
    endpoint = GraphQLEndpoint(build_schema(introspection=False), resources)
    desk = Desk(resources, endpoint, None, None)
    own = [
        Route("/made", for_members(desk, record), methods=["POST"]),
        Route("/made/{handle}", for_members(desk, look), methods=["GET"]),
    ]
    web = Starlette(routes=[*own, *routes(resources, endpoint)])
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(web), base_url=BASE) as client:
        browser = Browser(client)
        await browser.sign_in(member)
        yield browser


async def count_survivors(urls: DatabaseUrls, member: MadeMember) -> int:
    async with superuser(urls) as db:
        return int(await db.fetchval("select count(*) from survivor where agency_id = $1", member.actor.agency_id))


async def form_of(page: Browser, **fields: str) -> dict[str, str | list[str]]:
    return {**hidden((await page.get("/step-up")).text), "intention": new_intention(), **fields}


@pytest.mark.rule("R7")
async def test_a_form_that_is_sent_twice_has_one_effect_and_one_answer(
    page: Browser, member: MadeMember, database_urls: DatabaseUrls
) -> None:
    form = await form_of(page, name="Ana")
    answers = [await page.send("/made", form) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert await count_survivors(database_urls, member) == 1


@pytest.mark.rule("R7")
async def test_the_same_form_with_other_words_is_refused_in_words_for_people(
    page: Browser, member: MadeMember, database_urls: DatabaseUrls
) -> None:
    form = await form_of(page, name="Ana")
    await page.send("/made", form)
    answer = await page.send("/made", {**form, "name": "Eva"})
    assert answer.status_code == 422
    assert "This was sent before with other words" in answer.text
    assert await count_survivors(database_urls, member) == 1


@pytest.mark.rule("R7")
async def test_a_colleagues_form_of_the_same_key_is_her_own(
    page: Browser, member: MadeMember, owner: Database, keyring: Keyring, database_urls: DatabaseUrls
) -> None:
    form = await form_of(page, name="Ana")
    await page.send("/made", form)
    colleague = await make_member(owner, keyring, member.actor.agency_id, (Role.COORDINATOR,))
    page.client.cookies.clear()
    await page.sign_in(colleague)
    again = {**form, **hidden((await page.get("/step-up")).text), "intention": form["intention"], "name": "Eva"}
    assert (await page.send("/made", again)).status_code == 303
    assert await count_survivors(database_urls, member) == 2


async def test_what_was_refused_may_be_put_right_and_sent_again(page: Browser) -> None:
    form = await form_of(page, name="refused")
    answer = await page.send("/made", form)
    assert (answer.status_code, "given_name" in answer.text) == (422, True)
    assert (await page.send("/made", {**form, "name": "Ana"})).status_code == 303


async def test_a_form_without_its_key_changes_nothing(
    page: Browser, member: MadeMember, database_urls: DatabaseUrls
) -> None:
    form = await form_of(page, name="Ana")
    assert (await page.send("/made", {**form, "intention": ""})).status_code == 422
    assert await count_survivors(database_urls, member) == 0


@pytest.mark.rule("A1")
async def test_whoever_may_not_is_refused_and_the_attempt_stands_in_the_trail(
    page: Browser, member: MadeMember, database_urls: DatabaseUrls
) -> None:
    assert (await page.send("/made", await form_of(page, name="Ana", listing="yes"))).status_code == 404
    assert await count_survivors(database_urls, member) == 0
    async with superuser(database_urls) as db:
        noted = await db.fetch(
            "select detail from audit_event where action = 'attempt_refused' and subject_id = $1",
            member.actor.member_id,
        )
    assert len(noted) == 1
    assert "console /made" in str(noted[0])


@pytest.mark.rule("A5")
async def test_a_form_that_wants_the_second_factor_asks_for_it_and_goes_on(
    page: Browser, member: MadeMember, clock: FixedClock, database_urls: DatabaseUrls
) -> None:
    form = await form_of(page, name="Ana", careful="yes")
    asked = await page.send("/made", form)
    assert 'name="step_up_code"' in asked.text
    assert all(f'name="{name}" value="{value}"' in asked.text for name, value in form.items())
    wrong = await page.send("/made", {**form, "step_up_code": "000000"})
    assert (wrong.status_code, "The code is not right" in wrong.text) == (422, True)
    assert await count_survivors(database_urls, member) == 0
    right = {**form, "step_up_code": member.totp_code(clock.now())}
    answers = [await page.send("/made", right), await page.send("/made", right)]  # a double click
    assert [answer.status_code for answer in answers] == [303, 303]
    assert await count_survivors(database_urls, member) == 1


@pytest.mark.rule("A5")
async def test_a_page_that_wants_the_second_factor_is_come_back_to(
    page: Browser, member: MadeMember, clock: FixedClock
) -> None:
    where = (await page.send("/made", await form_of(page, name="Ana"))).headers["location"]
    asked = await page.get(where)
    assert asked.status_code == 303
    shown = await page.get(asked.headers["location"])
    assert f'name="back" value="{where}"' in shown.text
    answer = await page.post("/step-up", back=where, code=member.totp_code(clock.now()))
    assert answer.headers["location"] == where
    assert (await page.get(where)).status_code == 200
    assert (await page.get(f"{where[:-1]}.")).status_code == 404


@pytest.mark.parametrize("back", ["https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example"])
async def test_the_second_factor_leads_to_no_other_site(
    page: Browser, member: MadeMember, clock: FixedClock, back: str
) -> None:
    answer = await page.post("/step-up", back=back, code=member.totp_code(clock.now()))
    assert answer.headers["location"] == "/"

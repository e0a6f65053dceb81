"""A browser in front of the console: it keeps cookies, sends Origin with forms, and brings the page's form token."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import event
from starlette.applications import Starlette
from starlette.middleware import Middleware

from referralnet.api.context import Resources
from referralnet.api.endpoint import GraphQLEndpoint
from referralnet.api.headers import SecurityHeaders
from referralnet.api.schema import build_schema
from referralnet.clock import FixedClock
from referralnet.console.example import ExampleMember, ExampleNetwork, ExamplePhone
from referralnet.console.routing import routes
from referralnet.database.acting import Member, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.identity.sessions import SessionKind, open_session
from referralnet.messaging.carriers.recording import RecordingWebhooks
from referralnet.settings import Settings
from referralnet.webhooks import carriers as webhooks
from tests.factories.identity import PASSWORD, MadeMember, make_agency, make_member

BASE = "http://127.0.0.1:8400"
PHONE_TOKEN = "the phone's token"
FORM_TOKEN = re.compile(r'name="form_token" value="([0-9a-f]{64})"')
INTENTION = re.compile(r'name="intention" value="([\w-]{24})"')


@dataclass
class Browser:
    """One person's browser."""

    client: httpx2.AsyncClient

    async def get(self, path: str) -> httpx2.Response:
        return await self.client.get(path)

    async def token(self, path: str) -> str:
        """The form token of a page."""
        found = FORM_TOKEN.search((await self.get(path)).text)
        assert found, path
        return found.group(1)

    async def post(self, path: str, *, page: str | None = None, **fields: str | list[str]) -> httpx2.Response:
        """Send a form of `page`, or of the page at `path`, as the page gave it but for `fields`."""
        shown = (await self.get(page or path)).text
        return await self.send(path, {**hidden(shown), **fields})

    async def send(self, path: str, fields: dict[str, str | list[str]]) -> httpx2.Response:
        """Send these fields, with what they were sent for already."""
        return await self.client.post(path, data=fields, headers={"origin": self.origin})

    @property
    def origin(self) -> str:
        return str(self.client.base_url).rstrip("/")

    async def sign_in(self, member: MadeMember) -> httpx2.Response:
        return await self.post("/sign-in", login=member.login, password=member.password)


def hidden(html: str) -> dict[str, str | list[str]]:
    """What the first form of a page that changes something brings by itself."""
    token, intention = FORM_TOKEN.search(html), INTENTION.search(html)
    assert token
    return {"form_token": token.group(1), **({"intention": intention.group(1)} if intention else {})}


OpenBrowser = Callable[..., Browser]


@pytest.fixture
def example(member: MadeMember) -> ExampleNetwork:
    person = ExampleMember(member.login, "Dana Example", "An agency", ("coordinator",), member.totp_secret)
    return ExampleNetwork((person,), PASSWORD)


@pytest.fixture
async def browser(
    app: Database, keyring: Keyring, clock: FixedClock, example: ExampleNetwork, tmp_path: Path
) -> AsyncIterator[OpenBrowser]:
    """Open a browser of its own each time, by default in development, before an example network with a phone."""
    async with AsyncExitStack() as stack:

        def open_browser(*, base: str = BASE, now: FixedClock = clock, **settings: Any) -> Browser:
            values = {"environment": "development", "secure_cookies": False, "public_base_url": base, **settings}
            resources = Resources(app, keyring, now, Settings(**values))
            endpoint = GraphQLEndpoint(build_schema(introspection=False), resources)
            pages = routes(resources, endpoint, example, ExamplePhone(tmp_path, PHONE_TOKEN, base))
            inbound = webhooks.routes(app, keyring, now, [RecordingWebhooks(PHONE_TOKEN)], public_base_url=base)
            web = Starlette(routes=[*pages, *inbound], middleware=[Middleware(SecurityHeaders)])
            client = httpx2.AsyncClient(transport=httpx2.ASGITransport(web), base_url=base)
            stack.push_async_callback(client.aclose)
            return Browser(client)

        yield open_browser


@pytest.fixture
async def member(owner: Database, keyring: Keyring) -> MadeMember:
    """A coordinator who can sign in."""
    return await make_member(owner, keyring, await make_agency(owner), (Role.COORDINATOR,))


@contextmanager
def statements(app: Database) -> Iterator[list[str]]:
    """The SQL that the application sends meanwhile, one entry for each statement."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        sent.append(statement)

    event.listen(app.engine.sync_engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(app.engine.sync_engine, "before_cursor_execute", note)


async def sign_in_as(browser: Browser, app: Database, actor: Member, clock: FixedClock) -> Browser:
    """Give the browser a session of a member whose password is not known."""
    async with app.transaction(actor) as session:
        lifetime = timedelta(hours=12)
        opened = await open_session(session, actor.member_id, SessionKind.BROWSER, lifetime=lifetime, now=clock.now())
    browser.client.cookies.set("referralnet_session", opened.token)
    return browser

"""The console in a real browser: Debian's Chromium, driven by Playwright, before a server of the test's own."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import pytest
import pytest_asyncio
import uvicorn
from playwright.async_api import Browser, Page, async_playwright, expect
from starlette.applications import Starlette
from starlette.middleware import Middleware

from referralnet.api.context import Resources
from referralnet.api.endpoint import GraphQLEndpoint
from referralnet.api.headers import SecurityHeaders
from referralnet.api.schema import build_schema
from referralnet.clock import FixedClock
from referralnet.console.rendering import QUICK_EXIT_URL
from referralnet.console.routing import routes
from referralnet.database.acting import Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.settings import Settings
from tests.factories.directory import EVENING, import_example, make_keeper
from tests.factories.identity import MadeMember, make_member

PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
MILLISECONDS_MAX = 20_000
expect.set_options(timeout=MILLISECONDS_MAX)
Environment = Literal["development", "production"]


@dataclass
class Visitor:
    """One person's browser window; `troubles` are what its console and its failed requests said."""

    page: Page
    base: str
    troubles: list[str] = field(default_factory=list)

    async def go(self, path: str) -> None:
        await self.page.goto(self.base + path)

    async def follow(self, link: str) -> None:
        """Click, and wait for the page that it leads to."""
        async with self.page.expect_navigation():
            await self.page.click(link)

    async def sign_in(self, member: MadeMember) -> None:
        await self.go("/sign-in")
        await self.page.fill("#login", member.login)
        await self.page.fill("#password", member.password)
        await self.page.click("main form button")
        await self.page.wait_for_url(f"{self.base}/")


Visit = Callable[..., Awaitable[Visitor]]


@pytest_asyncio.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    program = next((found for name in PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip(os.environ.get("REFERRALNET_TEST_CHROMIUM_MISSING") or "Chromium is not there: apt brings it")
    async with async_playwright() as playwright:
        # A container's root has no user namespace to put pages into; the pages are our own.
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = await playwright.chromium.launch(executable_path=program, args=flags)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="module")
async def member(owner: Database, keyring: Keyring) -> MadeMember:
    """Coordinator and intake of the house that counts beds, over the example directory."""
    await import_example(owner)
    keeper = await make_keeper(owner, keyring, "Lantern House")
    return await make_member(owner, keyring, keeper.agency_id, (Role.COORDINATOR, Role.INTAKE))


@pytest_asyncio.fixture(scope="module")
async def base(app: Database, keyring: Keyring, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """The address of a served console, in which it is `NOW` of the module.

    Where that says none, it is the evening on which the example's units were counted.
    """
    async with served(app, keyring, "production", getattr(request.module, "NOW", EVENING)) as address:
        yield address


@pytest_asyncio.fixture(scope="module")
async def trying_base(app: Database, keyring: Keyring) -> AsyncIterator[str]:
    """The address of the same console with the pages for trying."""
    async with served(app, keyring, "development") as address:
        yield address


@asynccontextmanager
async def served(
    app: Database, keyring: Keyring, environment: Environment, now: datetime = EVENING
) -> AsyncIterator[str]:
    """A console on a port of its own, over the database of this module, in which it is always this moment."""
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{own.getsockname()[1]}"
        settings = Settings(environment=environment, secure_cookies=False, public_base_url=address)
        resources = Resources(app, keyring, FixedClock(now), settings)
        schema = build_schema(introspection=environment == "development")
        pages = routes(resources, GraphQLEndpoint(schema, resources))
        web = Starlette(routes=pages, middleware=[Middleware(SecurityHeaders)])
        server = uvicorn.Server(uvicorn.Config(web, log_config=None, access_log=False, lifespan="off"))
        task = asyncio.create_task(server.serve(sockets=[own]))
        yield address
        server.should_exit = True
        with suppress(asyncio.CancelledError):
            await task


@pytest_asyncio.fixture
async def visit(chromium: Browser, base: str) -> AsyncIterator[Visit]:
    """Open a window of its own each time; the place one leaves to is played here."""
    contexts = []

    async def open_window(width: int = 1280, **options: Any) -> Visitor:
        context = await chromium.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        context.set_default_timeout(MILLISECONDS_MAX)
        await context.route(f"{QUICK_EXIT_URL}**", lambda route: route.fulfill(body="<title>Weather</title>Sunny"))
        visitor = Visitor(await context.new_page(), base)
        visitor.page.on("console", lambda said: visitor.troubles.append(said.text) if said.type == "error" else None)
        visitor.page.on("pageerror", lambda error: visitor.troubles.append(str(error)))
        return visitor

    yield open_window
    for context in contexts:
        await context.close()

"""A server that plays a partner: it keeps what it was posted, and misbehaves when it is asked to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(frozen=True)
class Posted:
    """One request, as it came."""

    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Partner:
    """Answers `status`; or is slow, answers at length, or sends elsewhere."""

    url: str = ""
    status: int = 200
    slow_seconds: float = 0.0
    answer_bytes: int = 0
    posted: list[Posted] = field(default_factory=list)
    elsewhere: int = 0

    async def take(self, request: web.Request) -> web.Response:
        self.posted.append(
            Posted({name.lower(): value for name, value in request.headers.items()}, await request.read())
        )
        await asyncio.sleep(self.slow_seconds)
        headers = {"location": "/elsewhere"} if 300 <= self.status < 400 else {}
        return web.Response(status=self.status, body=b"x" * self.answer_bytes, headers=headers)

    async def take_elsewhere(self, _request: web.Request) -> web.Response:
        self.elsewhere += 1
        return web.Response()


@asynccontextmanager
async def play_partner() -> AsyncIterator[Partner]:
    """A partner on this machine, until the end of the block."""
    partner = Partner()
    application = web.Application()
    application.add_routes([web.route("*", "/", partner.take), web.route("*", "/elsewhere", partner.take_elsewhere)])
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    partner.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield partner
    await runner.cleanup()

"""A carrier that speaks enough of Twilio's API to be killed against: like Twilio, it takes the same text twice if
asked.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

from aiohttp import web


@dataclass
class LocalCarrier:
    """Counts what it took by outbox id. Each call takes a random time, before and after the text is taken."""

    seconds_max: float = 0.06
    taken: list[dict[str, str]] = field(default_factory=list)
    counts: Counter[UUID] = field(default_factory=Counter)
    base_url: str = ""
    in_flight: int = 0
    _runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        self.routes(app)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.base_url = f"http://{host}:{port}"

    def routes(self, app: web.Application) -> None:
        app.router.add_post("/2010-04-01/Accounts/{account}/Messages.json", self._take)
        app.router.add_get("/2010-04-01/Accounts/{account}/Messages.json", self._list)

    async def stop(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        self.in_flight += 1
        try:
            return await self._taken(request)
        finally:
            self.in_flight -= 1

    async def _taken(self, request: web.Request) -> web.Response:
        form = await request.post()
        await asyncio.sleep(random.uniform(0, self.seconds_max))
        text_id = UUID(parse_qs(urlsplit(str(form["StatusCallback"])).query)["text"][0])
        self.counts[text_id] += 1
        message = {
            "sid": f"SM{uuid4().hex}", "to": str(form["To"]), "body": str(form["Body"]),
            "status": "sent", "direction": "outbound-api",
        }  # fmt: skip
        self.taken.append(message)
        await asyncio.sleep(random.uniform(0, self.seconds_max))
        return web.json_response(message, status=201)

    async def _list(self, request: web.Request) -> web.Response:
        messages = [message for message in self.taken if message["to"] == request.query["To"]]
        return web.json_response({"messages": messages, "next_page_uri": None, "page": 0, "page_size": 200})

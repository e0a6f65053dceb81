"""The local carrier, with numbers that it refuses, is too busy for, or breaks off at; it erases as well."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiohttp import web

from tests.faults.local_carrier import LocalCarrier

MESSAGE = "/2010-04-01/Accounts/{account}/Messages/{sid}.json"


@dataclass
class AnsweringCarrier(LocalCarrier):
    """`answers` by number: "refused" (21610), "busy" (429) or "broken" (taken, and no answer)."""

    answers: dict[str, str] = field(default_factory=dict)
    erased: set[str] = field(default_factory=set)

    def routes(self, app: web.Application) -> None:
        super().routes(app)
        app.router.add_post(MESSAGE, self._redact)
        app.router.add_delete(MESSAGE, self._delete)

    async def _taken(self, request: web.Request) -> web.Response:
        answer = self.answers.get(str((await request.post())["To"]))
        if answer == "refused":
            return web.json_response({"code": 21610, "message": "stopped", "status": 400}, status=400)
        if answer == "busy":
            return web.json_response({"code": 20429, "message": "busy", "status": 429}, status=429)
        taken = await super()._taken(request)
        if answer == "broken" and request.transport is not None:
            request.transport.abort()
        return taken

    async def _redact(self, request: web.Request) -> web.Response:
        return web.json_response({"sid": request.match_info["sid"], "body": "", "status": "delivered"})

    async def _delete(self, request: web.Request) -> web.Response:
        self.erased.add(request.match_info["sid"])
        return web.Response(status=204)

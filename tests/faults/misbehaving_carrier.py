"""A Twilio that misbehaves in ways that have names, over real HTTP, for the client that has to make sense of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from aiohttp import web

from tests.faults.carrier_records import CarrierRecords, Met, Taken
from tests.faults.misbehaviours import WELL, Answers, Misbehaviour

TIMEOUT_SECONDS = 0.15
"""Of the client's calls; what takes longer than this here is lost there."""


@dataclass
class MisbehavingCarrier(CarrierRecords):
    """`does` says what it does to a text, and by which chance."""

    does: Callable[[UUID], tuple[Misbehaviour, random.Random]] = lambda _text_id: (WELL, random.Random())
    base_url: str = ""
    _runner: web.AppRunner | None = None

    async def start(self) -> None:
        application = web.Application()
        messages = "/2010-04-01/Accounts/{account}/Messages"
        application.router.add_post(messages + ".json", self._create)
        application.router.add_get(messages + ".json", self._list)
        application.router.add_get(messages + "/{sid}.json", self._fetch)
        application.router.add_post("/elsewhere.json", self._elsewhere)
        self._runner = web.AppRunner(application, shutdown_timeout=0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _create(self, request: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()}
        text_id = UUID(parse_qs(urlsplit(form["StatusCallback"]).query)["text"][0])
        met = await self.meet(form["To"], form["Body"], text_id, *self.does(text_id))
        return await ANSWERS[met.answers](request, met)

    async def _elsewhere(self, _request: web.Request) -> web.StreamResponse:
        raise AssertionError("a redirect of a text is followed")

    async def _list(self, request: web.Request) -> web.StreamResponse:
        shown = [_as_listed(taken) for taken in self.listed(request.query["To"])]
        return web.json_response({"messages": shown, "next_page_uri": None, "page": 0, "page_size": 200})

    async def _fetch(self, request: web.Request) -> web.StreamResponse:
        found = self.named(request.match_info["sid"])
        return refuses(404, 20404) if found is None else web.json_response(_as_listed(found))


def _as_listed(taken: Taken) -> dict[str, Any]:
    return {
        "sid": taken.sid, "to": taken.to, "body": taken.body, "status": taken.status, "direction": "outbound-api",
        "error_code": 30003 if taken.status == "undelivered" else None,
    }  # fmt: skip


def _created(met: Met) -> dict[str, Any]:
    assert met.taken is not None
    return _as_listed(met.taken) | {"status": "queued"}


def refuses(status: int, code: int, **headers: str) -> web.Response:
    return web.json_response({"code": code, "message": "no", "status": status}, status=status, headers=headers)


def cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _accepted(_request: web.Request, met: Met) -> web.StreamResponse:
    return web.json_response(_created(met), status=201)


async def _busy(_request: web.Request, met: Met) -> web.StreamResponse:
    return refuses(429, 20429, **({} if met.retry_after is None else {"Retry-After": met.retry_after}))


async def _opted_out(_request: web.Request, _met: Met) -> web.StreamResponse:
    return refuses(400, 21610)


async def _account_refused(_request: web.Request, _met: Met) -> web.StreamResponse:
    return refuses(401, 20003)


async def _proxy(_request: web.Request, _met: Met) -> web.StreamResponse:
    return web.Response(status=403, text="<html>Blocked by a proxy</html>", content_type="text/html")


async def _error(_request: web.Request, met: Met) -> web.StreamResponse:
    return refuses(503, 20503) if met.taken is None else refuses(500, 20500)


async def _hangs(_request: web.Request, _met: Met) -> web.StreamResponse:
    await asyncio.sleep(TIMEOUT_SECONDS * 1.5)
    return web.Response(status=504)


async def _resets(request: web.Request, _met: Met) -> web.StreamResponse:
    return cut(request)


async def _drips(request: web.Request, met: Met) -> web.StreamResponse:
    answer = web.StreamResponse(status=201, headers={"Content-Type": "application/json"})
    await answer.prepare(request)
    with contextlib.suppress(ConnectionError):
        for letter in json.dumps(_created(met)):
            await answer.write(letter.encode())
            await asyncio.sleep(TIMEOUT_SECONDS / 20)
    return answer


async def _truncated(_request: web.Request, met: Met) -> web.StreamResponse:
    body = json.dumps(_created(met))
    return web.Response(status=201, text=body[: len(body) // 2], content_type="application/json")


async def _nameless(_request: web.Request, met: Met) -> web.StreamResponse:
    return web.json_response({**_created(met), "sid": None}, status=201)


async def _html(_request: web.Request, _met: Met) -> web.StreamResponse:
    return web.Response(status=201, text="<html><body>Welcome!</body></html>", content_type="text/html")


async def _wrong_length(request: web.Request, met: Met) -> web.StreamResponse:
    body = json.dumps(_created(met)).encode()
    answer = web.StreamResponse(status=201, headers={"Content-Length": str(len(body) + 50)})
    await answer.prepare(request)
    await answer.write(body)
    return cut(request)


async def _redirect(_request: web.Request, _met: Met) -> web.StreamResponse:
    raise web.HTTPTemporaryRedirect("/elsewhere.json")


ANSWERS: dict[Answers, Callable[[web.Request, Met], Awaitable[web.StreamResponse]]] = {
    Answers.ACCEPTED: _accepted,
    Answers.BUSY: _busy,
    Answers.OPTED_OUT: _opted_out,
    Answers.ACCOUNT_REFUSED: _account_refused,
    Answers.PROXY: _proxy,
    Answers.ERROR: _error,
    Answers.HANGS: _hangs,
    Answers.RESETS: _resets,
    Answers.DRIPS: _drips,
    Answers.TRUNCATED: _truncated,
    Answers.NAMELESS: _nameless,
    Answers.HTML: _html,
    Answers.WRONG_LENGTH: _wrong_length,
    Answers.REDIRECT: _redirect,
}

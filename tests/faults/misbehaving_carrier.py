"""A Twilio that misbehaves in ways that have names, over real HTTP, and knows what it has really taken."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from aiohttp import web

TIMEOUT_SECONDS = 0.15
"""Of the client's calls; what takes longer than this here is lost there."""
FAR = timedelta(hours=5)
SOON = timedelta(minutes=12)


@dataclass
class Taken:
    """A text as it stands in the carrier's records. `text_id` is None for one that is not ours."""

    sid: str
    text_id: UUID | None
    to: str
    body: str
    at: datetime
    status: str = "queued"
    listed_from: datetime | None = None


@dataclass(order=True)
class Call:
    """A status that is to be told, at an instant of the simulated clock."""

    at: datetime
    turn: int
    text_id: UUID = field(compare=False)
    sid: str = field(compare=False)
    status: str = field(compare=False)
    code: str | None = field(compare=False, default=None)


Answer = Callable[["MisbehavingCarrier", web.Request, dict[str, str], UUID], Awaitable[web.StreamResponse]]


@dataclass
class MisbehavingCarrier:
    """One account. `misbehaves` at the first text of a history, then with a likelihood of `likely`, and else does as it
    should.
    """

    now: Callable[[], datetime]
    chance: random.Random = field(default_factory=random.Random)
    misbehaves: str = ""
    likely: float = 0.7
    records: list[Taken] = field(default_factory=list)
    asked: Counter[UUID] = field(default_factory=Counter)
    asked_after_taking: Counter[UUID] = field(default_factory=Counter)
    calls: list[Call] = field(default_factory=list)
    misbehaved: Counter[str] = field(default_factory=Counter)
    tell_now: Callable[[Call], Awaitable[None]] | None = None
    base_url: str = ""
    _runner: web.AppRunner | None = None

    def begin(self, seed: int, misbehaves: str) -> None:
        """Forget everything, for a history of its own."""
        self.chance, self.misbehaves = random.Random(f"{misbehaves}-{seed}"), misbehaves
        self.records, self.calls = [], []
        self.asked, self.asked_after_taking = Counter(), Counter()

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

    def took(self, text_id: UUID) -> list[Taken]:
        """The records of one text of ours."""
        return [record for record in self.records if record.text_id == text_id]

    def take(self, form: dict[str, str], text_id: UUID, *, calls: bool = True, sid: str | None = None) -> Taken:
        """Take a text, and let its reports come in time."""
        record = Taken(sid or f"SM{self.chance.getrandbits(128):032x}", text_id, form["To"], form["Body"], self.now())
        self.records.append(record)
        if calls:
            self.call_later(record, ["sent", self.chance.choice(["delivered", "delivered", "undelivered"])])
        return record

    def call_later(self, record: Taken, statuses: list[str], after: timedelta = timedelta(seconds=2)) -> None:
        """Tell statuses one after the other."""
        assert record.text_id is not None
        for number, status in enumerate(statuses):
            at = self.now() + after * (number + 1)
            code = "30003" if status == "undelivered" else "30008" if status == "failed" else None
            self.calls.append(Call(at, len(self.calls), record.text_id, record.sid, status, code))
            record.status = status

    def due(self) -> list[Call]:
        """Take out the statuses that are to be told by now."""
        due = sorted(call for call in self.calls if call.at <= self.now())
        self.calls = [call for call in self.calls if call.at > self.now()]
        return due

    async def _create(self, request: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()}
        text_id = UUID(parse_qs(urlsplit(form["StatusCallback"]).query)["text"][0])
        self.asked[text_id] += 1
        if self.took(text_id):
            self.asked_after_taking[text_id] += 1
        if self.asked.total() == 1 or self.chance.random() < self.likely:
            self.misbehaved[self.misbehaves] += 1
            return await MISBEHAVIOURS[self.misbehaves](self, request, form, text_id)
        return accepted(self.take(form, text_id))

    async def _elsewhere(self, _request: web.Request) -> web.StreamResponse:
        raise AssertionError("a redirect of a text is followed")

    async def _list(self, request: web.Request) -> web.StreamResponse:
        shown = [
            as_listed(record)
            for record in self.records
            if record.to == request.query["To"] and (record.listed_from is None or record.listed_from <= self.now())
        ]
        return web.json_response({"messages": shown, "next_page_uri": None, "page": 0, "page_size": 200})

    async def _fetch(self, request: web.Request) -> web.StreamResponse:
        for record in self.records:
            if record.sid == request.match_info["sid"]:
                return web.json_response(as_listed(record))
        return refuses(404, 20404)


def as_listed(record: Taken) -> dict[str, Any]:
    return {
        "sid": record.sid, "to": record.to, "body": record.body, "status": record.status, "direction": "outbound-api",
        "error_code": 30003 if record.status == "undelivered" else None,
    }  # fmt: skip


def accepted(record: Taken) -> web.Response:
    return web.json_response(as_listed(record) | {"status": "queued"}, status=201)


def refuses(status: int, code: int, **headers: str) -> web.Response:
    return web.json_response({"code": code, "message": "no", "status": status}, status=status, headers=headers)


def cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def hang() -> web.Response:
    await asyncio.sleep(TIMEOUT_SECONDS * 1.5)
    return web.Response(status=504)


def _busy(*headers: str | None) -> Answer:
    async def answer(
        carrier: MisbehavingCarrier, _request: web.Request, _form: dict[str, str], _text_id: UUID
    ) -> web.StreamResponse:
        chosen = carrier.chance.choice(headers)
        return refuses(429, 20429, **({} if chosen is None else {"Retry-After": chosen}))

    return answer


def _refusing(status: int, code: int) -> Answer:
    async def answer(
        _carrier: MisbehavingCarrier, _request: web.Request, _form: dict[str, str], _text_id: UUID
    ) -> web.StreamResponse:
        return refuses(status, code)

    return answer


def _taken_and(then: Callable[[web.Request, Taken], Awaitable[web.StreamResponse]]) -> Answer:
    async def answer(
        carrier: MisbehavingCarrier, request: web.Request, form: dict[str, str], text_id: UUID
    ) -> web.StreamResponse:
        # Half of the time nothing is ever told of it, so that the list alone can settle it.
        return await then(request, carrier.take(form, text_id, calls=carrier.chance.random() < 0.5))

    return answer


async def _error(_request: web.Request, _record: Taken) -> web.StreamResponse:
    return refuses(500, 20500)


async def _hangs(_request: web.Request, _record: Taken) -> web.StreamResponse:
    return await hang()


async def _resets(request: web.Request, _record: Taken) -> web.StreamResponse:
    return cut(request)


async def _drips(request: web.Request, record: Taken) -> web.StreamResponse:
    answer = web.StreamResponse(status=201, headers={"Content-Type": "application/json"})
    await answer.prepare(request)
    with contextlib.suppress(ConnectionError):
        for letter in json.dumps(as_listed(record)):
            await answer.write(letter.encode())
            await asyncio.sleep(TIMEOUT_SECONDS / 20)
    return answer


async def _truncated(_request: web.Request, record: Taken) -> web.StreamResponse:
    body = json.dumps(as_listed(record))
    return web.Response(status=201, text=body[: len(body) // 2], content_type="application/json")


async def _nameless(_request: web.Request, record: Taken) -> web.StreamResponse:
    return web.json_response({**as_listed(record), "sid": None}, status=201)


async def _html(_request: web.Request, _record: Taken) -> web.StreamResponse:
    return web.Response(status=201, text="<html><body>Welcome!</body></html>", content_type="text/html")


async def _wrong_length(request: web.Request, record: Taken) -> web.StreamResponse:
    body = json.dumps(as_listed(record)).encode()
    answer = web.StreamResponse(status=201, headers={"Content-Length": str(len(body) + 50)})
    await answer.prepare(request)
    await answer.write(body)
    return cut(request)


async def _html_before(
    _carrier: MisbehavingCarrier, _request: web.Request, _form: dict[str, str], _text_id: UUID
) -> web.StreamResponse:
    return web.Response(status=403, text="<html>Blocked by a proxy</html>", content_type="text/html")


async def _error_before(
    _carrier: MisbehavingCarrier, _request: web.Request, _form: dict[str, str], _text_id: UUID
) -> web.StreamResponse:
    return refuses(503, 20503)


async def _hangs_before(
    _carrier: MisbehavingCarrier, _request: web.Request, _form: dict[str, str], _text_id: UUID
) -> web.StreamResponse:
    return await hang()


async def _resets_before(
    _carrier: MisbehavingCarrier, request: web.Request, _form: dict[str, str], _text_id: UUID
) -> web.StreamResponse:
    return cut(request)


async def _redirects(
    carrier: MisbehavingCarrier, _request: web.Request, _form: dict[str, str], _text_id: UUID
) -> web.StreamResponse:
    raise web.HTTPTemporaryRedirect(f"{carrier.base_url}/elsewhere.json")


async def _same_sid(
    carrier: MisbehavingCarrier, _request: web.Request, form: dict[str, str], text_id: UUID
) -> web.StreamResponse:
    return accepted(carrier.take(form, text_id, sid="SM" + "0" * 32))


async def _never_calls(
    carrier: MisbehavingCarrier, _request: web.Request, form: dict[str, str], text_id: UUID
) -> web.StreamResponse:
    return accepted(carrier.take(form, text_id, calls=False))


async def _calls_first(
    carrier: MisbehavingCarrier, _request: web.Request, form: dict[str, str], text_id: UUID
) -> web.StreamResponse:
    assert carrier.tell_now is not None
    record = carrier.take(form, text_id, calls=False)
    for status in ("queued", "sent", "delivered")[: carrier.chance.randint(1, 3)]:
        record.status = status
        await carrier.tell_now(Call(carrier.now(), 0, text_id, record.sid, status))
    return accepted(record)


async def _calls_twice_and_reversed(
    carrier: MisbehavingCarrier, _request: web.Request, form: dict[str, str], text_id: UUID
) -> web.StreamResponse:
    record = carrier.take(form, text_id, calls=False)
    statuses = ["queued", "sending", "sent", "delivered"]
    carrier.call_later(record, [*reversed(statuses), *statuses])
    return accepted(record)


async def _calls_hours_late(
    carrier: MisbehavingCarrier, _request: web.Request, form: dict[str, str], text_id: UUID
) -> web.StreamResponse:
    record = carrier.take(form, text_id, calls=False)
    carrier.call_later(record, ["sent", "delivered"], after=FAR)
    return accepted(record)


async def _calls_by_another_sid(
    carrier: MisbehavingCarrier, _request: web.Request, form: dict[str, str], text_id: UUID
) -> web.StreamResponse:
    record = carrier.take(form, text_id)
    for call in carrier.calls:
        if call.text_id == text_id:
            call.sid = f"SM{carrier.chance.getrandbits(128):032x}"
    return accepted(record)


async def _fails_after_delivered(
    carrier: MisbehavingCarrier, _request: web.Request, form: dict[str, str], text_id: UUID
) -> web.StreamResponse:
    record = carrier.take(form, text_id, calls=False)
    carrier.call_later(record, ["sent", "delivered", "undelivered", "failed"])
    return accepted(record)


async def _lists_late(
    carrier: MisbehavingCarrier, request: web.Request, form: dict[str, str], text_id: UUID
) -> web.StreamResponse:
    record = carrier.take(form, text_id, calls=False)
    record.listed_from = carrier.now() + SOON * carrier.chance.random()
    return cut(request)


async def _lists_a_lookalike(
    carrier: MisbehavingCarrier, request: web.Request, form: dict[str, str], text_id: UUID
) -> web.StreamResponse:
    # Somebody else has put the same words into the same account for the same number; ours it takes or not.
    sid = f"SM{carrier.chance.getrandbits(128):032x}"
    carrier.records.append(Taken(sid, None, form["To"], form["Body"], carrier.now(), "sent"))
    if carrier.chance.random() < 0.5:
        carrier.take(form, text_id, calls=carrier.chance.random() < 0.5)
    return cut(request)


MISBEHAVIOURS: dict[str, Answer] = {
    "busy, with Retry-After": _busy("1", "7"),
    "busy, without Retry-After": _busy(None),
    "busy, with an absurd Retry-After": _busy("nan", "inf", "-5", "1e308", "soon", "Wed, 21 Oct 2026 07:28:00 GMT", ""),
    "error before taking": _error_before,
    "error after taking": _taken_and(_error),
    "no answer, before taking": _hangs_before,
    "no answer, after taking": _taken_and(_hangs),
    "reset before taking": _resets_before,
    "reset after taking": _taken_and(_resets),
    "an answer that drips": _taken_and(_drips),
    "truncated JSON": _taken_and(_truncated),
    "no sid": _taken_and(_nameless),
    "the same sid for all": _same_sid,
    "HTML for JSON": _taken_and(_html),
    "HTML of a proxy, before taking": _html_before,
    "a wrong content length": _taken_and(_wrong_length),
    "a redirect": _redirects,
    "never calls back": _never_calls,
    "calls back before it answers": _calls_first,
    "calls back twice, and in reverse": _calls_twice_and_reversed,
    "calls back hours late": _calls_hours_late,
    "calls back by another sid": _calls_by_another_sid,
    "fails after it was delivered": _fails_after_delivered,
    "lists it late": _lists_late,
    "lists a lookalike": _lists_a_lookalike,
    "opted out": _refusing(400, 21610),
    "account refused": _refusing(401, 20003),
}

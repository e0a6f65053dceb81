"""A Vonage that is not Vonage, from its documents: its Messages and Redact API, and the webhooks it signs.

It takes nothing that its reference does not have: a request of another shape is answered 422, and fails a test.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import uuid4

import aiohttp
import jwt
from aiohttp import web

from referralnet.messaging.carriers import Posted

API_KEY = "abcd1234"
API_SECRET = "secret-of-the-account"
SIGNATURE_SECRET = "signature-secret-of-the-account-0"
OUR_NUMBER = "15005550006"
STATUS_URL = "https://texts.example.test/webhooks/vonage/status"
_NUMBER = re.compile(r"[1-9][0-9]{6,14}")
# What the reference of the Messages API has for a text by SMS, and what each may be.
_MESSAGE: dict[str, Callable[[Any], bool]] = {
    "message_type": lambda value: value == "text",
    "channel": lambda value: value == "sms",
    "to": lambda value: isinstance(value, str) and bool(_NUMBER.fullmatch(value)),
    "from": lambda value: isinstance(value, str) and bool(_NUMBER.fullmatch(value)),
    "text": lambda value: isinstance(value, str) and 0 < len(value) <= 1_000,
    "ttl": lambda value: isinstance(value, int) and 20 <= value <= 604_800,
    "client_ref": lambda value: isinstance(value, str) and len(value) <= 100,
    "webhook_url": lambda value: isinstance(value, str) and value.startswith("http"),
    "webhook_version": lambda value: value in {"v0.1", "v1"},
}
_NEEDED = {"message_type", "channel", "to", "from", "text"}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def token_for(
    body: bytes, at: datetime, *, secret: str = SIGNATURE_SECRET, algorithm: str = "HS256", **claims: Any
) -> str:
    """The token of a webhook; a claim that is None is left out."""
    said = {
        "iat": int(at.timestamp()), "jti": str(uuid4()), "iss": "Vonage", "api_key": API_KEY,
        "payload_hash": sha256(body).hexdigest(), "application_id": "aaaaaaaa-bbbb-cccc-dddd-0123456789ab",
    } | claims  # fmt: skip
    if algorithm == "HS512":
        secret = secret * 2
    return jwt.encode({name: value for name, value in said.items() if value is not None}, secret, algorithm)


def status_of(message_uuid: str, status: str, client_ref: str) -> dict[str, Any]:
    """What a status webhook says of a text by SMS."""
    return {
        "message_uuid": message_uuid, "to": "13125550100", "from": OUR_NUMBER, "timestamp": "2026-03-02T15:00:00.000Z",
        "status": status, "channel": "sms", "client_ref": client_ref, "usage": {"currency": "EUR", "price": "0.0333"},
        "destination": {"network_code": "12345"}, "sms": {"count_total": "1"},
    }  # fmt: skip


def posted_by_vonage(told: Any, at: datetime, url: str = STATUS_URL) -> Posted:
    """A webhook as our server sees it."""
    body = json.dumps(told).encode()
    return Posted(url, {"authorization": f"Bearer {token_for(body, at)}"}, body)


@dataclass
class LocalVonage:
    """Takes what is well formed and remembers it; `answers` instead, where it is set."""

    taken: list[dict[str, Any]] = field(default_factory=list)
    redacted: list[dict[str, Any]] = field(default_factory=list)
    answers: Handler | None = None
    base_url: str = ""
    _runner: web.AppRunner | None = None

    async def start(self) -> None:
        application = web.Application()
        application.router.add_post("/v1/messages", self._message)
        application.router.add_post("/v1/redact/transaction", self._redact)
        self._runner = web.AppRunner(application, shutdown_timeout=0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _message(self, request: web.Request) -> web.StreamResponse:
        if self.answers is not None:
            return await self.answers(request)
        if (refused := _unauthorized(request)) is not None:
            return refused
        message = await request.json()
        wrong = [name for name in message if name not in _MESSAGE or not _MESSAGE[name](message[name])]
        if wrong or not message.keys() >= _NEEDED:
            return problem(422, "messages#1150", f"Invalid params: {wrong}")
        sid = str(uuid4())
        self.taken.append({**message, "message_uuid": sid})
        return web.json_response({"message_uuid": sid}, status=202)

    async def _redact(self, request: web.Request) -> web.StreamResponse:
        if self.answers is not None:
            return await self.answers(request)
        if (refused := _unauthorized(request)) is not None:
            return refused
        record = await request.json()
        if set(record) != {"id", "product", "type"} or record["product"] != "messages":
            return problem(422, "#invalid-json", "Invalid JSON")
        if record["type"] == "outbound" and record["id"] not in {message["message_uuid"] for message in self.taken}:
            return problem(404, "#invalid-id", "No such record")
        self.redacted.append(record)
        return web.Response(status=204)


def problem(status: int, kind: str, detail: str, **headers: str) -> web.Response:
    """An error as Vonage tells it (RFC 7807)."""
    address = f"https://developer.vonage.com/api-errors/{kind}".replace("/#", "#")
    told = {"type": address, "title": "Error", "detail": detail, "instance": "bf0ca0bf927b3b52e3cb03217e1a1ddf"}
    return web.json_response(told, status=status, headers=headers, content_type="application/problem+json")


def _unauthorized(request: web.Request) -> web.Response | None:
    if request.headers.get("Authorization") == aiohttp.encode_basic_auth(API_KEY, API_SECRET):
        return None
    return problem(401, "#unauthorized", "You did not provide correct credentials.")

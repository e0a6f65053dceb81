"""The carriers' webhooks. Without a valid signature: 403 and not a row (M6). With one: a sealed row and the answer that
every number gets.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from referralnet.clock import Clock
from referralnet.database.acting import Nobody
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.messaging.carriers import Posted, Webhooks, webhook_path
from referralnet.messaging.receiving import keep_callback, keep_inbound

BODY_BYTES_MAX = 16_384


@dataclass(frozen=True, slots=True)
class _Desk:
    """What recording a carrier's webhook needs."""

    database: Database
    keyring: Keyring
    clock: Clock
    webhooks: Webhooks
    public_base_url: str


def routes(
    database: Database, keyring: Keyring, clock: Clock, carriers: Sequence[Webhooks], *, public_base_url: str
) -> list[Route]:
    """Two routes for each carrier.

    Args:
        database: as the application role, which may add to these tables and read none of them.
        carriers: whose requests are taken.
        public_base_url: how carriers address us; signatures are made over it, whatever a proxy rewrites.
    """
    made = []
    for webhooks in carriers:
        desk = _Desk(database, keyring, clock, webhooks, public_base_url.rstrip("/"))
        status, inbound = webhook_path(webhooks.name, "status"), webhook_path(webhooks.name, "inbound")
        made += [
            Route(status, _verified(desk, _record_report), methods=["POST"], name=f"{webhooks.name}_status"),
            Route(inbound, _verified(desk, _record_text), methods=["POST"], name=f"{webhooks.name}_inbound"),
        ]
    return made


def _verified(
    desk: _Desk, record: Callable[[_Desk, Posted], Awaitable[None]]
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        posted = await _posted(desk, request)
        if posted is None or not desk.webhooks.is_genuine(posted, desk.clock.now()):
            return Response(status_code=403)
        await record(desk, posted)
        return Response(desk.webhooks.answer, media_type=desk.webhooks.answer_type)

    return endpoint


async def _posted(desk: _Desk, request: Request) -> Posted | None:
    """The request, or None where it is too large: nothing unsigned is read further than that."""
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_BYTES_MAX:
                return None
    except ClientDisconnect:
        return None
    query = f"?{request.url.query}" if request.url.query else ""
    return Posted(f"{desk.public_base_url}{request.url.path}{query}", dict(request.headers), body)


async def _record_report(desk: _Desk, posted: Posted) -> None:
    told = desk.webhooks.read_report(posted)
    if told is None:
        return  # signed, and about no text of ours
    text_id, report = told
    async with desk.database.transaction(Nobody()) as session:
        await keep_callback(session, text_id=text_id, report=report, now=desk.clock.now())


async def _record_text(desk: _Desk, posted: Posted) -> None:
    written = desk.webhooks.read_text(posted)
    if written is None:
        return
    async with desk.database.transaction(Nobody()) as session:
        await keep_inbound(session, desk.keyring, written, now=desk.clock.now())

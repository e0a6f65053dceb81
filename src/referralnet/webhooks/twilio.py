"""Twilio's two webhooks. Without a valid signature: 403 and not a row (M6). With one: a sealed row and an empty
answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl
from uuid import UUID

from starlette.datastructures import ImmutableMultiDict
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from twilio.request_validator import RequestValidator

from referralnet.clock import Clock
from referralnet.database.acting import Nobody
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.messaging.callbacks import Report
from referralnet.messaging.carriers import INBOUND_PATH, SIGNATURE_HEADER, STATUS_PATH
from referralnet.messaging.receiving import keep_callback, keep_inbound

BODY_BYTES_MAX = 16_384
_FIELDS_MAX = 100
_EMPTY_ANSWER = '<?xml version="1.0" encoding="UTF-8"?><Response/>'

Form = ImmutableMultiDict[str, str]


@dataclass(frozen=True, slots=True)
class _Desk:
    """What recording a webhook needs."""

    database: Database
    keyring: Keyring
    clock: Clock
    validator: RequestValidator
    public_base_url: str


def routes(database: Database, keyring: Keyring, clock: Clock, *, auth_token: str, public_base_url: str) -> list[Route]:
    """The carrier's routes.

    Args:
        database: as the application role, which may add to these tables and read none of them.
        auth_token: what the carrier signs with.
        public_base_url: how the carrier addresses us; signatures are made over it, whatever a proxy rewrites.
    """
    desk = _Desk(database, keyring, clock, RequestValidator(auth_token), public_base_url.rstrip("/"))
    return [
        Route(STATUS_PATH, _verified(desk, _record_status), methods=["POST"], name="twilio_status"),
        Route(INBOUND_PATH, _verified(desk, _record_inbound), methods=["POST"], name="twilio_inbound"),
    ]


def _verified(
    desk: _Desk, record: Callable[[_Desk, Request, Form], Awaitable[None]]
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        form = await _form(request)
        if form is None or not _is_signed(desk, request, form):
            return Response(status_code=403)
        await record(desk, request, form)
        return Response(_EMPTY_ANSWER, media_type="text/xml")

    return endpoint


async def _form(request: Request) -> Form | None:
    """The posted form, or None where it is too large or no form: nothing unsigned is read further than that."""
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_BYTES_MAX:
                return None
        return ImmutableMultiDict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS_MAX))
    except (ClientDisconnect, ValueError):
        return None


def _is_signed(desk: _Desk, request: Request, form: Form) -> bool:
    query = f"?{request.url.query}" if request.url.query else ""
    url = f"{desk.public_base_url}{request.url.path}{query}"
    return bool(desk.validator.validate(url, form, request.headers.get(SIGNATURE_HEADER, "")))


async def _record_status(desk: _Desk, request: Request, form: Form) -> None:
    try:
        text_id = UUID(request.query_params.get("text", ""))
        report = Report(form["MessageSid"], form["MessageStatus"], form.get("ErrorCode") or None)
    except (KeyError, ValueError):
        return  # signed, and about no text of ours
    async with desk.database.transaction(Nobody()) as session:
        await keep_callback(session, text_id=text_id, report=report, now=desk.clock.now())


async def _record_inbound(desk: _Desk, _request: Request, form: Form) -> None:
    sid, number = form.get("MessageSid"), form.get("From")
    if not sid or not number:
        return
    async with desk.database.transaction(Nobody()) as session:
        await keep_inbound(
            session, desk.keyring, carrier_sid=sid, number=number, body=form.get("Body", ""), now=desk.clock.now()
        )

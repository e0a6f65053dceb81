"""Files for a signed-in member: read in one transaction, sent when it is committed, and kept nowhere on the way.

The member is named by the Authorization header alone, as for GraphQL: an address that opens a file by itself would
stand in histories and in calendars of others. An address is written into logs as well, so what is a survivor's own is
asked for in the body of a POST (C5).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson
from graphql import GraphQLError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from referralnet.api.attempts import record_attempt
from referralnet.api.context import Resources
from referralnet.api.endpoint import bearer_token, find_actor
from referralnet.api.errors import Refused, present
from referralnet.database.acting import Member
from referralnet.errors import InvalidInput, NotFound, NotPermitted, Refusal
from referralnet.identity.access import Permission, require
from referralnet.identity.hourly_caps import HourlyCapReached
from referralnet.identity.step_up import StepUpNeeded
from referralnet.referrals.exporting import DailyExportReached

STATUS: dict[type[Refusal], int] = {
    NotFound: 404,
    NotPermitted: 403,
    StepUpNeeded: 403,
    HourlyCapReached: 429,
    DailyExportReached: 429,
}
BODY_BYTES_MAX = 1024
_KEPT_NOWHERE = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request says, in its path, its query and the JSON object of its body."""

    path: Mapping[str, Any]
    query: Mapping[str, str]
    body: Mapping[str, Any]

    def day(self, name: str) -> date:
        """The day that a query parameter names.

        Raises:
            InvalidInput: it is lacking or none; names the parameter.
        """
        try:
            return date.fromisoformat(self.query.get(name, ""))
        except ValueError:
            raise InvalidInput(field=name, detail="Write YYYY-MM-DD.") from None


@dataclass(frozen=True, slots=True)
class Download:
    """A file, or what draws it without the database. Its name says what kind of file it is, and nothing of whom."""

    content: bytes | Callable[[], bytes]
    media_type: str
    file_name: str


Make = Callable[[AsyncSession, Member, Asked], Awaitable[Download]]


class Downloads:
    """Makes a route of what makes a file."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def route(self, path: str, permission: Permission, make: Make, *, method: str = "GET") -> Route:
        """Serve what `make` gives to members whose role includes `permission`; refusals are told as JSON.

        POST where making the file is an act that is counted, so that nothing fetches it in passing, and where what is
        asked for may not stand in an address.
        """

        async def answer(request: Request) -> Response:
            if request.method != method:
                return _told(405, "METHOD_NOT_ALLOWED", "There is only the file itself.")
            try:
                async with asyncio.timeout(self._resources.settings.request_seconds_max):
                    return await self._answer(request, permission, make)
            except ClientDisconnect:
                return Response(status_code=400)
            except TimeoutError:
                return _told(503, "TIMED_OUT", "This took too long and was given up.")
            except Exception as crash:  # noqa: BLE001 (told as every other crash is: an incident's number, nothing else)
                return _told(500, "INTERNAL", present(GraphQLError("", original_error=crash)).message)

        return Route(path, answer, methods=[method])

    async def _answer(self, request: Request, permission: Permission, make: Make) -> Response:
        actor = await find_actor(self._resources, bearer_token(request))
        if actor is None:
            return _told(401, "UNAUTHENTICATED", "Sign in first.")
        try:
            require(actor, permission)
            # Before the transaction, which a slow client may not hold open.
            asked = Asked(request.path_params, request.query_params, await _read_body(request))
            # The file leaves once what was read for it and its row in the trail are committed (U1).
            async with self._resources.database.transaction(actor) as session:
                download = await make(session, actor, asked)
        except Refusal as refusal:
            await record_attempt(self._resources, actor, "download", refusal)
            refused = Refused.of(refusal)
            return _told(STATUS.get(type(refusal), 400), refused.code, refused.message, refused.field)
        content = download.content
        return _file(download, content if isinstance(content, bytes) else await asyncio.to_thread(content))


async def _read_body(request: Request) -> Mapping[str, Any]:
    """The JSON object that was sent; empty where nothing was.

    Raises:
        InvalidInput: it is none, or too long.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise InvalidInput(detail=f"At most {BODY_BYTES_MAX} bytes.")
    if not body:
        return {}
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise InvalidInput(detail="Send application/json.")
    try:
        sent = orjson.loads(body)
    except orjson.JSONDecodeError:
        sent = None
    if not isinstance(sent, dict):
        raise InvalidInput(detail="Send one JSON object.")
    return sent


def _file(download: Download, content: bytes) -> Response:
    named = {"content-disposition": f'attachment; filename="{download.file_name}"'}
    return Response(content, headers=_KEPT_NOWHERE | named, media_type=download.media_type)


def _told(status: int, code: str, message: str, field: str | None = None) -> Response:
    content = {"code": code, "message": message, **({"field": field} if field else {})}
    return Response(orjson.dumps(content), status, _KEPT_NOWHERE, media_type="application/json")

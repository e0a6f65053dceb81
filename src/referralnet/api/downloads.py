"""Files for a signed-in member: made in one transaction, sent when it is committed, and kept nowhere on the way.

The member is named by the Authorization header alone, as for GraphQL: an address that opens a file by itself would
stand in histories and in calendars of others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date

import orjson
from graphql import GraphQLError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
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
_KEPT_NOWHERE = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


@dataclass(frozen=True, slots=True)
class Download:
    """A file. Its name says what kind of file it is, and nothing of whom it is about."""

    content: bytes
    media_type: str
    file_name: str


Make = Callable[[AsyncSession, Member, Request], Awaitable[Download]]


class Downloads:
    """Makes a route of what makes a file."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def route(self, path: str, permission: Permission, make: Make, *, method: str = "GET") -> Route:
        """Serve what `make` gives to members whose role includes `permission`; refusals are told as JSON.

        POST where making the file is an act that is counted, so that nothing fetches it in passing.
        """

        async def answer(request: Request) -> Response:
            if request.method != method:
                return _told(405, "METHOD_NOT_ALLOWED", "There is only the file itself.")
            actor = await find_actor(self._resources, bearer_token(request))
            if actor is None:
                return _told(401, "UNAUTHENTICATED", "Sign in first.")
            try:
                return _file(await self._made(actor, permission, make, request))
            except Refusal as refusal:
                await record_attempt(self._resources, actor, "download", refusal)
                refused = Refused.of(refusal)
                return _told(STATUS.get(type(refusal), 400), refused.code, refused.message, refused.field)
            except TimeoutError:
                return _told(503, "TIMED_OUT", "This took too long and was given up.")
            except Exception as crash:  # noqa: BLE001 (told as every other crash is: an incident's number, nothing else)
                return _told(500, "INTERNAL", present(GraphQLError("", original_error=crash)).message)

        return Route(path, answer, methods=[method])

    async def _made(self, actor: Member, permission: Permission, make: Make, request: Request) -> Download:
        """The file, once what was read for it and its row in the trail are committed (U1)."""
        require(actor, permission)
        async with (
            asyncio.timeout(self._resources.settings.request_seconds_max),
            self._resources.database.transaction(actor) as session,
        ):
            return await make(session, actor, request)


def day_asked(request: Request, name: str) -> date:
    """The day that a query parameter names.

    Raises:
        InvalidInput: it is lacking or none; names the parameter.
    """
    try:
        return date.fromisoformat(request.query_params.get(name, ""))
    except ValueError:
        raise InvalidInput(field=name, detail="Write YYYY-MM-DD.") from None


def _file(download: Download) -> Response:
    named = {"content-disposition": f'attachment; filename="{download.file_name}"'}
    return Response(download.content, headers=_KEPT_NOWHERE | named, media_type=download.media_type)


def _told(status: int, code: str, message: str, field: str | None = None) -> Response:
    content = {"code": code, "message": message, **({"field": field} if field else {})}
    return Response(orjson.dumps(content), status, _KEPT_NOWHERE, media_type="application/json")

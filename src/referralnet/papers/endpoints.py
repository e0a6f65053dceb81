"""POST /papers/release and /papers/accounting: a PDF for one member, or why there is none, as JSON.

By POST, because an address is written into logs, and no address names a survivor or what is hers (C5). The row in the
trail is committed with the reading, before the paper is drawn (U1); no cache keeps a paper, and its name says nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

import orjson
import structlog
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from referralnet.api.context import Resources
from referralnet.api.endpoint import bearer_token, find_actor
from referralnet.api.errors import Refused
from referralnet.audit.recording import Action, record
from referralnet.consent.printing import release_to_print
from referralnet.database.acting import Member
from referralnet.errors import InvalidInput, NotFound, NotPermitted, Refusal
from referralnet.identity.agencies import agency
from referralnet.identity.hourly_caps import HourlyCapReached
from referralnet.identity.step_up import StepUpNeeded
from referralnet.papers.wording import Words, words_in
from referralnet.referrals.accounting import accounting_of

BODY_BYTES_MAX = 1024
_STATUS: dict[type[Refusal], int] = {NotFound: 404, NotPermitted: 403, StepUpNeeded: 403, HourlyCapReached: 429}
_log = structlog.get_logger("referralnet.papers")

Draw = Callable[[], bytes]
"""What draws the paper, without the database."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which thing is to be printed, in which language: a release's own, or English, where none is asked for."""

    id: UUID
    language: str | None


def routes(resources: Resources) -> list[Route]:
    """The two addresses."""
    printer = Printer(resources)
    return [
        Route("/papers/release", printer.answering("releaseId", printer.release), methods=["POST"]),
        Route("/papers/accounting", printer.answering("survivorId", printer.accounting), methods=["POST"]),
    ]


class Printer:
    """Reads what is to be printed in one transaction, and draws it after that one is committed."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    async def release(self, session: AsyncSession, actor: Member, wanted: Wanted) -> tuple[Draw, Words]:
        """Her copy of a release, in the language of the form she was shown."""
        now = self._resources.clock.now()
        found = await release_to_print(session, actor, wanted.id, now=now)
        words = words_in(wanted.language or found.row.form_language)

        def draw() -> bytes:
            from referralnet.papers.release_paper import print_release  # noqa: PLC0415 (as below)

            return print_release(found, words, now)

        return draw, words

    async def accounting(self, session: AsyncSession, actor: Member, wanted: Wanted) -> tuple[Draw, Words]:
        """Her accounting of disclosures."""
        now, words = self._resources.clock.now(), words_in(wanted.language or "en")
        lines = await accounting_of(session, actor, wanted.id, keyring=self._resources.keyring, now=now)
        custodian = await agency(session, actor.agency_id)

        def draw() -> bytes:
            # What draws takes half a second to import: the first paper pays it, and not each start.
            from referralnet.papers.accounting_paper import print_accounting  # noqa: PLC0415

            return print_accounting(lines, custodian, words, now)

        return draw, words

    def answering(
        self, id_field: str, read: Callable[[AsyncSession, Member, Wanted], Awaitable[tuple[Draw, Words]]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """A route's endpoint."""

        async def answer(request: Request) -> Response:
            try:
                async with asyncio.timeout(self._resources.settings.request_seconds_max):
                    return await self._answer(request, id_field, read)
            except ClientDisconnect:
                return Response(status_code=400)
            except TimeoutError:
                return _told(503, "TIMED_OUT", "This took too long and was given up.")
            except Exception as crash:  # noqa: BLE001 (told as GraphQL's crashes are: nothing of what it was)
                _log.error("paper crashed", exc_info=crash)
                return _told(500, "INTERNAL", "Something went wrong on our side.")

        return answer

    async def _answer(
        self, request: Request, id_field: str,
        read: Callable[[AsyncSession, Member, Wanted], Awaitable[tuple[Draw, Words]]],
    ) -> Response:  # fmt: skip
        actor = await find_actor(self._resources, bearer_token(request))
        if actor is None:
            return _told(401, "UNAUTHENTICATED", "Sign in first.")
        try:
            wanted = await _read_body(request, id_field)
            async with self._resources.database.transaction(actor) as session:
                draw, words = await read(session, actor, wanted)
        except Refusal as refusal:
            return await self._refuse(actor, request, refusal)
        headers = {
            "cache-control": "no-store",
            "content-disposition": f'attachment; filename="{words.say("sheet", "file")}"',
        }
        return Response(await asyncio.to_thread(draw), headers=headers, media_type="application/pdf")

    async def _refuse(self, actor: Member, request: Request, refusal: Refusal) -> Response:
        if refusal.audited:
            async with self._resources.database.transaction(actor) as session:
                operation = request.url.path.removeprefix("/").replace("/", "_")
                await record(
                    session, Action.ATTEMPT_REFUSED, "member", actor.member_id, operation=operation, code=refusal.code
                )
        told = Refused.of(refusal)
        return _told(_STATUS.get(type(refusal), 400), told.code, told.message, told.field)


async def _read_body(request: Request, id_field: str) -> Wanted:
    """What was asked for.

    Raises:
        InvalidInput: naming the field; no field where it is no JSON object of at most a kilobyte.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise InvalidInput(detail=f"At most {BODY_BYTES_MAX} bytes.")
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise InvalidInput(detail="Send application/json.")
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError:
        asked = None
    if not isinstance(asked, dict):
        raise InvalidInput(detail="Send one JSON object.")
    language = asked.get("language")
    if language is not None and not isinstance(language, str):
        raise InvalidInput(field="language", detail="A code, such as es.")
    try:
        return Wanted(UUID(str(asked.get(id_field))), language)
    except ValueError:
        raise InvalidInput(field=id_field, detail="An id.") from None


def _told(status: int, code: str, message: str, field: str | None = None) -> Response:
    content = orjson.dumps({"code": code, "message": message, "field": field})
    return Response(content, status, {"cache-control": "no-store"}, media_type="application/json")

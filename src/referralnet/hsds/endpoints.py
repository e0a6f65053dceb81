"""HSDS's endpoints: read the question, ask the directory as anybody, tell the answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID

import orjson
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from referralnet.clock import Clock
from referralnet.database.acting import PublicReader
from referralnet.database.transactions import Database
from referralnet.directory.places import UnknownZip
from referralnet.directory.projection import changed_services, count_public, find_public, public_object, public_page
from referralnet.directory.public_finding import Found
from referralnet.directory.public_shapes import SHAPES
from referralnet.hsds.answers import CACHED, next_link, page_body, problem, told
from referralnet.hsds.description import describe
from referralnet.hsds.parameters import Asked, BadParameter, an_id, read_list, read_values, shape_of
from referralnet.hsds.resources import PER_PAGE_MAX, RESOURCES, Resource
from referralnet.settings import Settings

STREAMS_MAX = 2
"""Answers without pages that one process writes at a time."""

Answer = Callable[[Request], Awaitable[Response]]
NO_SUCH = "There is no such thing here, or none that is public."


def routes(database: Database, clock: Clock, settings: Settings) -> list[Route]:
    """The public endpoints, or none where the network keeps its directory to itself.

    `database` is read as the application role, as a reader without a name.
    """
    public = settings.public_directory
    if not (settings.environment == "development" if public is None else public):
        return []
    desk = PublicDesk(database, clock, settings)
    found = [Route("/hsds/", _safely(desk.about)), Route("/hsds/openapi.json", _safely(desk.openapi))]
    for resource in RESOURCES:
        found += [
            Route(resource.path, _safely(desk.listing(resource))),
            Route(f"{resource.path}/{{id}}", _safely(desk.single(resource))),
        ]
    return [*found, Route("/hsds/{rest:path}", _safely(desk.nothing))]


class PublicDesk:
    """What the endpoints share: at most half of the process's connections serve readers without a name."""

    def __init__(self, database: Database, clock: Clock, settings: Settings) -> None:
        self._database, self._clock = database, clock
        self._base_url = settings.public_base_url.rstrip("/")
        self._seconds_max = settings.request_seconds_max
        self._places = asyncio.Semaphore(max(1, settings.database_connections_max // 2))
        self._streams = asyncio.Semaphore(STREAMS_MAX)

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncSession]:
        reading = self._database.transaction(PublicReader())
        async with asyncio.timeout(self._seconds_max), self._places, reading as session:
            yield session

    async def about(self, request: Request) -> Response:
        read_values(request.query_params, ())
        about = {
            "version": "3.1",
            "profile": "https://docs.openreferral.org/en/latest/hsds/",
            "openapi_url": f"{self._base_url}/hsds/openapi.json",
        }
        return told(request, orjson.dumps(about))

    async def openapi(self, request: Request) -> Response:
        return told(request, orjson.dumps(describe(self._base_url)))

    async def nothing(self, _request: Request) -> Response:
        return problem(404, NO_SUCH)

    def single(self, resource: Resource) -> Answer:
        async def answer(request: Request) -> Response:
            values = read_values(request.query_params, resource.alone)
            try:
                wanted = an_id(request.path_params["id"])
            except ValueError:
                return problem(404, NO_SUCH)
            shape = shape_of(resource, values, alone=True)
            async with self._reading() as session:
                found = await public_object(session, shape, wanted, now=self._clock.now())
            return problem(404, NO_SUCH) if found is None else told(request, found.encode())

        return answer

    def listing(self, resource: Resource) -> Answer:
        async def answer(request: Request) -> Response:
            asked = read_list(request.query_params, resource)
            if asked.ndjson:
                return await self._stream(asked)
            async with self._reading() as session:
                found = await find_public(session, resource.table, asked.query)
                counted = await count_public(session, resource.table, found)
                contents, last_id = await self._page(session, asked, found)
            headers = next_link(request, asked, last_id) if len(contents) == asked.per_page else {}
            return told(request, page_body(asked, counted, contents), headers)

        return answer

    async def _page(self, session: AsyncSession, asked: Asked, found: Found | None) -> tuple[list[str], UUID | None]:
        offset, after = 0 if asked.after is not None else (asked.page - 1) * asked.per_page, asked.after
        if asked.minimal:
            return await changed_services(session, found, limit=asked.per_page, offset=offset, after=after)
        return await public_page(
            session, asked.shape, found, limit=asked.per_page, offset=offset, after=after, now=self._clock.now()
        )

    async def _stream(self, asked: Asked) -> Response:
        """Every object on a line. A transaction for each batch: a slow reader holds no connection."""
        if self._streams.locked():
            return problem(503, "Others are reading the whole directory. Try again in a little while.")
        async with self._reading() as session:
            first, last_id = await self._batch(session, asked, asked.after)
        lines = self._lines(asked, first, last_id)
        return StreamingResponse(lines, media_type="application/x-ndjson", headers={"cache-control": CACHED})

    async def _lines(self, asked: Asked, batch: list[str], last_id: UUID | None) -> AsyncIterator[bytes]:
        async with self._streams:
            while batch:
                yield "".join(f"{one}\n" for one in batch).encode()
                async with self._reading() as session:
                    batch, last_id = await self._batch(session, asked, last_id)

    async def _batch(self, session: AsyncSession, asked: Asked, after: UUID | None) -> tuple[list[str], UUID | None]:
        found = await find_public(session, SHAPES[asked.shape].table, asked.query)
        if asked.minimal:
            return await changed_services(session, found, limit=PER_PAGE_MAX * 10, offset=0, after=after)
        return await public_page(
            session, asked.shape, found, limit=PER_PAGE_MAX, offset=0, after=after, now=self._clock.now()
        )


def _safely(answer: Answer) -> Answer:
    """Say what is wrong as a problem; nothing of the database's own words."""

    async def answered(request: Request) -> Response:
        try:
            return await answer(request)
        except BadParameter as bad:
            return problem(400, bad.detail, parameter=bad.name)
        except UnknownZip as unknown:
            return problem(400, unknown.message, parameter="postcode")
        except (OSError, SQLAlchemyError, TimeoutError):
            return problem(503, "The directory cannot be read just now.")

    return answered

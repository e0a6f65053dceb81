"""A database's trail to write, seal, verify and tamper with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import asyncpg

from referralnet.audit.chain import BrokenLink, seal_trail, unlinked_count, verify_trail
from referralnet.audit.recording import Action, record
from referralnet.database.acting import Custodian, Dispatcher, Operator
from referralnet.database.transactions import Database
from tests.databases import DatabaseUrls, Server
from tests.factories.identity import make_agency
from tests.factories.rows import connect_as_superuser


class Trail:
    """One database's trail."""

    def __init__(self, urls: DatabaseUrls) -> None:
        self.urls = urls
        self.owner, self.worker = Database(urls.owner), Database(urls.worker)

    async def write(self, agency_id: UUID, events: int = 1) -> None:
        async with self.worker.transaction(Custodian(agency_id)) as session:
            for number in range(events):
                await record(session, Action.TEXT_SENT, "text_message", uuid4(), number=number)

    async def seal(self, events_max: int = 1000) -> int:
        async with self.worker.transaction(Dispatcher()) as session:
            return await seal_trail(session, events_max=events_max)

    async def verify(self) -> tuple[int, list[BrokenLink]]:
        async with self.owner.transaction(Operator()) as session:
            return await verify_trail(session)

    async def waiting(self) -> int:
        async with self.owner.transaction(Operator()) as session:
            return await unlinked_count(session)

    async def tamper(self, *statements: str) -> None:
        """As somebody who owns the whole server."""
        connection: asyncpg.Connection[asyncpg.Record] = await connect_as_superuser(self.urls)
        try:
            await connection.execute("set session_replication_role = replica")
            for statement in statements:
                assert await connection.execute(statement) not in {"UPDATE 0", "DELETE 0"}
        finally:
            await connection.close()


@asynccontextmanager
async def fresh_trail(postgres: Server) -> AsyncIterator[tuple[Trail, UUID]]:
    async with postgres.fresh_database() as urls:
        trail = Trail(urls)
        try:
            yield trail, await make_agency(trail.owner)
        finally:
            await trail.owner.close()
            await trail.worker.close()

"""A network whose two parties have their systems told, on a partner that this machine plays."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest_asyncio

from referralnet.clock import FixedClock
from referralnet.database.acting import AgencyKind, Member, Operator, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.jobs import send_webhooks
from referralnet.jobs.work import Work
from referralnet.partners.endpoints import EventKind, register
from referralnet.partners.posting import Posting
from tests.databases import DatabaseUrls
from tests.factories.partner import Partner, play_partner
from tests.factories.referrals import Network, Sent, make_member, make_network, present, run, send
from tests.factories.rows import connect_as_superuser
from tests.factories.work import make_work

EVERYTHING = tuple(EventKind)


@dataclass
class Told:
    """What tests do over and over: register, send, let the worker come by, look."""

    databases: dict[str, Database]
    keyring: Keyring
    network: Network
    source_admin: Member
    target_admin: Member
    partner: Partner
    clock: FixedClock
    work: Work
    connection: Any

    async def register(
        self, admin: Member | None = None, *, kinds: tuple[EventKind, ...] = EVERYTHING
    ) -> tuple[UUID, str]:
        actor = admin or self.target_admin
        return await run(
            self.databases["app"], actor, register, self.partner.url, kinds,
            private=True, keyring=self.keyring, now=present(),
        )  # fmt: skip

    async def send(self) -> Sent:
        return await send(self.databases["app"], self.network, self.keyring, now=present())

    async def act(self, actor: Member, act: Any, *arguments: Any, **more: Any) -> Any:
        return await run(self.databases["app"], actor, act, *arguments, now=present(), **more)

    async def worker_comes_by(self, later: timedelta = timedelta()) -> int:
        self.clock.advance(later)
        return await send_webhooks.run(self.work)

    async def look(self, query: str, *values: object) -> list[dict[str, Any]]:
        return [dict(row) for row in await self.connection.fetch(query, *values)]

    async def states(self, webhook_id: UUID) -> list[str]:
        rows = await self.look("select state from webhook_delivery where webhook_id = $1 order by due_at", webhook_id)
        return [row["state"] for row in rows]


async def admin_of(owner: Database, agency_id: UUID, kind: AgencyKind) -> Member:
    async with owner.transaction(Operator()) as session:
        return await make_member(session, agency_id, kind, frozenset({Role.AGENCY_ADMIN}))


@pytest_asyncio.fixture
async def told(
    database_urls: DatabaseUrls, owner: Database, app: Database, worker: Database, keyring: Keyring
) -> AsyncIterator[Told]:
    network = await make_network(owner)
    source, target = network.coordinator, network.intake
    # A little ahead of the rows, whose due time is the database's own.
    clock = FixedClock(present() + timedelta(minutes=1))
    work = replace(make_work(worker, keyring, clock), posting=Posting(private=True, timeout_seconds=2.0))
    connection = await connect_as_superuser(database_urls)
    async with play_partner() as partner:
        yield Told(
            {"owner": owner, "app": app, "worker": worker}, keyring, network,
            await admin_of(owner, source.agency_id, source.agency_kind),
            await admin_of(owner, target.agency_id, target.agency_kind), partner, clock, work, connection,
        )  # fmt: skip
    await connection.close()

"""What a resolver is given: who asks, and how to open the one transaction of the request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

import strawberry
from graphql import GraphQLError
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.api.wakes import Wakes
from referralnet.clock import Clock
from referralnet.database.acting import Member
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.identity.access import Permission, require
from referralnet.settings import Settings


@dataclass(frozen=True, slots=True)
class Resources:
    """What the surfaces work with; made by the composition root."""

    database: Database
    keyring: Keyring
    clock: Clock
    settings: Settings
    wakes: Wakes = field(default_factory=Wakes)


@dataclass(slots=True)
class RequestContext:
    """One request. All its query fields read in one transaction, in turn: a session serves one statement at a time."""

    resources: Resources
    actor: Member | None
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _session: AsyncSession | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def now(self) -> datetime:
        return self.resources.clock.now()

    def require_actor(self) -> Member:
        """Whoever signed in, or the UNAUTHENTICATED error."""
        if self.actor is None:
            raise GraphQLError("Sign in first.", extensions={"code": "UNAUTHENTICATED"})
        return self.actor

    @asynccontextmanager
    async def reading(self, permission: Permission) -> AsyncIterator[tuple[AsyncSession, Member]]:
        """The request's transaction, for one root field of a query.

        It commits after the last field and before the answer leaves: no audit row, no data (U1).
        """
        actor = self.require_actor()
        require(actor, permission)
        async with self._turn:
            if self._session is None:
                self._session = await self._stack.enter_async_context(self.resources.database.transaction(actor))
            yield self._session, actor

    async def finish(self, error: BaseException | None = None) -> None:
        """Commit what the queries read and recorded, or roll it back for `error`."""
        # A field that was cut off, because another was refused, may still be letting go of the session.
        async with self._turn:
            await self._stack.__aexit__(type(error) if error else None, error, error.__traceback__ if error else None)


Info = strawberry.Info[RequestContext, None]

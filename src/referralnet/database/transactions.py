"""The only place that opens and commits a transaction: one request, one job step, one transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import event, text
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session, SessionTransaction
from sqlalchemy.pool import NullPool

from referralnet.database.acting import Actor
from referralnet.database.connections import ActingConnection, hand_out_living_connections

_AS_EVER: Mapping[str, str] = {}


class _ActingSession(Session):
    """A session whose transactions all begin by saying who they act for."""


@event.listens_for(_ActingSession, "after_begin")
def _say_who_acts(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    if not transaction.nested:
        driver_connection = connection.connection.driver_connection
        assert isinstance(driver_connection, ActingConnection)
        driver_connection.acting = session.info["acting"]


@event.listens_for(_ActingSession, "after_transaction_end")
def _let_go_of_the_connection(session: Session, transaction: SessionTransaction) -> None:
    # It is somebody else's from here on: no statement may find it again by this session (direct.py).
    if transaction.parent is None:
        session.info.pop("driver_connection", None)


class Database:
    """One database role's way in."""

    def __init__(
        self,
        url: str,
        *,
        connections_max: int = 8,
        command_timeout_seconds: float = 30.0,
        idle_seconds_max: int | None = None,
        pooled: bool = True,
    ) -> None:
        """
        Args:
            url: an SQLAlchemy URL for asyncpg, naming the database role.
            connections_max: connections kept at most.
            command_timeout_seconds: without it a network partition hangs a statement for longer than any caller waits.
            idle_seconds_max: the server ends a transaction in which nothing was said for so long. Without it whoever a
                partition has cut off keeps what it had locked for hours.
            pooled: False for a short command that should leave no connection behind.
        """
        # The last one given back is given out first: few connections serve, and those know their plans.
        kept = {"pool_size": connections_max, "max_overflow": 0, "pool_use_lifo": True}
        pool: dict[str, Any] = kept if pooled else {"poolclass": NullPool}
        connecting: dict[str, Any] = {
            "command_timeout": command_timeout_seconds,
            "timeout": 10,
            "connection_class": ActingConnection,
        }
        if idle_seconds_max is not None:
            connecting["server_settings"] = {"idle_in_transaction_session_timeout": f"{idle_seconds_max}s"}
        self.engine: AsyncEngine = create_async_engine(url, connect_args=connecting, hide_parameters=True, **pool)
        hand_out_living_connections(self.engine)
        self._alone = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def transaction(self, actor: Actor, *, planned: Mapping[str, str] = _AS_EVER) -> AsyncIterator[AsyncSession]:
        """Open a transaction acting for `actor`; commit at the end, roll back on any exception.

        Args:
            planned: settings of PostgreSQL's planner that hold to the end of it.
        """
        session = AsyncSession(
            self.engine,
            sync_session_class=_ActingSession,
            expire_on_commit=False,
            info={"acting": {**actor.database_settings(), **planned}},
        )
        async with session, session.begin():
            yield session

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[AsyncConnection]:
        """For a statement of nobody's that is a transaction by itself: no message begins or ends it."""
        async with self._alone.connect() as connection:
            yield connection

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


async def act_as_member(session: AsyncSession, member_id: UUID) -> None:
    """From here to its end this transaction acts for a member: for sign-in alone, which begins as nobody."""
    await session.execute(text("select set_config('referralnet.member', :member, true)"), {"member": str(member_id)})

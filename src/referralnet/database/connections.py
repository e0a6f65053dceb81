"""What a connection to PostgreSQL saves on the way there: fewer messages, for the same that is said."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import asyncpg
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine

_TRUSTED_SECONDS = 1.0
"""A connection that served so recently is not asked whether it still does: asking takes three messages."""


class ActingConnection(asyncpg.Connection):
    """Begins a transaction and says who it acts for in one message.

    `acting` holds the settings of the next transaction that begins. It is used up by it: a transaction of which nobody
    said who acts has no actor, and sees no row.
    """

    acting: Mapping[str, str] = {}

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """As asyncpg's, which sends a script without arguments as one message."""
        if query.startswith("BEGIN") and self.acting:
            acting, self.acting = self.acting, {}
            calls = ", ".join(
                f"set_config({_literal(name)}, {_literal(value)}, true)" for name, value in acting.items()
            )
            query = f"{query} select {calls}"
        return await super().execute(query, *args, timeout=timeout)


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def hand_out_living_connections(engine: AsyncEngine) -> None:
    """See to it that the pool gives nobody a connection whose server has gone, nor one that still acts for somebody."""
    pool, dialect = engine.sync_engine.pool, engine.sync_engine.dialect

    @event.listens_for(pool, "checkout")
    def _refuse_dead(connection: Any, record: Any, _proxy: Any) -> None:
        # A server that stops or restarts says so, and asyncpg has heard it.
        if record.driver_connection.is_closed():
            raise DisconnectionError
        if time.monotonic() - record.info.get("served_at", time.monotonic()) > _TRUSTED_SECONDS:
            try:
                dialect.do_ping(connection)
            except dialect.loaded_dbapi.Error:
                raise DisconnectionError from None

    @event.listens_for(pool, "checkin")
    def _note_when(connection: Any, record: Any) -> None:
        record.info["served_at"] = time.monotonic()
        if connection is not None:
            record.driver_connection.acting = {}

"""Statements by the driver itself, for the few that run for every text: in PostgreSQL's own words, $1 and all.

SQLAlchemy takes several times longer over such a statement than the server does. They are part of the session's
transaction like any other; what the session has not flushed yet they do not see.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession


async def fetch_one(session: AsyncSession, statement: str, *values: Any) -> asyncpg.Record | None:
    """The first row, or None where there is none."""
    connection = session.info.get("driver_connection") or await _begin(session)
    return await connection.fetchrow(statement, *values)


async def fetch_all(session: AsyncSession, statement: str, *values: Any) -> list[asyncpg.Record]:
    """All rows."""
    connection = session.info.get("driver_connection") or await _begin(session)
    return await connection.fetch(statement, *values)


@asynccontextmanager
async def savepoint(session: AsyncSession) -> AsyncIterator[None]:
    """What a statement by the driver has broken within is taken back to here, and the transaction goes on."""
    connection = session.info.get("driver_connection") or await _begin(session)
    async with connection.transaction():
        yield


async def _begin(session: AsyncSession) -> asyncpg.Connection[asyncpg.Record]:
    """The driver's connection, in the session's transaction."""
    raw = await (await session.connection()).get_raw_connection()
    adapted: Any = raw.dbapi_connection
    # SQLAlchemy begins with its own first statement, which there may be none of. Beginning says who acts.
    if adapted._transaction is None:  # noqa: SLF001 (there is no public way)
        await adapted._start_transaction()  # noqa: SLF001
    session.info["driver_connection"] = adapted.driver_connection
    return adapted.driver_connection  # type: ignore[no-any-return]

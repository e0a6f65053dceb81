"""Statements by the driver itself, for the few that run for every request or every text.

SQLAlchemy takes several times longer over such a statement than the server does. They are part of the session's
transaction like any other. `Direct` is a statement of SQLAlchemy's, put together once; the functions take PostgreSQL's
own words, $1 and all, and do not see what the session has not flushed yet.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg
from sqlalchemy import ClauseElement
from sqlalchemy.dialects.postgresql import asyncpg as of_asyncpg
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

_DIALECT = of_asyncpg.dialect()  # type: ignore[no-untyped-call]


class Direct:
    """A statement put together by SQLAlchemy and sent by the driver. Its rows hold plain values, by position and name.

    What waits in the session is flushed before it, as before any other statement.
    """

    def __init__(self, statement: ClauseElement) -> None:
        compiled: Any = statement.compile(dialect=_DIALECT)
        self._sql = str(compiled)
        if "POSTCOMPILE" in self._sql:
            raise TypeError("A list of any length needs a statement of its own: give an array.")
        self._names = tuple(compiled.positiontup or ())
        # Values written in the statement itself; a parameter has none.
        self._written = {name: value for name, value in compiled.params.items() if value is not None}
        self._processors = {}
        for name, bound in compiled.binds.items():
            process = bound.type.dialect_impl(_DIALECT).bind_processor(_DIALECT)
            if process is not None:
                self._processors[name] = process

    async def all(self, session: AsyncSession, **given: Any) -> list[asyncpg.Record]:
        """All rows.

        Raises:
            KeyError: a parameter is not given.
            sqlalchemy.exc.DBAPIError: the database refuses; an IntegrityError where a constraint does.
        """
        connection, values = await _flushed(session), self._values(given)
        with _told_as_sqlalchemy_does():
            return await connection.fetch(self._sql, *values)

    async def first(self, session: AsyncSession, **given: Any) -> asyncpg.Record | None:
        """The first row, or None where there is none. Raises as `all`."""
        connection, values = await _flushed(session), self._values(given)
        with _told_as_sqlalchemy_does():
            return await connection.fetchrow(self._sql, *values)

    async def first_alone(self, connection: AsyncConnection, **given: Any) -> asyncpg.Record | None:
        """The same, of a statement that is a transaction by itself (`Database.alone`)."""
        driver: Any = (await connection.get_raw_connection()).driver_connection
        with _told_as_sqlalchemy_does():
            found: asyncpg.Record | None = await driver.fetchrow(self._sql, *self._values(given))
        return found

    def _values(self, given: dict[str, Any]) -> list[Any]:
        written = self._written
        values = [given[name] if name in given else written[name] for name in self._names]
        if self._processors:
            for at, name in enumerate(self._names):
                if name in self._processors:
                    values[at] = self._processors[name](values[at])
        return values


@contextmanager
def _told_as_sqlalchemy_does() -> Iterator[None]:
    """Whoever catches an error of a statement need not know by which way it went."""
    try:
        yield
    except asyncpg.PostgresError as error:
        broken = isinstance(error, asyncpg.IntegrityConstraintViolationError)
        raise (IntegrityError if broken else DBAPIError)(None, None, error) from error


async def _flushed(session: AsyncSession) -> asyncpg.Connection[asyncpg.Record]:
    if session.new or session.dirty or session.deleted:
        await session.flush()
    return session.info.get("driver_connection") or await _begin(session)


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

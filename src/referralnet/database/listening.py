"""The wake-up: a connection that listens on a channel, and comes back by itself when the database does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from referralnet.database.transactions import Database

_RECONNECT_SECONDS = 1.0
# A connection that a partition has cut says nothing: ask it now and then.
_CHECK_SECONDS = 5.0
_log = structlog.get_logger("referralnet.database")


def _nothing() -> None:
    pass


async def listen(
    url: str, channel: str, heard: Callable[[str], None], *, connected: Callable[[], None] = _nothing
) -> None:
    """Call `heard` with what each notification of a channel says, until cancelled.

    Nothing depends on it but speed: what was missed while the connection was away is to be looked for when `connected`
    is called, which it is each time that listening has begun.
    """
    while True:
        # A connection of its own, outside the pool, because it is never given back.
        database = Database(url, pooled=False, command_timeout_seconds=_CHECK_SECONDS)
        try:
            await _listen_once(database, channel, heard, connected)
        except (OSError, SQLAlchemyError, TimeoutError) as error:
            _log.warning("listening_interrupted", error=type(error).__name__)
        finally:
            await database.close()
        await asyncio.sleep(_RECONNECT_SECONDS)


async def _listen_once(
    database: Database, channel: str, heard: Callable[[str], None], connected: Callable[[], None]
) -> None:
    async with database.engine.connect() as connection:
        raw: Any = (await connection.get_raw_connection()).driver_connection
        gone = asyncio.Event()
        raw.add_termination_listener(lambda _connection: gone.set())
        await raw.add_listener(channel, lambda _connection, _process, _channel, said: heard(said))
        connected()
        while not gone.is_set():
            try:
                async with asyncio.timeout(_CHECK_SECONDS):
                    await gone.wait()
            except TimeoutError:
                await raw.execute("select 1")

"""The wake-up: a connection that listens for new rows, and comes back by itself when the database does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from referralnet.database.transactions import Database

CHANNEL = "referralnet_work"
_RECONNECT_SECONDS = 1.0
# A connection that a partition has cut says nothing: ask it now and then.
_CHECK_SECONDS = 5.0
_log = structlog.get_logger("referralnet.jobs")


async def listen(url: str, wake: Callable[[str], None]) -> None:
    """Call `wake` with the table's name for each batch of new rows, until cancelled.

    Nothing depends on it but speed: what a lost notification missed, the next tick finds.
    """
    while True:
        # A connection of its own, outside the pool, because it is never given back.
        database = Database(url, pooled=False, command_timeout_seconds=_CHECK_SECONDS)
        try:
            await _listen_once(database, wake)
        except (OSError, SQLAlchemyError, TimeoutError) as error:
            _log.warning("listening_interrupted", error=type(error).__name__)
        finally:
            await database.close()
        await asyncio.sleep(_RECONNECT_SECONDS)


async def _listen_once(database: Database, wake: Callable[[str], None]) -> None:
    async with database.engine.connect() as connection:
        raw: Any = (await connection.get_raw_connection()).driver_connection
        gone = asyncio.Event()
        raw.add_termination_listener(lambda _connection: gone.set())
        await raw.add_listener(CHANNEL, lambda _connection, _process, _channel, table: wake(table))
        while not gone.is_set():
            try:
                async with asyncio.timeout(_CHECK_SECONDS):
                    await gone.wait()
            except TimeoutError:
                await raw.execute("select 1")

"""Bring a database up to the newest migration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, event, text
from sqlalchemy.engine.interfaces import DBAPICursor, ExecutionContext
from sqlalchemy.util import await_only

from referralnet.database.acting import Operator
from referralnet.database.transactions import Database

_MIGRATIONS = Path(__file__).with_name("migrations")
# A script that rewrites a large directory takes minutes; one that waits for a lock makes everybody wait behind it.
_STATEMENT_SECONDS_MAX = 3600
_LOCK_SECONDS_MAX = 20


async def migrate(owner_url: str) -> None:
    """Run every migration that the database lacks, in one transaction, as the owner role.

    Raises:
        asyncpg.PostgresError: a script failed or waited too long for a lock; nothing has changed.
        sqlalchemy.exc.DBAPIError: the same, of a single statement.
    """
    database = Database(owner_url, pooled=False, command_timeout_seconds=_STATEMENT_SECONDS_MAX)
    event.listen(database.engine.sync_engine, "do_execute", _run_scripts_whole)
    try:
        async with database.transaction(Operator()) as session:
            connection = await session.connection()
            # Two processes that start together must not migrate together.
            await connection.execute(text("select pg_advisory_xact_lock(hashtext('referralnet migrations'))"))
            await connection.execute(text(f"set local lock_timeout = '{_LOCK_SECONDS_MAX}s'"))
            await connection.run_sync(_upgrade)
    finally:
        await database.close()


def _run_scripts_whole(_cursor: DBAPICursor, statement: str, parameters: Any, context: ExecutionContext) -> bool:
    """Send a script of several statements as it is: asyncpg prepares statements, and prepares only one at a time."""
    if parameters or ";" not in statement.strip().rstrip(";"):
        return False
    await_only(context.root_connection.connection.driver_connection.execute(statement))  # type: ignore[union-attr]
    return True


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")

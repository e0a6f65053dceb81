"""Bring a database up to the newest migration."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from referralnet.database.acting import Operator
from referralnet.database.transactions import Database

_MIGRATIONS = Path(__file__).with_name("migrations")


async def migrate(owner_url: str) -> None:
    """Run every migration that the database lacks, in one transaction, as the owner role.

    Raises:
        sqlalchemy.exc.DBAPIError: a statement failed or waited too long for a lock; nothing has changed.
    """
    database = Database(owner_url, pooled=False)
    try:
        async with database.transaction(Operator()) as session:
            connection = await session.connection()
            # Two processes that start together must not migrate together.
            await connection.execute(text("select pg_advisory_xact_lock(hashtext('referralnet migrations'))"))
            await connection.run_sync(_upgrade)
    finally:
        await database.close()


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")

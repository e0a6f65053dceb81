"""Migrations wait for a lock no longer than users can, and leave everything as it was when they give up."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referralnet.database import migrating
from referralnet.database.acting import Operator
from referralnet.database.transactions import Database
from tests.databases import DatabaseUrls


async def version(owner: Database) -> str:
    async with owner.transaction(Operator()) as session:
        return str(await session.scalar(text("select version_num from alembic_version")))


async def test_a_migration_that_waits_too_long_for_a_lock_gives_up_and_changes_nothing(
    database_urls: DatabaseUrls, owner: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest = await version(owner)
    async with owner.transaction(Operator()) as session:
        await session.execute(text("update alembic_version set version_num = '0012'"))
    monkeypatch.setattr(migrating, "_LOCK_SECONDS_MAX", 1)
    # 0013 changes this function's rights first; its policies come after, and wait for whoever reads the table.
    async with owner.transaction(Operator()) as session:
        await session.execute(text("lock table idempotency_key in access share mode"))
        with pytest.raises(DBAPIError, match="lock timeout"):
            await migrating.migrate(database_urls.owner)
    assert await version(owner) == "0012"
    assert newest > "0012"

"""The models of the directory and the migrated database are the same."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

import referralnet.identity.tables  # noqa: F401 (the agency table that ours refer to)
from referralnet.database.tables import Base
from referralnet.database.transactions import Database
from referralnet.directory import tables

OURS = {
    mapper.local_table.name  # type: ignore[attr-defined]
    for mapper in Base.registry.mappers
    if mapper.class_.__module__ == tables.__name__
}


def difference(connection: Connection) -> list[object]:
    options = {
        "compare_type": True,
        "include_name": lambda name, kind, _parents: kind != "table" or name in OURS,
        "include_object": lambda _item, name, kind, _reflected, _other: kind != "table" or name in OURS,
    }
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata))


async def test_the_models_are_what_the_migration_made(owner: Database) -> None:
    async with owner.engine.connect() as connection:
        assert await connection.run_sync(difference) == []
    assert len(OURS) == 26


async def test_a_column_the_migration_does_not_have_would_be_seen(owner: Database) -> None:
    async with owner.engine.connect() as connection:
        await connection.execute(text("alter table organization drop column tax_id cascade"))
        assert await connection.run_sync(difference) != []
        await connection.rollback()

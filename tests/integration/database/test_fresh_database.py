"""The databases that tests get are the migrations' own, and their roles are as weak as in production."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from referralnet.database.acting import Nobody
from referralnet.database.transactions import Database


@pytest.fixture(scope="module")
def databases(owner: Database, app: Database, worker: Database) -> dict[str, Database]:
    return {"owner": owner, "app": app, "worker": worker}


@pytest.mark.parametrize("role", ["owner", "app", "worker"])
async def test_no_role_is_superuser_or_bypasses_row_security(databases: dict[str, Database], role: str) -> None:
    async with databases[role].transaction(Nobody()) as session:
        row = await session.execute(
            text("select rolname, rolsuper, rolbypassrls from pg_roles where rolname = current_user")
        )
    assert tuple(row.one()) == (f"referralnet_{role}", False, False)


@pytest.mark.rule("A2")
@pytest.mark.parametrize("role", ["app", "worker"])
async def test_the_serving_roles_own_nothing(databases: dict[str, Database], role: str) -> None:
    async with databases[role].transaction(Nobody()) as session:
        owned = await session.execute(text("select count(*) from pg_class where relowner = current_user::regrole"))
    assert owned.scalar_one() == 0


async def test_the_database_is_built_by_the_migrations(owner: Database) -> None:
    async with owner.transaction(Nobody()) as session:
        revision = await session.execute(text("select version_num from alembic_version"))
    assert revision.scalar_one()

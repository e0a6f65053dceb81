"""A network that counts no beds, shared by the tests of a module, and a look past row security."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy.engine import make_url

from referralnet.database.transactions import Database
from tests.databases import DatabaseUrls
from tests.factories.referrals import Look, Network, Tasks, make_network


@pytest_asyncio.fixture(scope="module")
async def network(owner: Database) -> Network:
    return await make_network(owner)


@pytest.fixture
def databases(owner: Database, app: Database, worker: Database) -> dict[str, Database]:
    """All three roles, for a test that goes from one to the other."""
    return {"owner": owner, "app": app, "worker": worker}


@pytest_asyncio.fixture
async def look(database_urls: DatabaseUrls) -> AsyncIterator[Look]:
    """Ask the database as its superuser: for looking at what came out, never for what is tested."""
    url = make_url(database_urls.owner)
    connection = await asyncpg.connect(host=str(url.query["host"]), user="postgres", database=url.database, timeout=30)

    async def ask(query: str, *values: object) -> list[dict[str, Any]]:
        return [dict(row) for row in await connection.fetch(query, *values)]

    yield ask
    await connection.close()


@pytest.fixture
def open_tasks(look: Look) -> Tasks:
    """The open tasks about a referral, as (agency, kind)."""

    async def ask(referral_id: object) -> set[tuple[Any, str]]:
        rows = await look("select agency_id, kind from task where subject_id = $1 and done_at is null", referral_id)
        return {(row["agency_id"], row["kind"]) for row in rows}

    return ask

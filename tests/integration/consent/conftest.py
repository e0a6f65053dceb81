"""Three agencies and a disclosure between two of them; and a superuser, to arrange and to look."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest_asyncio

from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from tests.databases import DatabaseUrls
from tests.factories.consent import Case, Stage, make_case, make_partners
from tests.factories.survivors import connect_as_superuser


@pytest_asyncio.fixture(scope="module")
async def superuser(database_urls: DatabaseUrls) -> AsyncIterator[asyncpg.Connection]:
    connection = await connect_as_superuser(database_urls)
    yield connection
    await connection.close()


@pytest_asyncio.fixture(scope="module")
async def stage(owner: Database, app: Database, superuser: asyncpg.Connection, keyring: Keyring) -> Stage:
    return Stage(app, superuser, keyring, await make_partners(owner, keyring))


@pytest_asyncio.fixture(scope="module")
async def case(stage: Stage) -> Case:
    """An accepted referral under a live release, for tests that change nothing of it."""
    return await make_case(stage)

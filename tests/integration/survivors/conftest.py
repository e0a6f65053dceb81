"""A superuser's eye, for what row security hides from every role of ReferralNet."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest_asyncio

from tests.databases import DatabaseUrls
from tests.factories.survivors import connect_as_superuser


@pytest_asyncio.fixture(scope="module")
async def superuser(database_urls: DatabaseUrls) -> AsyncIterator[asyncpg.Connection]:
    connection = await connect_as_superuser(database_urls)
    yield connection
    await connection.close()

"""Two agencies that keep survivors, and a superuser, to look at what row security hides from every role."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from tests.databases import DatabaseUrls
from tests.factories.survivors import Houses, connect_as_superuser, make_custody, make_taxonomy_term


@pytest_asyncio.fixture(scope="module")
async def houses(
    owner: Database, app: Database, database_urls: DatabaseUrls, keyring: Keyring
) -> AsyncIterator[Houses]:
    await make_taxonomy_term(owner)
    superuser = await connect_as_superuser(database_urls)
    yield Houses(app, superuser, keyring, await make_custody(owner, keyring), await make_custody(owner, keyring))
    await superuser.close()

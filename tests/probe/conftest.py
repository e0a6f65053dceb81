"""A world for the whole module, and copies of it to plant holes in."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from referralnet.encryption.held_keyring import HeldKeyring
from tests.databases import DatabaseUrls
from tests.factories.rows import connect_as_superuser
from tests.probe.probing import Probed
from tests.probe.world import make_world


@pytest_asyncio.fixture(scope="module")
async def probed(database_urls: DatabaseUrls, keyring: HeldKeyring) -> AsyncIterator[Probed]:
    """A network in which a referral stands in every way there is."""
    superuser = await connect_as_superuser(database_urls)
    try:
        world = await make_world(superuser, keyring, seed=4)
    finally:
        await superuser.close()
    yield Probed(database_urls, world, keyring)

"""The module's database with the example directory in it, a shelter's agency, and a member of another one."""

from __future__ import annotations

import pytest_asyncio

from referralnet.database.acting import Member
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from tests.factories.directory import Keeper, import_example, make_keeper, make_stranger


@pytest_asyncio.fixture(scope="module")
async def keeper(owner: Database, keyring: Keyring) -> Keeper:
    """The agency behind Lantern House, whose shelter is confidential."""
    await import_example(owner)
    return await make_keeper(owner, keyring, "Lantern House")


@pytest_asyncio.fixture(scope="module")
async def stranger(owner: Database, keyring: Keyring, keeper: Keeper) -> Member:
    """A coordinator of another agency."""
    return await make_stranger(owner, keyring)

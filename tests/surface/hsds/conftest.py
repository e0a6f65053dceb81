"""The public endpoints over the example directory and a shelter full of canaries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio

from referralnet.database.transactions import Database
from tests.factories.directory import import_example, import_folder
from tests.factories.hsds import serve_hsds, write_canaries


@pytest.fixture(scope="module")
def canary_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_canaries(tmp_path_factory.mktemp("packages") / "canaries")


@pytest_asyncio.fixture(scope="module")
async def http(owner: Database, app: Database, canary_folder: Path) -> AsyncIterator[httpx2.AsyncClient]:
    await import_example(owner)
    await import_folder(owner, canary_folder)
    async with serve_hsds(app) as client:
        yield client

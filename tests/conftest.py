"""What every test may ask for: a database of the module's own, a clock that stands still, a keyring."""

from __future__ import annotations

import asyncio
import os
import traceback
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from referralnet.clock import FixedClock
from referralnet.database.transactions import Database
from referralnet.encryption.held_keyring import HeldKeyring
from referralnet.identity import hourly_caps
from scripts.npm import packages_are_there
from tests.databases import DatabaseUrls, Server, TestRunServer
from tests.factories.rows import connect_as_superuser

_SERVER = pytest.StashKey[TestRunServer]()
_SOCKETS = pytest.StashKey[str]()
_TEMPLATE_FAILURE = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """With xdist, start the one server that all workers share, before there are workers."""
    worker_input: dict[str, Any] | None = getattr(config, "workerinput", None)
    if worker_input is not None:
        config.stash[_SOCKETS] = worker_input["sockets"]
        config.stash[_TEMPLATE_FAILURE] = worker_input["template_failure"]
    elif config.getoption("numprocesses", None) and not config.option.collectonly:
        server = _start(config)
        config.stash[_TEMPLATE_FAILURE] = ""
        try:
            asyncio.run(server.build_template())
        except Exception:  # noqa: BLE001 (whatever a migration raises fails the tests of the database, and those alone)
            config.stash[_TEMPLATE_FAILURE] = traceback.format_exc()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["sockets"] = node.config.stash[_SOCKETS]
    node.workerinput["template_failure"] = node.config.stash[_TEMPLATE_FAILURE]


def pytest_unconfigure(config: pytest.Config) -> None:
    if _SERVER in config.stash:
        config.stash[_SERVER].stop()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs npm packages where ./test could not bring them, with its reason."""
    if packages_are_there():
        return
    reason = os.environ.get("REFERRALNET_TEST_NODE_MISSING") or "the npm packages are not there: ./test brings them"
    for item in items:
        if item.get_closest_marker("node"):
            item.add_marker(pytest.mark.skip(reason=reason))


def _start(config: pytest.Config) -> Server:
    config.stash[_SERVER] = TestRunServer()
    server = config.stash[_SERVER].start()
    config.stash[_SOCKETS] = server.sockets
    return server


@pytest_asyncio.fixture(scope="session")
async def postgres(pytestconfig: pytest.Config) -> Server:
    """The test run's server, with its migrated template."""
    if _SOCKETS not in pytestconfig.stash:
        server = _start(pytestconfig)
        await server.build_template()
        return server
    if pytestconfig.stash[_TEMPLATE_FAILURE]:
        pytest.fail(f"the migrations failed:\n{pytestconfig.stash[_TEMPLATE_FAILURE]}", pytrace=False)
    return Server(pytestconfig.stash[_SOCKETS])


@pytest_asyncio.fixture(scope="module")
async def database_urls(postgres: Server) -> AsyncIterator[DatabaseUrls]:
    """A fresh database for this module."""
    async with postgres.fresh_database() as urls:
        yield urls


@pytest_asyncio.fixture(scope="module")
async def owner(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    """The module's database as the role that owns the tables."""
    database = Database(database_urls.owner)
    yield database
    await database.close()


@pytest_asyncio.fixture(scope="module")
async def app(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    """The module's database as the API's role."""
    database = Database(database_urls.app)
    yield database
    await database.close()


@pytest_asyncio.fixture(scope="module")
async def worker(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    """The module's database as the worker's role."""
    database = Database(database_urls.worker)
    yield database
    await database.close()


@pytest_asyncio.fixture(scope="module")
async def uncapped(database_urls: DatabaseUrls) -> AsyncIterator[None]:
    """For a module that opens identity more often than an hour allows (A5): its caps are lifted, here and there."""
    connection = await connect_as_superuser(database_urls)
    await connection.execute("alter table audit_event disable trigger cap_reveals")
    await connection.close()
    with pytest.MonkeyPatch.context() as patch:
        for action in hourly_caps.PER_HOUR_MAX:
            patch.setitem(hourly_caps.PER_HOUR_MAX, action, 1_000_000)
        yield


@pytest.fixture
def clock() -> FixedClock:
    """Monday 2 March 2026, 09:00 in Chicago."""
    return FixedClock(datetime(2026, 3, 2, 15, 0, tzinfo=UTC))


@pytest.fixture(scope="session")
def keyring() -> HeldKeyring:
    """Random keys, never written down."""
    return HeldKeyring.generate()

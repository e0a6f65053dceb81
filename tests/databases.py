"""One private server for the whole test run, and fresh databases cloned from one that the migrations built."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncpg

from referralnet.database.embedded import EmbeddedPostgres
from referralnet.database.migrating import migrate

TEMPLATE = "referralnet_template"


@dataclass(frozen=True)
class DatabaseUrls:
    """One database, as each of its three roles (SQLAlchemy URLs for asyncpg)."""

    owner: str
    app: str
    worker: str


@dataclass(frozen=True)
class Server:
    """A running server, known by the folder of its socket: all that a worker process of xdist needs."""

    sockets: str

    def url(self, role: str, database: str) -> str:
        return f"postgresql+asyncpg://{role}@/{database}?host={self.sockets}"

    def urls(self, database: str) -> DatabaseUrls:
        return DatabaseUrls(*(self.url(f"referralnet_{role}", database) for role in ("owner", "app", "worker")))

    async def administer(self, *statements: str) -> None:
        """Run statements as the superuser, each by itself (databases are not made in transactions)."""
        connection = await asyncpg.connect(host=self.sockets, user="postgres", database="postgres", timeout=30)
        try:
            for statement in statements:
                await connection.execute(statement, timeout=60)
        finally:
            await connection.close()

    async def build_template(self) -> None:
        """Build the database that all others are copied from, by the migrations, once per test run."""
        await self.administer(f"create database {TEMPLATE} owner referralnet_owner template template0")
        await migrate(self.urls(TEMPLATE).owner)

    @asynccontextmanager
    async def fresh_database(self, *, template: str = TEMPLATE) -> AsyncIterator[DatabaseUrls]:
        """A database of its own, migrated and empty or a copy of `template`; gone afterwards, connections or not."""
        name = f"test_{uuid4().hex}"
        await self.administer(f"create database {name} owner referralnet_owner template {template}")
        try:
            yield self.urls(name)
        finally:
            await self.administer(f"drop database {name} with (force)")


class TestRunServer:
    """The server of one test run, started by the process that people started (not by xdist's workers)."""

    __test__ = False

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="referralnet-tests-"))
        self._folder.chmod(0o711)  # where we are root, the server runs as nobody
        self._postgres = EmbeddedPostgres(self._folder / "pg", durable=False)

    def start(self) -> Server:
        self._postgres.start()
        return Server(str(self._postgres.sockets))

    def stop(self) -> None:
        self._postgres.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

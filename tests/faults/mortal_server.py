"""A database server to be killed: it dies at once when told to, and comes up again on the same data."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from referralnet.database.embedded import EmbeddedPostgres
from tests.databases import Server


class MortalServer:
    """A durable PostgreSQL in a process of its own, because starting one waits, and a test's loop may not."""

    def __init__(self, process: asyncio.subprocess.Process, sockets: str) -> None:
        self._process = process
        self.server = Server(sockets)

    async def kill_and_restart(self) -> None:
        """Every one of its processes ends at once, in the middle of whatever it does (`pg_ctl -m immediate`)."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        await self._process.stdin.drain()
        assert await _line(self._process) == self.server.sockets, "programs look for it where it was"


@asynccontextmanager
async def mortal_server() -> AsyncIterator[MortalServer]:
    """A server of the test's own, with an empty migrated database as the template of others."""
    folder = Path(tempfile.mkdtemp(prefix="referralnet-mortal-"))
    folder.chmod(0o711)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.faults.mortal_server", str(folder), cwd=Path(__file__).parents[2],
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        mortal = MortalServer(process, await _line(process))
        await mortal.server.build_template()
        yield mortal
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
        shutil.rmtree(folder, ignore_errors=True)


async def _line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    line = await process.stdout.readline()
    assert line, "the server did not start"
    return line.decode().strip()


def main(folder: Path) -> None:
    server = EmbeddedPostgres(folder / "pg")
    server.start()
    _tell(server)
    for _ in sys.stdin:
        os.kill(server.process_id, signal.SIGQUIT)
        server.stop()
        server.start()
        _tell(server)
    server.stop()


def _tell(server: EmbeddedPostgres) -> None:
    sys.stdout.write(f"{server.sockets}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))

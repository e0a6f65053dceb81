"""A partition between a program and its database: what is said goes nowhere, and nothing is closed."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

_SOCKET = ".s.PGSQL.5432"


class SilentProxy:
    """Stands between a program and the server's socket; `sockets` is the folder that the program is given."""

    def __init__(self, server_sockets: str, sockets: Path) -> None:
        self.sockets = str(sockets)
        self._server = Path(server_sockets) / _SOCKET
        self._speaks = asyncio.Event()
        self._speaks.set()
        self._pumps: set[asyncio.Task[None]] = set()

    def fall_silent(self) -> None:
        """From now on nothing passes, in either direction."""
        self._speaks.clear()

    def heal(self) -> None:
        """What was said meanwhile arrives."""
        self._speaks.set()

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(self._server)
        for source, sink in ((reader, to_server), (from_server, writer)):
            pump = asyncio.create_task(self._pump(source, sink))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while said := await source.read(65536):
                await self._speaks.wait()
                sink.write(said)
                await sink.drain()
            await self._speaks.wait()
        except ConnectionError:
            pass
        finally:
            sink.close()

    async def close(self) -> None:
        for pump in tuple(self._pumps):
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)


@asynccontextmanager
async def silent_proxy(server_sockets: str) -> AsyncIterator[SilentProxy]:
    """A proxy to a server's socket, for as long as the block runs."""
    folder = Path(tempfile.mkdtemp(prefix="referralnet-proxy-"))
    proxy = SilentProxy(server_sockets, folder)
    server = await asyncio.start_unix_server(proxy.connect, folder / _SOCKET)
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
        shutil.rmtree(folder, ignore_errors=True)

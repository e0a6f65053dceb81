"""The whole application behind a real server, and a client of its subscriptions."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from referralnet.api.context import Resources
from referralnet.app import build_app

PROTOCOL = Subprotocol("graphql-transport-ws")
PATIENCE_SECONDS = 60.0
REFERRALS = "subscription($ids: [UUID!], $after: String) { referralChanged(referralIds: $ids, after: $after)"
REFERRALS += " { cursor changes { id referralId event status } } }"
WORKLIST = "subscription($after: String) { worklistChanged(after: $after)"
WORKLIST += " { cursor changes { id taskId kind done assigneeId } } }"


class _Server(uvicorn.Server):
    """Says when it serves, and leaves the signals to the tests."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serving = asyncio.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.serving.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass(frozen=True)
class Served:
    """A running server."""

    url: str
    server: _Server
    running: asyncio.Task[None]

    async def stop(self) -> None:
        """As a signal would."""
        self.server.should_exit = True
        await self.running


@contextlib.asynccontextmanager
async def serving(resources: Resources) -> AsyncIterator[Served]:
    """The application over `resources`, whose database it closes at its end."""
    config = uvicorn.Config("", port=0, log_config=None, access_log=False, ws_max_size=64 * 1024)
    listening = config.bind_socket()
    address = f"127.0.0.1:{listening.getsockname()[1]}"
    settings = resources.settings.model_copy(update={"public_base_url": f"http://{address}"})
    config.app = build_app(replace(resources, settings=settings))
    server = _Server(config)
    running = asyncio.create_task(server.serve([listening]))
    served = Served(f"ws://{address}/graphql", server, running)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await server.serving.wait()
        yield served
    finally:
        await served.stop()
        listening.close()


class Listener:
    """One socket of a client."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def say(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def hear(self) -> dict[str, Any]:
        """The next message."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            heard: dict[str, Any] = json.loads(await self.socket.recv())
        return heard

    async def subscribe(self, query: str, *, name: str = "1", **variables: Any) -> str:
        """Subscribe, and wait until it has begun: its first cursor."""
        await self.say(id=name, type="subscribe", payload={"query": query, "variables": variables})
        told = await self.told()
        assert told["changes"] == []
        return str(told["cursor"])

    async def told(self) -> Any:
        """What the next message tells."""
        message = await self.hear()
        assert message["type"] == "next", message
        (told,) = message["payload"]["data"].values()
        return told

    async def closed(self) -> int:
        """With which code the server closes, having said nothing more."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            with pytest.raises(ConnectionClosed) as closed:
                pytest.fail(f"it says {await self.socket.recv()!r}")
        assert closed.value.rcvd is not None
        return int(closed.value.rcvd.code)


@contextlib.asynccontextmanager
async def opened(url: str, **more: Any) -> AsyncIterator[Listener]:
    """A socket that has said nothing yet."""
    async with connect(url, subprotocols=[PROTOCOL], **more) as socket:
        yield Listener(socket)


@contextlib.asynccontextmanager
async def listening(url: str, token: str) -> AsyncIterator[Listener]:
    """A socket that speaks for whoever has the token."""
    async with opened(url) as listener:
        await listener.say(type="connection_init", payload={"authorization": f"Bearer {token}"})
        assert await listener.hear() == {"type": "connection_ack"}
        yield listener

"""Our webhooks on a real server, for carriers that call them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.applications import Starlette

from referralnet.clock import FixedClock
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.messaging.carriers import Webhooks
from referralnet.messaging.carriers.recording import RecordingWebhooks
from referralnet.messaging.carriers.twilio import TwilioWebhooks
from referralnet.webhooks.carriers import routes
from tests.emulated_twilio import AUTH_TOKEN


@pytest.fixture
async def our_address(app: Database, keyring: Keyring, clock: FixedClock) -> AsyncIterator[str]:
    """Our webhooks on a real server."""
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    carriers: list[Webhooks] = [TwilioWebhooks(AUTH_TOKEN), RecordingWebhooks(AUTH_TOKEN)]
    application = Starlette(routes=routes(app, keyring, clock, carriers, public_base_url=address))
    server = uvicorn.Server(uvicorn.Config(application, lifespan="off", log_level="error"))
    serving = asyncio.create_task(server.serve([listener]))
    yield address
    server.should_exit = True
    await serving
    listener.close()

"""The carrier that fault tests send to."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.faults.local_carrier import LocalCarrier


@pytest.fixture
async def local_carrier() -> AsyncIterator[LocalCarrier]:
    carrier = LocalCarrier()
    await carrier.start()
    yield carrier
    await carrier.stop()

"""What came of an HTTP call to a carrier, where there was no clear answer."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import aiohttp

from referralnet.messaging.carriers import Ambiguous, Busy

BUSY_SECONDS = 2.0
# The longest wait we take from a Retry-After header: a bad value must not hold a court date back for a day.
_BUSY_SECONDS_MAX = 300.0
_BUSY_SECONDS_MIN = 0.1


@contextmanager
def answered_clearly() -> Iterator[None]:
    """Within this, a call that was not answered, or not whole, is what it is for a text.

    Raises:
        Busy: the connection was never made, so nothing was handed over.
        Ambiguous: anything may have happened.
    """
    try:
        yield
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise Busy(BUSY_SECONDS) from None
    except (TimeoutError, aiohttp.ClientError, asyncio.IncompleteReadError, ValueError):
        raise Ambiguous from None


def retry_after_seconds(headers: Mapping[str, str]) -> float:
    """How long a carrier that has too much to do asks us to wait, within bounds; a date or nonsense is not believed."""
    try:
        wished = float(headers.get("Retry-After", BUSY_SECONDS))
    except ValueError:
        return BUSY_SECONDS
    if math.isnan(wished):
        return BUSY_SECONDS
    return min(max(wished, _BUSY_SECONDS_MIN), _BUSY_SECONDS_MAX)


def bounded_session(timeout_seconds: float) -> aiohttp.ClientSession:
    """Pooled connections whose every call ends in time."""
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout_seconds, connect=timeout_seconds / 2))

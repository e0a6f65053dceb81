"""One POST to a partner: to a public address, no redirect followed, and neither long nor much listened to."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from referralnet.partners.addresses import AddressNotPublic, check_form, is_public

TIMEOUT_SECONDS = 10.0
ANSWER_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What a partner answered, or the code of why there is no answer."""

    status: int | None = None
    problem: str | None = None

    @property
    def taken(self) -> bool:
        """Whether it says that it has the event: any 2xx, and no other."""
        return self.problem is None and self.status is not None and 200 <= self.status < 300


class PublicResolver(AbstractResolver):
    """Asked by the connection itself: what was looked up is what is connected to, whatever the name says next."""

    def __init__(self) -> None:
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        if not all(is_public(address["host"]) for address in found):
            raise OSError("not a public address")
        return found

    async def close(self) -> None:
        await self._resolver.close()


@dataclass(frozen=True, slots=True)
class Posting:
    """How webhooks are posted. `private`: to any address, for trying and for tests alone."""

    private: bool = False
    timeout_seconds: float = TIMEOUT_SECONDS

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post once. What a partner does wrong is an answer, and raises nothing."""
        try:
            check_form(url, private=self.private)
        except AddressNotPublic:
            return Answer(problem="address_not_public")
        connector = aiohttp.TCPConnector(resolver=None if self.private else PublicResolver(), force_close=True)
        limit = aiohttp.ClientTimeout(total=self.timeout_seconds)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=limit, auto_decompress=False) as session,
                session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                # Read to its end, so that a partner that is cut off while it answers learns of it; not kept.
                got = 0
                async for chunk in answer.content.iter_chunked(4096):
                    got += len(chunk)
                    if got > ANSWER_BYTES_MAX:
                        return Answer(answer.status, "answer_too_long")
                return Answer(answer.status)
        except TimeoutError:
            return Answer(problem="timeout")
        except (aiohttp.ClientError, OSError, ValueError):
            return Answer(problem="no_connection")

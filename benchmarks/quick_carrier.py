"""A carrier that answers at once: enough of Twilio's API to hand texts over to, and too cheap to be what is measured.

Runs as a process of its own (`python -m benchmarks.quick_carrier [SECONDS]`, how long each answer takes) and prints its
port. GET /taken tells what it took: lines of an outbox id and an instant in seconds.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import sys
import time
from typing import ClassVar, cast

import uvloop

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_TEXT = re.compile(rb"text%3D([0-9a-f-]{36})")
_ANSWER = '{"sid": "SM%032x", "to": "+13125550100", "body": "", "status": "queued", "direction": "outbound-api"}'


class QuickCarrier(asyncio.Protocol):
    """One connection."""

    taken: ClassVar[list[tuple[bytes, float]]] = []
    numbers = itertools.count(1)
    answer_seconds = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self._received = cast("asyncio.Transport", transport), b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (head := self._received.find(b"\r\n\r\n")) >= 0:
            found = _LENGTH.search(self._received, 0, head)
            end = head + 4 + (int(found[1]) if found else 0)
            if len(self._received) < end:
                return
            request, self._received = self._received[:end], self._received[end:]
            if request.startswith(b"POST"):
                self._take(request)
            else:
                lines = (f"{text.decode()} {at:.6f}\n" for text, at in self.taken)
                self._reply(200, "".join(lines))

    def _take(self, request: bytes) -> None:
        found = _TEXT.search(request)
        assert found is not None, "a text names its outbox row in its callback"
        self.taken.append((found[1], time.time()))
        answer = _ANSWER % next(self.numbers)
        if self.answer_seconds:
            asyncio.get_running_loop().call_later(self.answer_seconds, self._reply, 201, answer)
        else:
            self._reply(201, answer)

    def _reply(self, status: int, body: str) -> None:
        head = f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write((head + body).encode())


async def serve(answer_seconds: float) -> None:
    """Until the process is ended."""
    QuickCarrier.answer_seconds = answer_seconds
    server = await asyncio.get_running_loop().create_server(QuickCarrier, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0))

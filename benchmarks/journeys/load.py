"""The load: so many clients in a closed loop over bare sockets, in a process of its own.

`python -m benchmarks.journeys.load PORT SECONDS CLIENTS FILE`: FILE holds the requests, ready to be sent, each behind
its length (four bytes, big-endian). Each is sent once, or all of them again and again with `--again`. Prints, as JSON,
how many were answered in how many seconds, how many of those otherwise than by 200, and each answer's milliseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import uvloop

_LENGTH = b"content-length: "


class Client(asyncio.Protocol):
    """One connection: sends the next request as soon as it has the whole answer to the last one."""

    def __init__(self, requests: Iterator[bytes], taken: list[float], done: asyncio.Future[None]) -> None:
        self.requests, self.taken, self.done, self.until = requests, taken, done, 0.0
        self.transport = asyncio.Transport()
        self.answer, self.wanted, self.refused = bytearray(), -1, 0
        self.asked_at, self.asking = 0.0, False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def begin(self, until: float) -> None:
        self.until = until
        self._ask()

    def _ask(self) -> None:
        self.answer, self.wanted = bytearray(), -1
        self.asked_at = time.perf_counter()
        request = next(self.requests, None) if self.asked_at < self.until else None
        self.asking = request is not None
        if request is None:
            self.transport.close()
        else:
            self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.answer += data
        if self.wanted < 0:
            head = self.answer.find(b"\r\n\r\n")
            if head < 0:
                return
            self.wanted = head + 4 + _length(bytes(self.answer[:head]).lower())
        if len(self.answer) >= self.wanted:
            self.taken.append((time.perf_counter() - self.asked_at) * 1000)
            self.refused += not self.answer.startswith(b"HTTP/1.1 200") or b'"errors"' in self.answer
            self._ask()

    def connection_lost(self, _error: Exception | None) -> None:
        self.refused += self.asking
        if not self.done.done():
            self.done.set_result(None)


def _length(head: bytes) -> int:
    at = head.index(_LENGTH) + len(_LENGTH)
    return int(head[at:].split(b"\r\n", 1)[0])


async def make_load(port: int, seconds: float, clients: int, requests: Iterator[bytes]) -> dict[str, object]:
    """Ask until the time is over or the requests are."""
    loop = asyncio.get_running_loop()
    taken: list[float] = []
    made = []
    for _ in range(clients):
        done = loop.create_future()
        client = Client(requests, taken, done)
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)  # type: ignore[misc]
        made.append(client)
    began = time.perf_counter()
    for client in made:
        client.begin(began + seconds)
    await asyncio.gather(*(client.done for client in made))
    spent = time.perf_counter() - began
    return {"seconds": spent, "refused": sum(client.refused for client in made), "milliseconds": taken}


def read_requests(file: Path) -> list[bytes]:
    """As `write_requests` left them."""
    held, at, found = file.read_bytes(), 0, []
    while at < len(held):
        length = int.from_bytes(held[at : at + 4], "big")
        found.append(held[at + 4 : at + 4 + length])
        at += 4 + length
    return found


def write_requests(file: Path, requests: list[bytes]) -> None:
    file.write_bytes(b"".join(len(request).to_bytes(4, "big") + request for request in requests))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("port", type=int)
    arguments.add_argument("seconds", type=float)
    arguments.add_argument("clients", type=int)
    arguments.add_argument("file", type=Path)
    arguments.add_argument("--again", action="store_true")
    given = arguments.parse_args()
    prepared = read_requests(given.file)
    requests = itertools.cycle(prepared) if given.again else iter(prepared)
    load = make_load(given.port, given.seconds, given.clients, requests)
    sys.stdout.buffer.write(orjson.dumps(uvloop.run(load)))


if __name__ == "__main__":
    main()

"""A referee for requests: npm's Prism, which holds each against a vendor's own OpenAPI file."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import aiohttp
from aiohttp import web

from scripts.npm import CHECKOUT, find_node

TWILIO_OPENAPI = Path(
    os.environ.get("REFERRALNET_TEST_TWILIO_OPENAPI")
    or CHECKOUT.parent / "shared" / "reference" / "twilio_api_v2010.json"
)
_START_SECONDS_MAX = 60


@dataclass(frozen=True)
class Judged:
    """One request, and what Prism had against it."""

    method: str
    path: str
    form: dict[str, str]
    status: int
    violations: list[Any]


@dataclass
class Referee:
    """Stands before Prism: hands every request on and keeps what Prism says of it. Its own examples are not judged."""

    prism_url: str
    judged: list[Judged] = field(default_factory=list)
    base_url: str = ""
    _runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._judge)
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_error: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _judge(self, request: web.Request) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        body = await request.read()
        async with (
            aiohttp.ClientSession(auto_decompress=False) as http,
            http.request(request.method, self.prism_url + request.raw_path, data=body, headers=headers) as answer,
        ):
            said = json.loads(answer.headers.get("sl-violations", "[]"))
            against = [one for one in said if one["location"][0] != "response"]
            form = {name: str(value) for name, value in (await request.post()).items()}
            self.judged.append(Judged(request.method, request.path, form, answer.status, against))
            told = {name: answer.headers[name] for name in ("Content-Type",) if name in answer.headers}
            return web.Response(status=answer.status, body=_last_page(await answer.read()), headers=told)


def _last_page(body: bytes) -> bytes:
    """Its example of a list has a next page, which is the same again without end."""
    return re.sub(rb'"next_page_uri": ?"[^"]*"', b'"next_page_uri":null', body)


class Prism:
    """Prism's mock server on a free port, as a process of its own."""

    def __init__(self, folder: Path, openapi: Path) -> None:
        self._log = (folder / "prism.log").open("wb")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port: int = free.getsockname()[1]
        self.base_url = f"http://127.0.0.1:{port}"
        node = find_node()
        program = CHECKOUT / "node_modules" / "@stoplight" / "prism-cli" / "dist" / "index.js"
        self._process = subprocess.Popen(
            [node.folder / "node", program, "mock", "--host", "127.0.0.1", "--port", str(port), openapi],
            cwd=folder, env=node.environment(), stdout=self._log, stderr=self._log, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def __enter__(self) -> Self:
        deadline = time.monotonic() + _START_SECONDS_MAX
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", int(self.base_url.rpartition(":")[2])), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return self
        self.__exit__()
        raise AssertionError("Prism did not start")

    def __exit__(self, *_error: object) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._log.close()

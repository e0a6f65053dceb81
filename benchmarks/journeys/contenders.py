"""Who is compared: how each is started, what it is sent for a question, and where its answer holds what was asked."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from benchmarks.journeys.network import token_of
from benchmarks.journeys.processes import memory_mebibytes, processor_seconds
from benchmarks.journeys.questions import DOCUMENTS, Question
from referralnet.encryption.held_keyring import HeldKeyring

START_SECONDS_MAX = 240
ROOTS = {"A": "searchServices", "B": "inbox", "C": "acceptReferral"}


@dataclass(frozen=True, slots=True)
class Contender:
    """`command` and `environment` start it on a port, over a database of these sockets; `ask` writes a request."""

    name: str
    command: Callable[[int, str], list[str]]
    ask: Callable[[Question], tuple[str, dict[str, str], bytes]]
    """The path, the headers and the body."""
    unwrap: Callable[[str, Any], Any]
    """Of a journey and an answer: what was asked for, as every contender tells it."""
    environment: Callable[[int, str], dict[str, str]] = lambda _port, _sockets: {}


@dataclass(slots=True)
class Running:
    """A contender that serves."""

    contender: Contender
    port: int
    process: subprocess.Popen[bytes]
    start_seconds: float = 0.0

    @classmethod
    def start(cls, contender: Contender, sockets: str, log: Path) -> Running:
        """Start it and wait until it takes connections.

        Raises:
            RuntimeError: it does not; with what it said.
        """
        port, began = free_port(), time.monotonic()
        environment = os.environ | contender.environment(port, sockets)
        with log.open("wb") as told:
            process = subprocess.Popen(contender.command(port, sockets), env=environment, stdout=told, stderr=told)  # noqa: S603
        running = cls(contender, port, process)
        while process.poll() is None and time.monotonic() < began + START_SECONDS_MAX:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                running.start_seconds = time.monotonic() - began
                return running
        running.stop()
        raise RuntimeError(f"{contender.name} did not start: {log.read_text()[-2000:]}")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)

    @property
    def processor_seconds(self) -> float:
        return processor_seconds(self.process.pid)

    @property
    def memory_mebibytes(self) -> float:
        return memory_mebibytes(self.process.pid)

    def request(self, question: Question) -> bytes:
        """As it is sent over a connection that is kept."""
        path, headers, body = self.contender.ask(question)
        lines = [f"POST {path} HTTP/1.1", "host: 127.0.0.1", "content-type: application/json"]
        lines += [f"{name}: {value}" for name, value in headers.items()] + [f"content-length: {len(body)}", "", ""]
        return "\r\n".join(lines).encode() + body

    def answer(self, question: Question) -> Any:
        """Ask once, and unwrap the answer.

        Raises:
            RuntimeError: it is refused.
        """
        path, headers, body = self.contender.ask(question)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("POST", path, body, {"content-type": "application/json"} | headers)
        response = connection.getresponse()
        told = response.read()
        connection.close()
        content = orjson.loads(told)
        if response.status != 200 or (isinstance(content, dict) and "errors" in content):
            raise RuntimeError(f"{self.contender.name}, journey {question.journey}: {told[:2000].decode()}")
        return self.contender.unwrap(question.journey, content)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def _graphql(question: Question) -> bytes:
    return orjson.dumps({"query": DOCUMENTS[question.journey], "variables": question.asked})


def _of_graphql(journey: str, answer: Any) -> Any:
    root = answer["data"][ROOTS[journey]]
    return root if journey == "C" else [edge["node"] for edge in root["edges"]]


def _production(port: int, sockets: str) -> dict[str, str]:
    """ReferralNet's settings in production; nothing here hands a text to the carrier."""
    return {
        "REFERRALNET_DATABASE_URL": f"postgresql+asyncpg://referralnet_app@/benchmark?host={sockets}",
        "REFERRALNET_LISTEN_PORT": str(port),
        "REFERRALNET_KEYRING": HeldKeyring.generate().dump(),
        "REFERRALNET_CARRIER": "twilio",
        "REFERRALNET_TWILIO_ACCOUNT_SID": "AC00000000000000000000000000000000",
        "REFERRALNET_TWILIO_AUTH_TOKEN": "made-up",
        "REFERRALNET_TWILIO_FROM_NUMBER": "+15005550006",
        "REFERRALNET_ENVIRONMENT": "production",
    }


REFERRALNET = Contender(
    "ReferralNet",
    lambda _port, _sockets: [sys.executable, "-m", "referralnet", "serve"],
    lambda question: (
        "/graphql",
        {"authorization": f"Bearer {token_of(question.agency)}"},
        _graphql(question),
    ),
    _of_graphql,
    _production,
)


def _python_peer(module: str) -> Callable[[int, str], list[str]]:
    def command(port: int, sockets: str) -> list[str]:
        url = f"postgresql://referralnet_app@/benchmark?host={sockets}"
        return [sys.executable, "-m", f"benchmarks.journeys.peers.{module}", str(port), url]

    return command


HAND_WRITTEN = Contender(
    "Starlette, SQL by hand",
    _python_peer("hand_written"),
    lambda question: (f"/{question.journey}", {"agency": str(question.agency)}, orjson.dumps(question.asked)),
    lambda _journey, answer: answer,
)


def strawberry_peer(name: str, module: str) -> Contender:
    """A peer that answers the same GraphQL documents as ReferralNet."""
    return Contender(
        name,
        _python_peer(module),
        lambda question: ("/graphql", {"agency": str(question.agency)}, _graphql(question)),
        _of_graphql,
    )


USUAL_ORM = strawberry_peer("Strawberry, the usual ORM", "usual_orm")
BEST_ORM = strawberry_peer("Strawberry, the best ORM", "best_orm")

"""A whole network in processes of its own: the API, the worker, and a Twilio that is not Twilio."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2

from scripts.npm import PACKAGES, find_node
from tests.databases import DatabaseUrls

ACCOUNT = "AC00000000000000000000000000000000"
AUTH_TOKEN = "local_auth_token"
OUR_NUMBER = "+15005550006"
_START_SECONDS_MAX = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def process(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process for as long as the block runs; what it says goes to `log`."""
    with log.open("wb") as output:
        running = subprocess.Popen(command, env=dict(environment), stdout=output, stderr=subprocess.STDOUT)
        try:
            yield running
        finally:
            running.send_signal(signal.SIGTERM)
            try:
                running.wait(20)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()


async def answering(url: str, log: Path) -> None:
    """Wait until something answers at `url`."""
    async with httpx2.AsyncClient() as http, asyncio.timeout(_START_SECONDS_MAX):
        while True:
            with contextlib.suppress(httpx2.TransportError):
                if (await http.get(url)).status_code < 500:
                    return
            assert log.exists()
            await asyncio.sleep(0.05)


@dataclass(frozen=True)
class Twilio:
    """The local stand-in for Twilio: stateful, with signed callbacks and inbound texts."""

    base_url: str

    async def messages(self, to: str) -> list[dict[str, Any]]:
        """What was sent to a number, oldest first."""
        path = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
        answer = await self._call("GET", path, params={"To": to, "PageSize": "100"})
        found: list[dict[str, Any]] = answer["messages"]
        return [message for message in reversed(found) if message["direction"].startswith("outbound")]

    async def deliver(self, sid: str) -> None:
        """Report a text as delivered, by a signed callback."""
        await self._call("POST", "/_twilio/simulate/message-status", data={"MessageSid": sid, "Status": "delivered"})

    async def answer(self, sender: str, body: str) -> None:
        """Text ReferralNet from a phone, by a signed webhook."""
        await self._call(
            "POST", "/_twilio/simulate/inbound-message", data={"To": OUR_NUMBER, "From": sender, "Body": body}
        )

    async def _call(self, method: str, path: str, **content: Any) -> Any:
        async with httpx2.AsyncClient(base_url=self.base_url, auth=(ACCOUNT, AUTH_TOKEN)) as http:
            answer = await http.request(method, path, **content)
            assert answer.is_success, answer.text
            return answer.json()


@dataclass(frozen=True)
class Client:
    """Somebody at the API; `token` is None before they sign in."""

    address: str
    token: str | None = None

    async def ask(self, document: str, **variables: Any) -> dict[str, Any]:
        """The whole answer."""
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        async with httpx2.AsyncClient(timeout=20) as http:
            answer = await http.post(
                f"{self.address}/graphql", json={"query": document, "variables": variables}, headers=headers
            )
        found: dict[str, Any] = answer.json()
        return found

    async def do(self, document: str, **variables: Any) -> Any:
        """The value of the one root field; a document with a `$key` gets an idempotency key of its own."""
        if "$key" in document:
            variables = {"key": str(uuid4())} | variables
        answer = await self.ask(document, **variables)
        assert "errors" not in answer, answer
        (value,) = answer["data"].values()
        return value

    async def sign_in(self, login: str, password: str) -> Client:
        """The same client, speaking for a member."""
        document = """mutation($login: String!, $password: String!) {
            signIn(login: $login, password: $password) { __typename ... on SignedIn { token } } }"""
        signed_in = await self.do(document, login=login, password=password)
        assert signed_in["__typename"] == "SignedIn", signed_in
        return Client(self.address, signed_in["token"])


@dataclass(frozen=True)
class Network:
    """One running network."""

    address: str
    twilio: Twilio
    program: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path

    def command(self, *arguments: str) -> str:
        """What a command of the program prints; it must succeed."""
        done = subprocess.run(
            [*self.program, *arguments], env=dict(self.environment), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@contextlib.asynccontextmanager
async def running_network(program: Sequence[str], urls: DatabaseUrls, folder: Path) -> AsyncIterator[Network]:
    """The API, one worker and a local Twilio over a migrated database; `program` is how `referralnet` is started."""
    port, twilio_port = free_port(), free_port()
    address, twilio = f"http://127.0.0.1:{port}", Twilio(f"http://127.0.0.1:{twilio_port}")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("REFERRALNET_")},
        "REFERRALNET_DATABASE_URL": urls.app,
        "REFERRALNET_DATABASE_WORKER_URL": urls.worker,
        "REFERRALNET_DATABASE_OWNER_URL": urls.owner,
        "REFERRALNET_KEYRING_FILE": str(folder / "keyring.json"),
        "REFERRALNET_LISTEN_PORT": str(port),
        "REFERRALNET_PUBLIC_BASE_URL": address,
        "REFERRALNET_CARRIER": "twilio",
        "REFERRALNET_TWILIO_ACCOUNT_SID": ACCOUNT,
        "REFERRALNET_TWILIO_AUTH_TOKEN": AUTH_TOKEN,
        "REFERRALNET_TWILIO_FROM_NUMBER": OUR_NUMBER,
        "REFERRALNET_TWILIO_BASE_URL": twilio.base_url,
    }
    network = Network(address, twilio, tuple(program), environment, folder)
    network.command("keyring", "create", str(folder / "keyring.json"))
    with (
        _twilio(twilio_port, address, folder),
        process([*program, "serve"], environment, folder / "serve.log"),
        process([*program, "worker"], environment, folder / "worker.log"),
    ):
        await answering(f"{twilio.base_url}/", folder / "twilio.log")
        await answering(f"{address}/health", folder / "serve.log")
        yield network


def _twilio(port: int, address: str, folder: Path) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    seed = {
        "twilio": {
            "account": {"sid": ACCOUNT, "auth_token": AUTH_TOKEN},
            "phone_numbers": [{"phone_number": OUR_NUMBER, "sms_url": f"{address}/webhooks/twilio/inbound"}],
        }
    }
    file = folder / "twilio.json"
    file.write_text(json.dumps(seed), "utf-8")
    node = find_node()
    program = PACKAGES / "emulate" / "dist" / "index.js"
    command = [
        str(node.folder / "node"), str(program), "start",
        "--service", "twilio", "--port", str(port), "--seed", str(file),
    ]  # fmt: skip
    return process(command, node.environment(), folder / "twilio.log")

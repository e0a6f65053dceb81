"""A Twilio of our own on this machine: npm's `emulate`, which signs its webhooks as Twilio does."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import httpx2

from scripts.npm import CHECKOUT, find_node

ACCOUNT_SID = "AC00000000000000000000000000000000"
AUTH_TOKEN = "token-of-the-emulated-account"
OUR_NUMBER = "+15005550006"
_START_SECONDS_MAX = 30


class EmulatedTwilio:
    """One emulated account with one number, whose inbound texts go to `inbound_url`."""

    def __init__(self, folder: Path, inbound_url: str, environment: Mapping[str, str] | None = None) -> None:
        self._seed = folder / "emulate.json"
        self._log = (folder / "emulate.log").open("wb")
        account = {"sid": ACCOUNT_SID, "auth_token": AUTH_TOKEN, "friendly_name": "tests"}
        number = {"phone_number": OUR_NUMBER, "friendly_name": "tests", "sms_url": inbound_url}
        self._seed.write_text(json.dumps({"twilio": {"account": account, "phone_numbers": [number]}}))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port: int = free.getsockname()[1]
        self.base_url = f"http://127.0.0.1:{port}"
        node = find_node()
        program = CHECKOUT / "node_modules" / "emulate" / "dist" / "index.js"
        self._process = subprocess.Popen(
            [node.folder / "node", program, "start", "--service", "twilio", "--port", str(port), "--seed", self._seed],
            cwd=folder, env={**node.environment(), **(environment or {})}, stdout=self._log, stderr=self._log,
            stdin=subprocess.DEVNULL,
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
        raise AssertionError("emulate did not start")

    def __exit__(self, *_error: object) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._log.close()

    async def write(self, number: str, body: str) -> None:
        """A phone texts our number; returns when our webhook has answered."""
        await self._post("/_twilio/simulate/inbound-message", {"To": OUR_NUMBER, "From": number, "Body": body})

    async def report(self, sid: str, status: str) -> None:
        """A text moves on at the carrier, which tells our webhook."""
        await self._post("/_twilio/simulate/message-status", {"MessageSid": sid, "Status": status})

    async def messages(self) -> list[dict[str, str]]:
        """Everything the account has sent and got, newest first."""
        async with httpx2.AsyncClient(auth=(ACCOUNT_SID, AUTH_TOKEN), base_url=self.base_url) as client:
            answer = await client.get(f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json")
        listed: list[dict[str, str]] = answer.json()["messages"]
        return listed

    async def _post(self, path: str, form: dict[str, str]) -> None:
        async with httpx2.AsyncClient(auth=(ACCOUNT_SID, AUTH_TOKEN), base_url=self.base_url) as client:
            (await client.post(path, data=form)).raise_for_status()

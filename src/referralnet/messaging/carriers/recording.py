"""A carrier that reaches no network: it keeps what was sent for the example phone, and calls our own webhooks,
signed.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp

from referralnet.encryption.keyring import Keyring
from referralnet.messaging.carriers import Accepted, Posted, RemoteText, Report, Written, webhook_path
from referralnet.messaging.tables import TextState
from referralnet.settings import Settings

NAME = "recording"
SIGNATURE_HEADER = "X-ReferralNet-Signature"
PHONE_FILE = "phone.jsonl"
ERASED_FILE = "erased-at-carrier.txt"
_SID = "RT"
_CALLBACK_TIMEOUT_SECONDS = 5


def carrier(settings: Settings, keyring: Keyring) -> RecordingCarrier:
    """Of the settings."""
    return RecordingCarrier(settings.data_folder, auth_token=token(keyring))


def webhooks(_settings: Settings, keyring: Keyring) -> RecordingWebhooks:
    """Of the keyring."""
    return RecordingWebhooks(token(keyring))


def token(keyring: Keyring) -> str:
    """What the example phone signs with: one of our own keyring."""
    return keyring.derive("recording carrier").material.hex()


@dataclass(frozen=True, slots=True)
class PhoneText:
    """One line on the example phone. `incoming` is seen from the phone: True for what ReferralNet sent."""

    sid: str
    number: str
    body: str
    incoming: bool
    at: datetime


def read_phone(folder: Path) -> list[PhoneText]:
    """Everything on the example phones, oldest first."""
    file = folder / PHONE_FILE
    if not file.exists():
        return []
    lines = (json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line)
    return [PhoneText(**{**line, "at": datetime.fromisoformat(line["at"])}) for line in lines]


def _keep(folder: Path, line: PhoneText) -> None:
    """Append one line in one write, so that several processes may share the file."""
    folder.mkdir(parents=True, exist_ok=True)
    written = json.dumps({**asdict(line), "at": line.at.isoformat()}, ensure_ascii=False) + "\n"
    handle = os.open(folder / PHONE_FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, written.encode())
    finally:
        os.close(handle)


async def _post_signed(auth_token: str, url: str, told: Mapping[str, str]) -> int:
    body = json.dumps(told, ensure_ascii=False).encode()
    headers = {SIGNATURE_HEADER: signature_of(auth_token, url, body), "Content-Type": "application/json"}
    timeout = aiohttp.ClientTimeout(total=_CALLBACK_TIMEOUT_SECONDS)
    async with (
        aiohttp.ClientSession(timeout=timeout) as http,
        http.post(url, data=body, headers=headers) as answer,
    ):
        return answer.status


def signature_of(auth_token: str, url: str, body: bytes) -> str:
    """The value of X-ReferralNet-Signature: an HMAC (SHA-256) over the address, a line feed, and the body."""
    return hmac.digest(auth_token.encode(), url.encode() + b"\n" + body, "sha256").hex()


async def write_from_phone(folder: Path, *, number: str, body: str, auth_token: str, public_base_url: str) -> int:
    """Text ReferralNet from an example phone, by the same signed webhook a real carrier calls.

    Returns:
        the webhook's HTTP status.
    """
    line = PhoneText(f"{_SID}{uuid4().hex}", number, body, incoming=False, at=datetime.now(UTC))
    _keep(folder, line)
    written = {"sid": line.sid, "from": number, "body": body}
    return await _post_signed(auth_token, public_base_url.rstrip("/") + webhook_path(NAME, "inbound"), written)


class RecordingCarrier:
    """For trying ReferralNet: keeps each text in a file and reports it as sent, then delivered."""

    name = NAME
    timeout_seconds = 5.0
    lists = True

    def __init__(self, folder: Path, *, auth_token: str) -> None:
        """
        Args:
            folder: where the example phone's file stands.
            auth_token: what our own webhooks verify signatures with.
        """
        self._folder = folder
        self._auth_token = auth_token
        self._reports: set[asyncio.Task[None]] = set()

    async def send(self, to: str, body: str, *, reference: str, callback_url: str, validity_seconds: int) -> Accepted:
        """See `Carrier.send`."""
        del validity_seconds  # it arrives at once
        line = PhoneText(f"{_SID}{uuid4().hex}", to, body, incoming=True, at=datetime.now(UTC))
        _keep(self._folder, line)
        report = asyncio.create_task(self._report(line.sid, reference, callback_url))
        self._reports.add(report)
        report.add_done_callback(self._reports.discard)
        return Accepted(line.sid)

    async def _report(self, sid: str, reference: str, callback_url: str) -> None:
        for state in (TextState.SENT, TextState.DELIVERED):
            try:
                await _post_signed(self._auth_token, callback_url, {"sid": sid, "text": reference, "state": state})
            except (aiohttp.ClientError, TimeoutError):
                # As with a real carrier whose report is lost: the text stays accepted.
                return

    async def list_recent(self, to: str, since: datetime) -> Sequence[RemoteText]:
        """See `Carrier.list_recent`."""
        erased = self._erased()
        texts = (line for line in read_phone(self._folder) if line.incoming and line.number == to and line.at >= since)
        return [
            RemoteText(line.sid, line.number, line.body, TextState.DELIVERED)
            for line in texts
            if line.sid not in erased
        ]

    async def look_up(self, sid: str) -> RemoteText | None:
        """See `Carrier.look_up`."""
        texts = (line for line in read_phone(self._folder) if line.sid == sid and sid not in self._erased())
        return next((RemoteText(line.sid, line.number, line.body, TextState.DELIVERED) for line in texts), None)

    def knows(self, sid: str) -> bool:
        """See `Carrier.knows`."""
        return sid.startswith(_SID)

    async def erase(self, sid: str, *, inbound: bool) -> None:
        """See `Carrier.erase`. The phone keeps its texts, as a real one does."""
        del inbound
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / ERASED_FILE).open("a", encoding="utf-8") as erased:
            erased.write(sid + "\n")

    def _erased(self) -> frozenset[str]:
        file = self._folder / ERASED_FILE
        return frozenset(file.read_text(encoding="utf-8").split()) if file.exists() else frozenset()

    async def close(self) -> None:
        """Wait for the reports under way."""
        await asyncio.gather(*self._reports)


class RecordingWebhooks:
    """JSON, signed over address and body with a token of our own keyring; what is sent again is kept once."""

    name = NAME
    answer = ""
    answer_type = "text/plain"

    def __init__(self, auth_token: str) -> None:
        self._auth_token = auth_token

    def is_genuine(self, posted: Posted, now: datetime) -> bool:
        """See `Webhooks.is_genuine`."""
        del now
        signature = posted.headers.get(SIGNATURE_HEADER.lower(), "")
        return hmac.compare_digest(signature.encode(), signature_of(self._auth_token, posted.url, posted.body).encode())

    def read_report(self, posted: Posted) -> tuple[UUID, Report] | None:
        """See `Webhooks.read_report`."""
        told = _told(posted)
        return UUID(told["text"]), Report(told["sid"], TextState(told["state"]), None)

    def read_text(self, posted: Posted) -> Written | None:
        """See `Webhooks.read_text`."""
        told = _told(posted)
        return Written(told["sid"], told["from"], told["body"])


def _told(posted: Posted) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(posted.body)
    return told

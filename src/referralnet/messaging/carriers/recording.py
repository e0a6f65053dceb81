"""A carrier that reaches no network: it keeps what was sent for the example phone, and calls our own webhooks,
signed.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import aiohttp

from referralnet.messaging.carriers import INBOUND_PATH, SIGNATURE_HEADER, Accepted, RemoteText
from referralnet.messaging.carriers.twilio import signature_of

PHONE_FILE = "phone.jsonl"
ERASED_FILE = "erased-at-carrier.txt"
OUR_NUMBER = "+15005550006"
_CALLBACK_TIMEOUT_SECONDS = 5


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


async def _post_signed(auth_token: str, url: str, form: Mapping[str, str]) -> int:
    headers = {SIGNATURE_HEADER: signature_of(auth_token, url, form)}
    timeout = aiohttp.ClientTimeout(total=_CALLBACK_TIMEOUT_SECONDS)
    async with (
        aiohttp.ClientSession(timeout=timeout) as http,
        http.post(url, data=form, headers=headers) as answer,
    ):
        return answer.status


async def write_from_phone(folder: Path, *, number: str, body: str, auth_token: str, public_base_url: str) -> int:
    """Text ReferralNet from an example phone, by the same signed webhook a real carrier calls.

    Returns:
        the webhook's HTTP status.
    """
    line = PhoneText(f"SM{uuid4().hex}", number, body, incoming=False, at=datetime.now(UTC))
    _keep(folder, line)
    form = {"MessageSid": line.sid, "From": number, "To": OUR_NUMBER, "Body": body}
    return await _post_signed(auth_token, public_base_url.rstrip("/") + INBOUND_PATH, form)


class RecordingCarrier:
    """For trying ReferralNet: keeps each text in a file and reports it as sent, then delivered."""

    timeout_seconds = 5.0

    def __init__(self, folder: Path, *, auth_token: str) -> None:
        """
        Args:
            folder: where the example phone's file stands.
            auth_token: what our own webhooks verify signatures with.
        """
        self._folder = folder
        self._auth_token = auth_token
        self._reports: set[asyncio.Task[None]] = set()

    async def send(self, to: str, body: str, *, callback_url: str, validity_seconds: int) -> Accepted:
        """See `Carrier.send`."""
        del validity_seconds  # it arrives at once
        line = PhoneText(f"SM{uuid4().hex}", to, body, incoming=True, at=datetime.now(UTC))
        _keep(self._folder, line)
        report = asyncio.create_task(self._report(line.sid, callback_url))
        self._reports.add(report)
        report.add_done_callback(self._reports.discard)
        return Accepted(line.sid)

    async def _report(self, sid: str, callback_url: str) -> None:
        for status in ("sent", "delivered"):
            try:
                await _post_signed(self._auth_token, callback_url, {"MessageSid": sid, "MessageStatus": status})
            except (aiohttp.ClientError, TimeoutError):
                # As with a real carrier whose report is lost: the text stays accepted.
                return

    async def list_recent(self, to: str, since: datetime) -> Sequence[RemoteText]:
        """See `Carrier.list_recent`."""
        erased = self._erased()
        texts = (line for line in read_phone(self._folder) if line.incoming and line.number == to and line.at >= since)
        return [RemoteText(line.sid, line.number, line.body, "delivered") for line in texts if line.sid not in erased]

    async def erase(self, sid: str) -> None:
        """See `Carrier.erase`. The phone keeps its texts, as a real one does."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / ERASED_FILE).open("a", encoding="utf-8") as erased:
            erased.write(sid + "\n")

    def _erased(self) -> frozenset[str]:
        file = self._folder / ERASED_FILE
        return frozenset(file.read_text(encoding="utf-8").split()) if file.exists() else frozenset()

    async def close(self) -> None:
        """Wait for the reports under way."""
        await asyncio.gather(*self._reports)

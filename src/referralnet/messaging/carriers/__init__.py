"""Whatever moves a text: one protocol, and what may come of a call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Accepted:
    """The carrier has taken the text and calls it `sid`."""

    sid: str


@dataclass(frozen=True, slots=True)
class RemoteText:
    """A text as the carrier's own list shows it."""

    sid: str
    to: str
    body: str
    status: str


class Refused(Exception):
    """The carrier has not taken the text and will not: `code` is its error code (Twilio's numbers), e.g. 21610."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(f"refused by the carrier: {code}")


class Busy(Exception):
    """The carrier has not taken the text and asks to come again in `retry_after_seconds`."""

    def __init__(self, retry_after_seconds: float) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(f"the carrier is busy for {retry_after_seconds} s")


class Ambiguous(Exception):
    """Nobody knows whether the carrier has taken the text: it must never be sent again."""


class Carrier(Protocol):
    """A way to move texts. `timeout_seconds` bounds every call, so that a lease can be longer."""

    timeout_seconds: float

    async def send(self, to: str, body: str, *, callback_url: str, validity_seconds: int) -> Accepted:
        """Hand over one text, once; `to` in E.164.

        Raises:
            Refused, Busy, Ambiguous: see there. Anything but a clear answer is Ambiguous.
        """

    async def list_recent(self, to: str, since: datetime) -> Sequence[RemoteText]:
        """The texts this carrier took for `to` since then.

        Raises:
            Busy, Ambiguous: there is no list now.
        """

    async def erase(self, sid: str) -> None:
        """Erase a text from the carrier's records, its body and its numbers; one that is gone already is erased (M10).

        Raises:
            Refused: the carrier will not, e.g. because it is still delivering.
            Busy, Ambiguous: see there; erasing twice does no harm.
        """

    async def close(self) -> None:
        """Close connections."""


SIGNATURE_HEADER = "X-Twilio-Signature"
STATUS_PATH = "/webhooks/twilio/status"
INBOUND_PATH = "/webhooks/twilio/inbound"

"""Whatever moves a text: one protocol, what may come of a call, and how a carrier's own requests to us are read.

Each carrier is one file beside this one, named for it; `choosing.py` lists them. Its addresses, its statuses, its way
of signing and its error codes stand there and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol
from uuid import UUID

from referralnet.messaging.tables import TextState


@dataclass(frozen=True, slots=True)
class Accepted:
    """The carrier has taken the text and calls it `sid`."""

    sid: str


@dataclass(frozen=True, slots=True)
class RemoteText:
    """A text as the carrier's own list shows it. `state` is None where the carrier's word for it says nothing."""

    sid: str
    to: str
    body: str
    state: TextState | None
    error_code: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """One verified status of one text."""

    carrier_sid: str
    state: TextState
    error_code: str | None


class Keyword(StrEnum):
    """What a carrier has done by itself about a text that came in, and has answered."""

    OPT_OUT = "opt_out"
    OPT_IN = "opt_in"
    HELP = "help"


@dataclass(frozen=True, slots=True)
class Written:
    """A text that somebody wrote to us; `number` in E.164. `handled`: what the carrier has done about it by itself."""

    carrier_sid: str
    number: str = field(repr=False)
    body: str = field(repr=False)
    handled: Keyword | None = None


class CarrierNotSet(Exception):
    """A setting of the chosen carrier is missing."""


class Refused(Exception):
    """The carrier has not taken the text and will not: `code` is its error code, e.g. 21610."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(f"refused by the carrier: {code}")


class Busy(Exception):
    """The carrier has not taken the text and asks to come again in `retry_after_seconds`."""

    def __init__(self, retry_after_seconds: float) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(f"the carrier is busy for {retry_after_seconds} s")


class AccountRefused(Busy):
    """The carrier takes no text of ours at all: `code` says why. It is not the number's fault, so the text waits and
    people are told. When it is tried again is for messaging/pacing.py to say: the carrier does not know.
    """

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(retry_after_seconds=0)


class Ambiguous(Exception):
    """Nobody knows whether the carrier has taken the text: it must never be sent again."""


class Carrier(Protocol):
    """A way to move texts. `timeout_seconds` bounds every call, so that a lease can be longer.

    What every carrier must do: take a text, and report on it to the address that came with it, naming `reference`.
    Without that an unanswered call could not be settled. What it need not do is said by `lists`.
    """

    name: str
    """Of its file, and in the addresses of its webhooks."""
    timeout_seconds: float
    lists: bool
    """Whether it can be asked what it has taken. Of one that cannot, an unknown text is settled by its reports alone;
    what it never reports on stays unknown, with the task of the person who was told."""

    async def send(self, to: str, body: str, *, reference: str, callback_url: str, validity_seconds: int) -> Accepted:
        """Hand over one text, once; `to` in E.164; `reference` comes back in reports where the carrier carries one.

        `validity_seconds`: so long the carrier may try, from when it has taken the text.

        Raises:
            Refused, Busy, AccountRefused, Ambiguous: see there. Anything but a clear answer is Ambiguous.
        """

    async def list_recent(self, to: str, since: datetime) -> Sequence[RemoteText]:
        """The texts this carrier took for `to` since then; asked only where it `lists`.

        Raises:
            Busy, Ambiguous: there is no list now.
        """

    async def look_up(self, sid: str) -> RemoteText | None:
        """What this carrier says of one text; None where it has no record of it. Asked only where it `lists`.

        Raises:
            Busy, Ambiguous: it says nothing now.
        """

    def knows(self, sid: str) -> bool:
        """Whether a sid has the form of this carrier's; one of a carrier that was chosen before has not."""

    async def erase(self, sid: str, *, inbound: bool) -> None:
        """Erase a text from the carrier's records, its body and its numbers; one that is gone already is erased (M10).

        Args:
            inbound: whether it came in.

        Raises:
            Refused: the carrier will not, e.g. because it is still delivering.
            Busy, Ambiguous: see there; erasing twice does no harm.
        """

    async def close(self) -> None:
        """Close connections."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A request that claims to come from a carrier. `url` is the one it called, whatever a proxy has made of it; names
    of headers are in small letters.
    """

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Webhooks(Protocol):
    """How the requests of one carrier are verified and read. Pure: it knows no database and no web."""

    name: str
    answer: str
    """What the carrier is answered, always the same."""
    answer_type: str

    def is_genuine(self, posted: Posted, now: datetime) -> bool:
        """Whether the carrier signed exactly this request; compared in constant time (M6)."""

    def read_report(self, posted: Posted) -> tuple[UUID, Report] | None:
        """Of which text of ours a genuine request reports what; None where it is about none or says nothing."""

    def read_text(self, posted: Posted) -> Written | None:
        """The text that a genuine request brings, or None where it brings none."""


def webhook_path(carrier_name: str, what: Literal["status", "inbound"]) -> str:
    """Where a carrier reports on texts, or brings those that came in."""
    return f"/webhooks/{carrier_name}/{what}"

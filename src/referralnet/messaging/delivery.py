"""Where a text stands, in words for the people who sent it, and what to do (notifications/delivery.toml)."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from referralnet import published
from referralnet.messaging.carriers.meanings import meaning_of
from referralnet.messaging.tables import TextState


class Line(StrEnum):
    """Where a text stands, as people think of it."""

    QUEUED = "queued"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NOT_SENT = "not_sent"


LINES: Mapping[TextState, Line] = {
    TextState.SCHEDULED: Line.QUEUED,
    TextState.CLAIMED: Line.QUEUED,
    TextState.ACCEPTED: Line.ACCEPTED,
    TextState.SENT: Line.ACCEPTED,
    TextState.DELIVERED: Line.DELIVERED,
    TextState.UNDELIVERED: Line.FAILED,
    TextState.FAILED: Line.FAILED,
    TextState.UNKNOWN: Line.UNKNOWN,
    TextState.CANCELLED: Line.NOT_SENT,
    TextState.EXPIRED: Line.NOT_SENT,
    TextState.HELD: Line.NOT_SENT,
}
# A code of these lines says why; elsewhere it is left over from what came before.
_WITH_REASON = frozenset({Line.FAILED, Line.UNKNOWN, Line.NOT_SENT})
NO_LAST_WORD = "no_last_word"
"""The carrier has it and was asked a day later, and still says nothing final; networks there are that never do."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One line about a text. `to_do` is None where nobody has to do anything."""

    line: Line
    says: str
    to_do: str | None


def describe_delivery(state: TextState, error_code: str | None, *, waits_for_carrier: bool = False) -> Delivery:
    """The line of a text: the reason's words where its code is known, the line's own where it is not."""
    line, words = LINES[state], _words()
    chosen = words["reason"]["carrier_silent"] if waits_for_carrier else words["line"][line]
    if error_code is not None and (line in _WITH_REASON or (line is Line.ACCEPTED and error_code == NO_LAST_WORD)):
        chosen = words["reason"].get(meaning_of(error_code) or error_code, chosen)
    return Delivery(line, chosen["says"], chosen["to_do"] or None)


def sentences() -> list[str]:
    """Everything that is ever said of a text: what a surface in another language translates."""
    of_all = [*_words()["line"].values(), *_words()["reason"].values()]
    return list(dict.fromkeys(said for words in of_all for said in (words["says"], words["to_do"]) if said))


@functools.cache
def _words() -> dict[str, Any]:
    return tomllib.loads(published.path("notifications", "delivery.toml").read_text(encoding="utf-8"))

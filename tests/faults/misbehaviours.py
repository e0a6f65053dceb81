"""What a carrier may do to a text, as data: what it answers, whether it has taken the text, and what it tells of it.

Played by a server (misbehaving_carrier.py, for the client) and within the process (carrier_within.py, for thousands of
histories).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Answers(StrEnum):
    """How the carrier's answer to one text reads."""

    ACCEPTED = "201, and the text's sid"
    BUSY = "429"
    OPTED_OUT = "400, code 21610"
    ACCOUNT_REFUSED = "401, code 20003"
    PROXY = "403, HTML that no carrier wrote"
    ERROR = "a 5xx"
    HANGS = "no answer"
    RESETS = "the connection is reset"
    DRIPS = "letter by letter, and too slowly"
    TRUNCATED = "201, and half of the JSON"
    NAMELESS = "201, and no sid"
    HTML = "201, and HTML"
    WRONG_LENGTH = "201, and less than it says"
    REDIRECT = "307"


class Tells(StrEnum):
    """What the carrier reports on a text that it has taken."""

    IN_TIME = "in time"
    PERHAPS = "in time, or never"
    """So that half of the time the list alone can settle it."""
    NEVER = "never"
    FIRST = "before it answers"
    TWICE_AND_REVERSED = "twice, and in reverse"
    HOURS_LATE = "hours late"
    BY_ANOTHER_SID = "by another sid"
    FAILS_AFTER_DELIVERED = "that it fails, after it was delivered"


@dataclass(frozen=True, slots=True)
class Misbehaviour:
    """`takes`: how likely it is that the text has been taken. `retry_after`: one of these headers, where it is busy;
    None for none.
    """

    answers: Answers = Answers.ACCEPTED
    takes: float = 1.0
    tells: Tells = Tells.IN_TIME
    retry_after: tuple[str | None, ...] = (None,)
    one_sid: bool = False
    """It calls all texts to a number the same."""
    lists_late: bool = False
    lists_a_lookalike: bool = False
    """Somebody else has put the same words into the same account for the same number."""


def _taken_and(answers: Answers) -> Misbehaviour:
    return Misbehaviour(answers, tells=Tells.PERHAPS)


def _not_taken(answers: Answers, *retry_after: str | None) -> Misbehaviour:
    return Misbehaviour(answers, takes=0, retry_after=retry_after or (None,))


WELL = Misbehaviour()
MISBEHAVIOURS: dict[str, Misbehaviour] = {
    "busy, with Retry-After": _not_taken(Answers.BUSY, "1", "7"),
    "busy, without Retry-After": _not_taken(Answers.BUSY),
    "busy, with an absurd Retry-After": _not_taken(
        Answers.BUSY, "nan", "inf", "-5", "1e308", "soon", "Wed, 21 Oct 2026 07:28:00 GMT", ""
    ),
    "error before taking": _not_taken(Answers.ERROR),
    "error after taking": _taken_and(Answers.ERROR),
    "no answer, before taking": _not_taken(Answers.HANGS),
    "no answer, after taking": _taken_and(Answers.HANGS),
    "reset before taking": _not_taken(Answers.RESETS),
    "reset after taking": _taken_and(Answers.RESETS),
    "an answer that drips": _taken_and(Answers.DRIPS),
    "truncated JSON": _taken_and(Answers.TRUNCATED),
    "no sid": _taken_and(Answers.NAMELESS),
    "the same sid for all": Misbehaviour(one_sid=True),
    "HTML for JSON": _taken_and(Answers.HTML),
    "HTML of a proxy, before taking": _not_taken(Answers.PROXY),
    "a wrong content length": _taken_and(Answers.WRONG_LENGTH),
    "a redirect": _not_taken(Answers.REDIRECT),
    "never calls back": Misbehaviour(tells=Tells.NEVER),
    "calls back before it answers": Misbehaviour(tells=Tells.FIRST),
    "calls back twice, and in reverse": Misbehaviour(tells=Tells.TWICE_AND_REVERSED),
    "calls back hours late": Misbehaviour(tells=Tells.HOURS_LATE),
    "calls back by another sid": Misbehaviour(tells=Tells.BY_ANOTHER_SID),
    "fails after it was delivered": Misbehaviour(tells=Tells.FAILS_AFTER_DELIVERED),
    "lists it late": Misbehaviour(Answers.RESETS, tells=Tells.NEVER, lists_late=True),
    "lists a lookalike": Misbehaviour(Answers.RESETS, takes=0.5, tells=Tells.PERHAPS, lists_a_lookalike=True),
    "opted out": _not_taken(Answers.OPTED_OUT),
    "account refused": _not_taken(Answers.ACCOUNT_REFUSED),
}
CANNOT_BE_SETTLED = ("the same sid for all", "lists a lookalike")
"""Two alike, or two of one name, are told apart by a report alone: they stay with the person who was told."""

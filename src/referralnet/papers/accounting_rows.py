"""The lines of the accounting of disclosures in words, for the paper and for the screen (C11)."""

from __future__ import annotations

from collections.abc import Sequence

from referralnet.audit.recording import Action
from referralnet.consent.categories import Category
from referralnet.papers.wording import Words
from referralnet.referrals.accounting import Line, Standing


def headings_of(words: Words) -> list[str]:
    """What its four columns are called."""
    return [words.say("accounting", heading) for heading in ("when", "what_happened", "kinds", "because")]


def rows_of(lines: Sequence[Line], words: Words, time_zone: str) -> list[list[str]]:
    """Its lines by date, the earliest first, each in four cells; days are those of the custodian's place."""
    return [_row(line, words, time_zone) for line in sorted(lines, key=lambda line: (line.at, line.number))]


def _row(line: Line, words: Words, zone: str) -> list[str]:
    because = [_why(line, words)] if line.act is not Action.ACT_CONFIRMED else []
    if line.signed_at is not None:
        because.append(words.say("accounting", "under", date=words.day(line.signed_at, zone, short=True)))
    if line.standing is not Standing.IN_BOTH:
        because.append(words.say("accounting", "disagrees"))
    kinds = ", ".join(words.say("short", kind) for kind in Category if kind in line.categories)
    return [
        words.day(line.at, zone, short=True),
        _what_happened(line, words),
        kinds or words.say("accounting", "none"),
        " ".join(filter(None, because)),
    ]


def _what_happened(line: Line, words: Words) -> str:
    to = line.to or words.say("accounting", "someone")
    why = words.say("mandate", line.why or "") if words.knows("mandate", line.why) else ""
    return words.say("act", line.act, by=line.by, to=to, why=why)


def _why(line: Line, words: Words) -> str:
    return words.say("why", line.why or "") if words.knows("why", line.why) else ""

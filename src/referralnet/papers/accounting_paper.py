"""The accounting of disclosures as a table by date: who was told, about what, when, under which permission (C11)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from referralnet.audit.recording import Action
from referralnet.consent.categories import Category
from referralnet.identity.agencies import AgencyRow
from referralnet.papers.sheet import Sheet
from referralnet.papers.wording import Words
from referralnet.referrals.accounting import Line, Standing

_WIDTHS = (27, 55, 45, 45)


def print_accounting(lines: Sequence[Line], custodian: AgencyRow, words: Words, now: datetime) -> bytes:
    """The paper as PDF, in the language of the words; days are those of the custodian's place."""
    zone = custodian.time_zone
    sheet = Sheet(words, now, words.say("sheet", "printed", date=words.day(now, zone)))
    sheet.heading(words.say("accounting", "title"))
    sheet.paragraph(words.say("accounting", "about", agency=custodian.name))
    sheet.paragraph(words.say("accounting", "keep"), quiet=True)
    if not lines:
        sheet.section(words.say("accounting", "nothing"))
        return sheet.finished()
    headings = [words.say("accounting", heading) for heading in ("when", "what_happened", "kinds", "because")]
    by_day = sorted(lines, key=lambda line: (line.at, line.number))
    sheet.table_of(headings, [_row(line, words, zone) for line in by_day], _WIDTHS)
    return sheet.finished()


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

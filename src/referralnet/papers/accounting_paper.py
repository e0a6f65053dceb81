"""The accounting of disclosures as a table by date: who was told, about what, when, under which permission (C11)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from referralnet.identity.agencies import AgencyRow
from referralnet.papers.accounting_rows import headings_of, rows_of
from referralnet.papers.sheet import Sheet
from referralnet.papers.wording import Words
from referralnet.referrals.accounting import Line

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
    sheet.table_of(headings_of(words), rows_of(lines, words, zone), _WIDTHS)
    return sheet.finished()

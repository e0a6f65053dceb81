"""What speaks against the words of a label that a text may open with: the same words that no text may hold (M3), and
whatever tells who we are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.messaging.neutrality import findings, fold
from referralnet.survivors.nicknames import CANONICAL

LETTERS_MAX = 16
_OWN_WORD_LETTERS_MIN = 4


class Fault(StrEnum):
    """Why a label may not be used; the value goes to programs, `in_words` to people."""

    EMPTY = "empty"
    TOO_LONG = "too_long"
    NOT_PLAIN = "not_plain"
    FORBIDDEN_WORD = "forbidden_word"
    LINK = "link"
    PERSON = "person"
    AGENCY = "agency"
    PLACE = "place"


_WORDS = {
    Fault.EMPTY: "has no letter.",
    Fault.TOO_LONG: f"is longer than {LETTERS_MAX} letters.",
    Fault.NOT_PLAIN: "holds more than letters, digits, spaces and hyphens.",
    Fault.FORBIDDEN_WORD: "holds a forbidden word",
    Fault.LINK: "holds something that a phone would underline.",
    Fault.PERSON: "holds somebody's name",
    Fault.AGENCY: "holds the name of an agency or a service",
    Fault.PLACE: "holds the name of a place",
}


@dataclass(frozen=True, slots=True)
class LabelFault:
    """One thing that speaks against a label, and the word of it where there is one."""

    fault: Fault
    word: str | None = None

    @property
    def in_words(self) -> str:
        """For the person who edits it."""
        return _WORDS[self.fault] + (f": {self.word}." if self.word else "")


def faults_of_wording(words: str) -> Iterator[LabelFault]:
    """What the words alone tell. Pure."""
    folded = fold(words)
    if not any(letter.isalpha() for letter in folded):
        yield LabelFault(Fault.EMPTY)
    if len(words) > LETTERS_MAX:
        yield LabelFault(Fault.TOO_LONG)
    if re.search(r"[^\w -]|_", words):
        yield LabelFault(Fault.NOT_PLAIN)
    for found in findings(words):
        yield LabelFault(Fault.LINK) if found == "link" else LabelFault(Fault.FORBIDDEN_WORD, found)
    for word in folded.split():
        if word in CANONICAL:
            yield LabelFault(Fault.PERSON, word)


async def faults_of_label(session: AsyncSession, words: str) -> list[LabelFault]:
    """Everything that speaks against a label at the acting member's agency, names of the directory included.

    A word of the agency's own name counts by itself: "Lakeside notes" would tell whoever knows of Lakeside.
    """
    runs = _runs(fold(words[: 2 * LETTERS_MAX]).split())
    rows = await session.execute(_NAMED, {"runs": runs, "letters_min": _OWN_WORD_LETTERS_MIN})
    named = [LabelFault(Fault(row.fault), row.word) for row in rows]
    return [*faults_of_wording(words), *named]


def _runs(words: list[str]) -> list[str]:
    """Every run of words that stand next to one another."""
    return [" ".join(words[start:end]) for start in range(len(words)) for end in range(start + 1, len(words) + 1)]


# A word of the network's own rows is folded here as `fold` does it. Row security leaves the places of hidden services
# out, so that the answer tells nothing of them (D1).
_NAMED = text("""
    with run as (select distinct unnest(cast(:runs as text[])) as word),
    own as (select name from agency where id = acting_agency()
      union all select name from organization where agency_id = acting_agency())
    select 'agency' as fault, word from run where exists (
        select from own, regexp_split_to_table(lower(unaccent(own.name)), '[^a-z0-9]+') as part
        where part = run.word and length(part) >= :letters_min)
      or exists (select from agency
        where trim(regexp_replace(lower(unaccent(agency.name)), '[^a-z0-9]+', ' ', 'g')) = run.word)
      or exists (select from directory_names
        where directory_names.kind in ('organization', 'service') and directory_names.folded = run.word)
    union all
    select 'place', word from run where exists (select from address where lower(unaccent(address.city)) = run.word)
    order by 1, 2
""")  # lint: agency-filter the own names of what everybody may see

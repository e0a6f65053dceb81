"""The search form: what stands in its address, the question that is to the directory, and addresses of the next one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID

from starlette.datastructures import QueryParams

from referralnet.directory.search import DirectoryQuery
from referralnet.directory.search_query import ACCESSIBILITY, COSTS, GENDERS, LISTED_MAX
from referralnet.errors import Refusal

MILES = (5, 10, 25, 50, 100)
"""Radii to choose from."""
MILES_USUAL = 25
PAGE_SIZE = 20
WORDS_LETTERS_MAX = 200
_KILOMETERS_PER_MILE = 1.609344
_ZIP = re.compile(r"\d{5}(-\d{4})?")
_CHOICES = {"category": None, "area": None, "cost": COSTS, "access": ACCESSIBILITY, "gender": GENDERS}
"""What narrows, with the codes it may have where they are few."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the form holds. `chosen` has codes by what narrows; `wrong` a message for each field that cannot be read."""

    words: str = ""
    zip_code: str = ""
    miles: int = MILES_USUAL
    language: str = ""
    open_now: bool = False
    free_now: bool = False
    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    after: tuple[int, UUID] | None = None
    wrong: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_anything(self) -> bool:
        """Whether anything is asked for at all."""
        return self != Asked(miles=self.miles)

    def address(self) -> str:
        """The page for this question."""
        given: list[tuple[str, object]] = [
            ("words", self.words),
            ("zip", self.zip_code),
            ("miles", self.miles if self.zip_code else ""),
            ("language", self.language),
            ("open", "1" if self.open_now else ""),
            ("free", "1" if self.free_now else ""),
            *((kind, code) for kind, codes in self.chosen.items() for code in codes),
            ("after", f"{self.after[0]}.{self.after[1]}" if self.after else ""),
        ]
        query = urlencode([(name, value) for name, value in given if value != ""])
        return f"/directory?{query}" if query else "/directory"

    def toggled(self, kind: str, code: str) -> Asked:
        """The same from its first page, with a code chosen, or no longer."""
        codes = self.chosen.get(kind, ())
        codes = tuple(other for other in codes if other != code) if code in codes else (*codes, code)
        return replace(self, chosen={**self.chosen, kind: codes}, after=None)

    def page_after(self, position: tuple[int, UUID]) -> Asked:
        """The page that begins below a hit."""
        return replace(self, after=position)

    def question(self, now: datetime) -> DirectoryQuery:
        """What the directory is asked; of what cannot be read nothing."""
        zip_code = self.zip_code[:5] if self.zip_code and "zip" not in self.wrong else None
        gender = self.chosen.get("gender", ())
        return DirectoryQuery(
            words=self.words,
            categories=self.chosen.get("category", ()),
            languages=(self.language,) if self.language else (),
            zip_code=zip_code,
            within_kilometers=round(self.miles * _KILOMETERS_PER_MILE, 1) if zip_code else None,
            areas=self.chosen.get("area", ()),
            costs=self.chosen.get("cost", ()),
            accessibility=self.chosen.get("access", ()),
            gender=gender[-1] if gender else None,
            open_at=now if self.open_now else None,
            accepting_now=self.free_now,
            first=PAGE_SIZE,
            after=self.after,
        )

    def without(self, refusal: Refusal) -> Asked:
        """The same, marked as wrong where the directory refused it."""
        return replace(self, wrong={**self.wrong, _FIELDS.get(refusal.field or "", "words"): WRONG_ZIP})


WRONG_ZIP = "There is no such ZIP code. It has five digits, e.g. 60601."
WRONG_WORDS = "That is too long to look for. Use a few words."
PHRASES = (WRONG_ZIP, WRONG_WORDS)
_FIELDS = {"zip_code": "zip"}


def read_asked(given: QueryParams) -> Asked:
    """What an address asks for. Codes that are none are left out; what a person typed is kept, and told when wrong."""
    words, zip_code = given.get("words", "").strip(), given.get("zip", "").strip()
    wrong = {}
    if zip_code and not _ZIP.fullmatch(zip_code):
        wrong["zip"] = WRONG_ZIP
    if len(words) > WORDS_LETTERS_MAX or "\0" in words:
        words, wrong["words"] = "", WRONG_WORDS
    language = given.get("language", "")
    return Asked(
        words=words,
        zip_code=zip_code[:10],
        miles=_miles(given.get("miles", "")),
        language=language if re.fullmatch("[a-z]{2,3}", language) else "",
        open_now=given.get("open") == "1",
        free_now=given.get("free") == "1",
        chosen={kind: codes for kind, known in _CHOICES.items() if (codes := _codes(given.getlist(kind), known))},
        after=_position(given.get("after", "")),
        wrong=wrong,
    )


def _miles(given: str) -> int:
    return int(given) if given in {str(miles) for miles in MILES} else MILES_USUAL


def _codes(given: list[str], known: tuple[str, ...] | None) -> tuple[str, ...]:
    fitting = [code for code in given if (code in known if known else re.fullmatch(r"[\w:/ .'-]{1,80}", code))]
    return tuple(dict.fromkeys(fitting))[:LISTED_MAX]


def _position(given: str) -> tuple[int, UUID] | None:
    found = re.fullmatch(r"(-?\d{1,9})\.([0-9a-f-]{36})", given)
    try:
        return (int(found[1]), UUID(found[2])) if found else None
    except ValueError:
        return None

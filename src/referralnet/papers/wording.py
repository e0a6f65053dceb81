"""The words of the papers, by language (notifications/papers), and days as a person writes them."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date

from referralnet import published
from referralnet.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Words:
    """One language's words, under its tables and keys."""

    language: str
    content: dict[str, Any]

    def say(self, table: str, key: str, /, **values: object) -> str:
        """What stands there, the values filled in."""
        words: str = self.content[table][key]
        return words.format_map(values)

    def lines(self, table: str, key: str) -> list[str]:
        """A list of sentences."""
        return list(self.content[table][key])

    def knows(self, table: str, key: str | None) -> bool:
        """Whether something stands there."""
        return key in self.content[table]

    def day(self, at: datetime, time_zone: str, *, short: bool = False) -> str:
        """The day at a place: November 3, 2026, or Nov 3, 2026 where there is little room."""
        local = at.astimezone(ZoneInfo(time_zone))
        written = format_date(local.date(), "medium" if short else "long", locale=self.content["locale"])
        return written.replace(" ", "\u00a0")  # a day is not broken over two lines


@functools.cache
def paper_languages() -> tuple[str, ...]:
    """Languages there are papers in."""
    return tuple(sorted(file.stem for file in published.path("notifications", "papers").glob("*.toml")))


@functools.cache
def words_in(language: str) -> Words:
    """The words of one language.

    Raises:
        InvalidInput: field ``language``: there are none.
    """
    if language not in paper_languages():
        raise InvalidInput(field="language", detail=f"There are papers in: {', '.join(paper_languages())}.")
    text = published.path("notifications", "papers", f"{language}.toml").read_text(encoding="utf-8")
    return Words(language, tomllib.loads(text))

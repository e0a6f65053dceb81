"""The last look at a body before it may leave: no forbidden word in any language, and no link (M3)."""

from __future__ import annotations

import functools
import re
import unicodedata

from referralnet import published
from referralnet.errors import Refusal

# Anything a phone would underline: a scheme, www, a dotted name, an e-mail address, a number to ring.
_LINK = re.compile(r"://|\bwww\b|\w@\w|[^\W\d_]\.[^\W\d_]{2,}|\d[\d() -]{6,}\d", re.IGNORECASE)


class NotNeutral(Refusal):
    """The wording would say more than a phone may show."""

    code = "TEXT_NOT_NEUTRAL"


def fold(words: str) -> str:
    """Lower case, without accents, every run of anything but letters and digits as one space."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", words.casefold()) if not unicodedata.combining(c))
    return " ".join(re.findall(r"[^\W_]+", plain))


@functools.cache
def forbidden_words() -> tuple[str, ...]:
    """Every language's list, folded, a star kept as the mark of an open ending."""
    lines = (
        line.strip()
        for file in sorted(published.path("notifications").glob("*/forbidden.txt"))
        for line in file.read_text(encoding="utf-8").splitlines()
    )
    return tuple(
        fold(line) + ("*" if line.endswith("*") else "") for line in lines if line and not line.startswith("#")
    )


@functools.cache
def _pattern() -> re.Pattern[str]:
    alternatives = (re.escape(word.rstrip("*")) + (r"\w*" if word.endswith("*") else "") for word in forbidden_words())
    return re.compile(rf"\b(?:{'|'.join(alternatives)})\b")


def findings(body: str) -> list[str]:
    """What speaks against this body: each forbidden word, and "link" where something would be underlined."""
    return list(_found(body))


# Many texts say the same: a label, a day, a quarter of an hour.
@functools.lru_cache(maxsize=4096)
def _found(body: str) -> tuple[str, ...]:
    found = _pattern().findall(fold(body))
    return (*found, "link") if _LINK.search(body) else tuple(found)


def require_neutral(body: str) -> None:
    """Refuse a body that is not neutral.

    Raises:
        NotNeutral: a forbidden word of any language, or a link.
    """
    if found := findings(body):
        raise NotNeutral(detail=f"Found: {', '.join(found)}.")

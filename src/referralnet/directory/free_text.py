"""What a typed question asks for: "shelter tonight Spanish child" is a category, a time, a language and a child."""

from __future__ import annotations

import re
from dataclasses import dataclass

from referralnet.directory.taxonomy import Meaning, above, meanings

PHRASE_WORDS_MAX = 4


@dataclass(frozen=True, slots=True)
class Understood:
    """The hints in a text, and the words to look for: all but those that ask for a time, a language or a child.

    A word that names a kind stays among them, because a legal clinic is a clinic by its name.
    """

    categories: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    takes_children: bool = False
    available_tonight: bool = False
    words: str = ""
    phrases: tuple[tuple[str, Meaning], ...] = ()
    """What was typed, in lower case, beside what it was taken for."""


def understand(text: str) -> Understood:
    """Take the longest known phrase at each word; matching ignores case, not accents, which the synonyms spell out."""
    words = re.findall(r"[\w'\u2019-]+", text)
    known = meanings()
    hints: dict[str, list[str]] = {"category": [], "language": [], "takes_children": [], "available_tonight": []}
    kept: list[str] = []
    phrases: list[tuple[str, Meaning]] = []
    at = 0
    while at < len(words):
        for length in range(min(PHRASE_WORDS_MAX, len(words) - at), 0, -1):
            phrase = " ".join(words[at : at + length]).lower()
            meaning = known.get(phrase)
            if meaning is not None:
                phrases.append((phrase, meaning))
                hints[meaning.kind].append(meaning.code)
                kept += words[at : at + length] if meaning.kind == "category" else []
                at += length
                break
        else:
            kept.append(words[at])
            at += 1
    return Understood(
        categories=_closest(hints["category"]),
        languages=tuple(dict.fromkeys(hints["language"])),
        takes_children=bool(hints["takes_children"]),
        available_tonight=bool(hints["available_tonight"]),
        words=" ".join(kept),
        phrases=tuple(phrases),
    )


def _closest(codes: list[str]) -> tuple[str, ...]:
    """Without those that stand above another: "lawyer T visa" asks for the T visa and not for every kind of law."""
    wider = set().union(*(above(code) for code in codes))
    return tuple(code for code in dict.fromkeys(codes) if code not in wider)

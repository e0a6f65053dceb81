"""What a survivor's text means: opting out in all its forms (M4), 1, 2, 3, or a person has to read it. Pure."""

from __future__ import annotations

import difflib
import functools
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from referralnet import published
from referralnet.messaging.neutrality import fold
from referralnet.messaging.wording import is_draft

_FUZZY_WORDS_MAX = 3
_FUZZY_LIKENESS = 0.75


class Answer(StrEnum):
    """The meanings a text may have; the value is the section of answers.toml."""

    OPT_OUT = "opt_out"
    OPT_IN = "opt_in"
    HELP = "more_about_this"
    CONFIRM = "confirm"
    CALL_ME = "call_me"
    UNSAFE = "unsafe"
    END_EVERYTHING = "end_everything"
    UNCLEAR = "unclear"


_PROVABLE = frozenset({Answer.OPT_IN, Answer.CONFIRM})


@dataclass(frozen=True, slots=True)
class _Forms:
    answer: Answer
    language: str
    exact: frozenset[str]
    phrases: tuple[str, ...]
    fuzzy: tuple[str, ...]
    openings: tuple[str, ...]

    def beyond(self, folded: str) -> str | None:
        """What follows one of the openings, or None where the text begins otherwise."""
        padded = f"{folded} "
        return next((padded[len(words) :].strip() for words in self.openings if padded.startswith(f"{words} ")), None)


@functools.cache
def _forms() -> tuple[_Forms, ...]:
    found = []
    for file in sorted(published.path("notifications").glob("*/answers.toml")):
        for section, words in tomllib.loads(file.read_text(encoding="utf-8")).items():
            exact, phrases, fuzzy, openings = (
                tuple(fold(word) for word in words.get(name, ())) for name in ("exact", "phrases", "fuzzy", "openings")
            )
            found.append(_Forms(Answer(section), file.parent.name, frozenset(exact), phrases, fuzzy, openings))
    return tuple(found)


def sections_of(language: str) -> frozenset[Answer]:
    """The meanings that a language has words for."""
    return frozenset(forms.answer for forms in _forms() if forms.language == language)


def understand(text: str) -> Answer:
    """What this text asks for, in any language we know."""
    return _read(text)[0]


def language_of(text: str) -> str:
    """The language whose word this was, English where none was recognised or its wording is a draft.

    Taken from the text and never from a contact plan: a known number must not get another reply than an unknown one
    (M6).
    """
    language = _read(text)[1]
    return "en" if is_draft(language) else language


def beyond_the_opening(text: str) -> str:
    """The words, folded, that follow the opening of a text that ends everything; empty where there are none."""
    folded = fold(text)
    return next((beyond for forms in _forms() if (beyond := forms.beyond(folded)) is not None), "")


def says_more(text: str) -> bool:
    """Whether a text says anything beside the words by which it is understood, as "stop, he is here" does."""
    folded = fold(text)
    if any(folded in forms.exact for forms in _forms()):
        return False
    left = f" {folded} "
    for phrase in sorted((phrase for forms in _forms() for phrase in forms.phrases + forms.openings), key=len)[::-1]:
        left = left.replace(f" {phrase} ", " ")
    fuzzy = tuple(word for forms in _forms() for word in forms.fuzzy)
    return not all(_nearly(word, fuzzy) for word in left.split())


def meant_with_a_phrase(text: str) -> tuple[Answer, str] | None:
    """What a text asks for if the words after its first ones are a code phrase, and these words, folded.

    Of what changes something that matters and may be anybody's who holds the phone: beginning texts again, and that a
    number still is hers. None where a text begins otherwise.
    """
    padded = f"{fold(text)} "
    openings = [(word, forms.answer) for forms in _forms() if forms.answer in _PROVABLE for word in forms.exact]
    for word, answer in sorted(openings, key=lambda opening: -len(opening[0])):
        if padded.startswith(f"{word} "):
            return answer, padded[len(word) :].strip()
    return None


def _read(text: str) -> tuple[Answer, str]:
    folded = fold(text)
    padded = f" {folded} "
    # Ending texts comes before everything it is mixed with: "1 but please stop" is a stop.
    ways: tuple[Callable[[_Forms], bool], ...] = (
        lambda forms: folded in forms.exact,
        # Before the phrases: it ends texts as well, and whatever else is in it, a person reads.
        lambda forms: forms.beyond(folded) is not None,
        lambda forms: any(f" {phrase} " in padded for phrase in forms.phrases),
        # "Stop he is here": whatever follows, a person reads (says_more).
        lambda forms: folded.partition(" ")[0] in forms.fuzzy,
        lambda forms: _nearly(folded, forms.fuzzy),
    )
    for way in ways:
        for forms in sorted(_forms(), key=lambda forms: forms.answer is not Answer.OPT_OUT):
            if way(forms):
                return forms.answer, forms.language
    return Answer.UNCLEAR, "en"


def _nearly(folded: str, fuzzy: tuple[str, ...]) -> bool:
    words = folded.split()
    if not fuzzy or len(words) > _FUZZY_WORDS_MAX:
        return False
    return any(difflib.get_close_matches(word, fuzzy, n=1, cutoff=_FUZZY_LIKENESS) for word in words)

"""The lint of the published wording: every text, in every language, over labels, days, hours and zones (M3)."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product

from referralnet.messaging import answers, segments, wording
from referralnet.messaging.label_wording import faults_of_wording
from referralnet.messaging.neutrality import NotNeutral
from referralnet.messaging.segments import Cost
from referralnet.messaging.wording import Message, Occasion

# Each weekday, each month and both halves of the day come up; the longest names of any language are among them.
_DAYS = tuple(
    datetime(2026, month, 1 + month % 7 + 7, hour, 30, tzinfo=UTC) for month in range(1, 13) for hour in (4, 16)
)
_WEEK = tuple(datetime(2026, 9, 21, 22, 55, tzinfo=UTC) + timedelta(days=day) for day in range(7))
_ZONES = ("America/Chicago", "America/Los_Angeles", "Pacific/Honolulu")


@dataclass(frozen=True, slots=True)
class TextCost:
    """What one text may cost in one language: its dearest body over all values that were tried."""

    language: str
    message: Message
    cost: Cost


def problems() -> Iterator[str]:
    """One sentence for each rule that a published wording breaks; nothing when all is well."""
    for label, language in product(wording.labels(), wording.languages()):
        yield from _label(label, language)
    for language in wording.languages():
        yield from _answers(language)
    for language, message in product(wording.languages(), Message):
        try:
            words = wording.template(message, language)
        except wording.WordingMissing as missing:
            yield missing.message
            continue
        yield from _how_to_answer(message, language, words)
        yield from _bodies(message, language)


def costs() -> Iterator[TextCost]:
    """The dearest body of every text, for whoever pays the carrier."""
    for language, message in product(wording.languages(), Message):
        yield TextCost(language, message, dearest(language, message))


@functools.cache
def dearest(language: str, message: Message) -> Cost:
    """What a text costs at most in a language.

    Raises:
        WordingMissing: there is no such wording.
    """
    bodies = (wording.render(message, language, occasion) for occasion in _occasions_of(message))
    return max((segments.cost(body) for body in bodies), key=lambda cost: (cost.segments, cost.units))


def occasions() -> Iterator[Occasion]:
    """Labels, days, hours and zones that show a language's longest and oddest forms."""
    for label, starts_at, zone in product(wording.labels(), _DAYS + _WEEK, _ZONES):
        yield Occasion(starts_at, zone, label)


def _occasions_of(message: Message) -> Iterator[Occasion | None]:
    return occasions() if wording.catalogue()[message].variables else iter((None,))


def _label(label: str, language: str) -> Iterator[str]:
    try:
        words = wording.label_words(label, language)
    except wording.WordingMissing as missing:
        yield missing.message
        return
    for fault in faults_of_wording(words):
        yield f"{language}/{label}: {fault.in_words}"


def _answers(language: str) -> Iterator[str]:
    missing = set(answers.Answer) - {answers.Answer.UNCLEAR} - answers.sections_of(language)
    for section in sorted(missing):
        yield f"{language}/answers.toml: no words for {section}"


def _bodies(message: Message, language: str) -> Iterator[str]:
    entry = wording.catalogue()[message]
    for occasion in _occasions_of(message):
        try:
            body = wording.render(message, language, occasion)
        except (NotNeutral, wording.WordingMissing) as refused:
            yield f"{language}/{message}: {refused.message}"
            continue
        if (count := segments.cost(body).segments) > entry.segments_at_most:
            yield f"{language}/{message}: {count} segments, {entry.segments_at_most} allowed"


def _how_to_answer(message: Message, language: str, words: str) -> Iterator[str]:
    named = wording.catalogue()[message].answers
    for digit in named:
        if f" {digit} " not in words:
            yield f"{language}/{message}: does not say what {digit} means"
    said = words.replace(":", " ").replace(".", " ").replace(",", " ").split()
    if named and not any(answers.understand(word) is answers.Answer.OPT_OUT for word in said):
        yield f"{language}/{message}: does not say which word ends texts"

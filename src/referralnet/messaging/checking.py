"""The lint of the published wording: every text, in every language, over labels, days, hours and zones (M3)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product

from referralnet.messaging import answers, segments, wording
from referralnet.messaging.neutrality import NotNeutral
from referralnet.messaging.wording import Message, Occasion

# Each weekday, each month and both halves of the day come up; the longest names of any language are among them.
_DAYS = tuple(
    datetime(2026, month, 1 + month % 7 + 7, hour, 30, tzinfo=UTC) for month in range(1, 13) for hour in (4, 16)
)
_WEEK = tuple(datetime(2026, 9, 21, 22, 55, tzinfo=UTC) + timedelta(days=day) for day in range(7))
_ZONES = ("America/Chicago", "America/Los_Angeles", "Pacific/Honolulu")


def problems() -> Iterator[str]:
    """One sentence for each rule that a published wording breaks; nothing when all is well."""
    for language, message in product(wording.languages(), Message):
        try:
            words = wording.template(message, language)
        except wording.WordingMissing as missing:
            yield missing.message
            continue
        yield from _how_to_answer(message, language, words)
        yield from _bodies(message, language)


def _bodies(message: Message, language: str) -> Iterator[str]:
    entry = wording.catalogue()[message]
    for occasion in occasions() if entry.variables else (None,):
        try:
            body = wording.render(message, language, occasion)
        except (NotNeutral, wording.WordingMissing) as refused:
            yield f"{language}/{message}: {refused.message}"
            continue
        if (count := segments.cost(body).segments) > entry.segments_at_most:
            yield f"{language}/{message}: {count} segments, {entry.segments_at_most} allowed"


def occasions() -> Iterator[Occasion]:
    """Labels, days, hours and zones that show a language's longest and oddest forms."""
    for label, starts_at, zone in product(wording.labels(), _DAYS + _WEEK, _ZONES):
        yield Occasion(starts_at, zone, label)


def _how_to_answer(message: Message, language: str, words: str) -> Iterator[str]:
    if not wording.catalogue()[message].answers:
        return
    for digit in "123":
        if f" {digit} " not in words:
            yield f"{language}/{message}: does not say what {digit} means"
    if not any(
        answers.understand(word) is answers.Answer.OPT_OUT for word in words.replace(":", " ").replace(".", " ").split()
    ):
        yield f"{language}/{message}: does not say which word ends texts"

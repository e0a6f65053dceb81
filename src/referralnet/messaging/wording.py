"""The published wording, and how a text is made of it: nothing but a label, a date and a time is ever filled in."""

from __future__ import annotations

import functools
import string
import tomllib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time

from referralnet import published
from referralnet.errors import Refusal
from referralnet.messaging.neutrality import require_neutral

# Babel's narrow and unbreakable spaces would each turn a whole text into 70-letter segments.
_PLAIN_SPACES = str.maketrans({"\u202f": " ", "\u00a0": " ", "\u2009": " "})


class Message(StrEnum):
    """Every text there is (notifications/catalogue.toml)."""

    APPOINTMENT_SET = "appointment_set"
    APPOINTMENT_CHANGED = "appointment_changed"
    APPOINTMENT_CANCELLED = "appointment_cancelled"
    APPOINTMENT_REMINDER = "appointment_reminder"
    STATUS_DIGEST = "status_digest"
    RECONFIRM_CONTACT = "reconfirm_contact"
    OPT_OUT_CONFIRMATION = "opt_out_confirmation"
    HELP_REPLY = "help_reply"


class WordingMissing(Refusal):
    """There is no wording for this text in this language."""

    code = "WORDING_MISSING"


@dataclass(frozen=True, slots=True)
class Entry:
    """What the catalogue says of one text."""

    audience: str
    variables: frozenset[str]
    segments_at_most: int
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Occasion:
    """The values of one text: when, as the survivor's clock shows it, and under which label."""

    starts_at: datetime
    time_zone: str
    label: str


@functools.cache
def _toml(*parts: str) -> dict[str, Any]:
    return tomllib.loads(published.path("notifications", *parts).read_text(encoding="utf-8"))


@functools.cache
def catalogue() -> dict[Message, Entry]:
    """The catalogue, by message."""
    return {
        Message(key): Entry(
            item["audience"], frozenset(item["variables"]), item["segments_at_most"], tuple(item["answers"])
        )
        for key, item in _toml("catalogue.toml").items()
    }


@functools.cache
def languages() -> tuple[str, ...]:
    """The languages there is a folder of wording for."""
    return tuple(sorted(file.parent.name for file in published.path("notifications").glob("*/language.toml")))


def is_draft(language: str) -> bool:
    """Whether nobody who speaks it and works with survivors has read a language's wording yet."""
    return bool(_toml(language, "language.toml").get("draft", False))


def labels() -> tuple[str, ...]:
    """The keys of the neutral sender labels a survivor may choose from."""
    return tuple(_toml("labels.toml"))


def label_words(label: str, language: str) -> str:
    """A label as the phone shows it.

    Raises:
        WordingMissing: no such label, or none in this language.
    """
    words = _toml("labels.toml").get(label, {}).get(language)
    if words is None:
        raise WordingMissing(detail=f"The label {label} in {language}.")
    return str(words)


@functools.cache
def template(message: Message, language: str) -> str:
    """The wording of one text in one language, one line.

    Raises:
        WordingMissing: the language has no such file, or it uses a value that the catalogue does not allow.
    """
    file = published.path("notifications", language, f"{message}.txt")
    if language not in languages() or not file.is_file():
        raise WordingMissing(detail=f"{message} in {language}.")
    words = file.read_text(encoding="utf-8").strip()
    used = {name for _, name, _, _ in string.Formatter().parse(words) if name is not None}
    if used - catalogue()[message].variables:
        raise WordingMissing(detail=f"{message} in {language} uses a value that is not allowed.")
    return words


def render(message: Message, language: str, occasion: Occasion | None = None, *, label: str | None = None) -> str:
    """The body of a text, in the survivor's language and on her clock.

    Args:
        label: words in place of those of the occasion's label, to look at. Nothing that is sent has any.

    Raises:
        WordingMissing: no such wording, language or label.
        NotNeutral: the finished body holds a forbidden word or a link (M3).
    """
    body = template(message, language)
    if occasion is not None:
        body = body.format_map(_values(language, occasion) | ({} if label is None else {"label": label}))
    require_neutral(body)
    return body


def _values(language: str, occasion: Occasion) -> dict[str, str]:
    how = _toml(language, "language.toml")
    local = occasion.starts_at.astimezone(ZoneInfo(occasion.time_zone))
    return {
        "label": label_words(occasion.label, language),
        "date": format_date(local, how["date"], locale=how["locale"]).translate(_PLAIN_SPACES),
        # Naive, because Babel would convert an aware time to UTC before writing it.
        "time": format_time(local.time(), how["time"], locale=how["locale"]).translate(_PLAIN_SPACES),
    }

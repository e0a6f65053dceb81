"""How the texts of one language look on a phone, and what each would cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from referralnet.errors import InvalidInput
from referralnet.messaging import segments, wording
from referralnet.messaging.segments import Cost
from referralnet.messaging.wording import Message, Occasion
from referralnet.survivors.vocabulary import time_zones

TIME_ZONE = "America/Chicago"
DAYS_MAX = 3660
_AHEAD = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Preview:
    """One text as a phone would show it."""

    message: Message
    body: str
    cost: Cost


def preview_texts(
    language: str,
    *,
    label: str | None = None,
    starts_at: datetime | None = None,
    time_zone: str = TIME_ZONE,
    now: datetime,
) -> Iterator[Preview]:
    """Every text of a language, a draft included.

    Args:
        label: a key of labels.toml, the first where none is said.
        starts_at: of the appointment; this time tomorrow where none is said.

    Raises:
        InvalidInput: no such language, label or time zone, or a time of no calendar that she lives by.
    """
    if language not in wording.languages():
        raise InvalidInput(field="language", detail=f"There is wording in: {', '.join(wording.languages())}.")
    if label is not None and label not in wording.labels():
        raise InvalidInput(field="sender_label", detail=f"Use one of: {', '.join(wording.labels())}.")
    if time_zone not in time_zones():
        raise InvalidInput(field="time_zone", detail="Use an IANA name such as America/Chicago.")
    if starts_at is not None and (starts_at.tzinfo is None or abs((starts_at - now).days) > DAYS_MAX):
        raise InvalidInput(field="starts_at", detail=f"With its offset from UTC, at most {DAYS_MAX} days from now.")
    occasion = Occasion(starts_at or now + _AHEAD, time_zone, label or wording.labels()[0])
    for message in Message:
        body = wording.render(message, language, occasion if wording.catalogue()[message].variables else None)
        yield Preview(message, body, segments.cost(body))

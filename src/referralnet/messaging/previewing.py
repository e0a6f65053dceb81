"""How the texts of one language look on a phone, and what each would cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from referralnet.errors import InvalidInput
from referralnet.messaging import segments, wording
from referralnet.messaging.neutrality import NotNeutral
from referralnet.messaging.segments import Cost
from referralnet.messaging.windows import EARLIEST, LATEST, SafeWindow, before, next_slot
from referralnet.messaging.wording import Message, Occasion
from referralnet.survivors.vocabulary import time_zones

TIME_ZONE = "America/Chicago"
DAYS_MAX = 3660
_AHEAD = timedelta(days=1)
_ALWAYS = (SafeWindow(frozenset(range(7)), EARLIEST, LATEST),)


@dataclass(frozen=True, slots=True)
class Preview:
    """One text as a phone would show it."""

    message: Message
    body: str
    cost: Cost


def preview_reminders(hours: Sequence[int], starts_at: datetime, time_zone: str, *, now: datetime) -> list[datetime]:
    """When a survivor would be reminded of a visit, with no safe windows but those that hold for everybody (M2).

    Args:
        hours: before the visit, in any order.
        starts_at: of the visit, after `now`; both aware.
        time_zone: IANA name of the zone that she lives by.
    """
    zone = ZoneInfo(time_zone)
    moments = (max(before(starts_at, each, zone), now) for each in sorted(set(hours), reverse=True))
    slots = (next_slot(_ALWAYS, zone, since=moment, until=starts_at) for moment in moments)
    # Two that fall into one window are one text.
    return sorted({slot.due_at for slot in slots if slot is not None})


def preview_label(words: str, language: str, time_zone: str, *, now: datetime) -> Preview | None:
    """A reminder as a phone would show it if it opened with these words; None where it could not be sent so.

    Args:
        words: of which nothing speaks against one as a label (label_wording.py).
        language: one that there is wording in.
        time_zone: IANA name.
    """
    occasion = Occasion(now + _AHEAD, time_zone, wording.labels()[0])
    try:
        body = wording.render(Message.APPOINTMENT_REMINDER, language, occasion, label=words)
    except NotNeutral:
        return None
    return Preview(Message.APPOINTMENT_REMINDER, body, segments.cost(body))


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

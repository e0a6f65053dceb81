"""Safe windows: the hours of the week in which a survivor's phone may be texted or called, on her own clock."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from referralnet.errors import InvalidInput

WINDOWS_MAX = 21
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class SafeWindow:
    """Hours of some weekdays (0 is Monday), "HH:MM"; an end before the start is the next day's."""

    weekdays: tuple[int, ...]
    start: str
    end: str


def check_windows(windows: Sequence[SafeWindow], *, wanted: bool) -> list[dict[str, Any]]:
    """The windows as they are stored.

    With `wanted` at least one must be there, because texts were opted in to: no window means never.

    Raises:
        InvalidInput: field ``safe_windows``, saying which one and why.
    """
    if wanted and not windows:
        raise InvalidInput(field="safe_windows", detail="Give at least one, or no text could ever go out.")
    if len(windows) > WINDOWS_MAX:
        raise InvalidInput(field="safe_windows", detail=f"At most {WINDOWS_MAX}.")
    return [_stored(number, window) for number, window in enumerate(windows, start=1)]


def describe_windows(stored: Sequence[dict[str, Any]]) -> str:
    """Stored windows in one line, e.g. ``Mon, Tue 09:00-20:00; Sat 10:00-12:00``."""
    return "; ".join(
        f"{', '.join(_WEEKDAYS[day] for day in window['weekdays'])} {window['start']}-{window['end']}"
        for window in stored
    )


def _stored(number: int, window: SafeWindow) -> dict[str, Any]:
    days = tuple(window.weekdays)
    if not days or len(set(days)) < len(days) or not set(days) <= set(range(7)):
        raise _wrong(number, "Weekdays are 0 (Monday) to 6, each once.")
    if not (_CLOCK.fullmatch(window.start) and _CLOCK.fullmatch(window.end)):
        raise _wrong(number, "Times are written HH:MM, from 00:00 to 23:59.")
    if window.start == window.end:
        raise _wrong(number, "It begins and ends at the same time.")
    return {"weekdays": sorted(days), "start": window.start, "end": window.end}


def _wrong(number: int, why: str) -> InvalidInput:
    return InvalidInput(field="safe_windows", detail=f"Window {number}: {why}")

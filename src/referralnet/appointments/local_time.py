"""From the clock on a wall to one instant, or a refusal that shows what the clock would have meant (M13)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from referralnet.errors import InvalidInput, Refusal

_OFFSET = re.compile(r"([+-])([01][0-9]):([0-5][0-9])", re.ASCII)


class LocalTimeDoesNotExist(Refusal):
    """Clocks are put forward over this time, so it does not exist. Choose one of its neighbours."""

    code = "LOCAL_TIME_DOES_NOT_EXIST"

    def __init__(self, field: str, candidates: tuple[datetime, datetime]) -> None:
        self.candidates = candidates
        super().__init__(field=field, detail=_told(candidates))


class LocalTimeOccursTwice(Refusal):
    """Clocks are put back over this time, so it occurs twice. Say with its offset from UTC which of the two it is."""

    code = "LOCAL_TIME_OCCURS_TWICE"

    def __init__(self, field: str, candidates: tuple[datetime, datetime]) -> None:
        self.candidates = candidates
        super().__init__(field=field, detail=_told(candidates))


def zone_named(time_zone: str, *, field: str = "time_zone") -> ZoneInfo:
    """The IANA zone of that name.

    Raises:
        InvalidInput: there is none; names the field.
    """
    try:
        return ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(field=field, detail="Use an IANA name such as America/Chicago.") from None


def offset_of(written: str, *, field: str = "utc_offset") -> timedelta:
    """The offset from UTC that a worker wrote, such as ``-05:00``.

    Raises:
        InvalidInput: it is none; names the field.
    """
    match = _OFFSET.fullmatch(written)
    if match is None:
        raise InvalidInput(field=field, detail="Write it as -05:00.")
    size = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return -size if match[1] == "-" else size


def instant_of(
    local: datetime, time_zone: str, *, utc_offset: timedelta | None = None, field: str = "local_start"
) -> datetime:
    """The instant (UTC) at which a clock in `time_zone` shows `local`.

    Args:
        local: naive, what the wall shows.
        time_zone: an IANA name.
        utc_offset: which of two it is, where the time occurs twice; elsewhere it must be the one that holds.
        field: the input field that a refusal names.

    Raises:
        LocalTimeDoesNotExist, LocalTimeOccursTwice: with both candidates, earlier first.
        InvalidInput: `local` carries an offset, the zone is not known, or no clock there shows `utc_offset` then.
    """
    if local.tzinfo is not None:
        raise InvalidInput(field=field, detail="Give the local time without an offset.")
    zone = zone_named(time_zone)
    instants = sorted(local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    shown = (instants[0].astimezone(zone), instants[1].astimezone(zone))
    if shown[0].replace(tzinfo=None, fold=0) != local.replace(fold=0):
        raise LocalTimeDoesNotExist(field, shown)
    if utc_offset is not None:
        return _with_offset(shown, utc_offset)
    if instants[0] == instants[1]:
        return instants[0]
    raise LocalTimeOccursTwice(field, shown)


def _with_offset(candidates: tuple[datetime, datetime], utc_offset: timedelta) -> datetime:
    for candidate in candidates:
        if candidate.utcoffset() == utc_offset:
            return candidate.astimezone(UTC)
    raise InvalidInput(field="utc_offset", detail=_told(candidates))


def _told(candidates: tuple[datetime, datetime]) -> str:
    told = dict.fromkeys(candidate.isoformat(timespec="minutes") for candidate in candidates)
    return f"It could be {' or '.join(told)}."

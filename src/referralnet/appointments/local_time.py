"""From the clock on a wall to one instant, or a refusal that shows what the clock would have meant (M13)."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from referralnet.errors import InvalidInput, Refusal


class LocalTimeDoesNotExist(Refusal):
    """Clocks are put forward over this time, so it does not exist. Choose one of its neighbours."""

    code = "LOCAL_TIME_DOES_NOT_EXIST"

    def __init__(self, field: str, candidates: tuple[datetime, datetime]) -> None:
        self.candidates = candidates
        super().__init__(field=field, detail=_told(candidates))


class LocalTimeOccursTwice(Refusal):
    """Clocks are put back over this time, so it occurs twice. Choose a time that occurs once."""

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


def instant_of(local: datetime, time_zone: str, *, field: str = "local_start") -> datetime:
    """The instant (UTC) at which a clock in `time_zone` shows `local`.

    Args:
        local: naive, what the wall shows.
        time_zone: an IANA name.
        field: the input field that a refusal names.

    Raises:
        LocalTimeDoesNotExist, LocalTimeOccursTwice: with both candidates, earlier first.
        InvalidInput: `local` carries an offset, or the zone is not known.
    """
    if local.tzinfo is not None:
        raise InvalidInput(field=field, detail="Give the local time without an offset.")
    zone = zone_named(time_zone)
    instants = sorted(local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if instants[0] == instants[1]:
        return instants[0]
    shown = (instants[0].astimezone(zone), instants[1].astimezone(zone))
    if shown[0].replace(tzinfo=None, fold=0) == local.replace(fold=0):
        raise LocalTimeOccursTwice(field, shown)
    raise LocalTimeDoesNotExist(field, shown)


def _told(candidates: tuple[datetime, datetime]) -> str:
    earlier, later = (candidate.isoformat(timespec="minutes") for candidate in candidates)
    return f"It could be {earlier} or {later}."

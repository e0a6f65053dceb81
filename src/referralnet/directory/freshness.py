"""How long a count of units is believed, on one screen: after that it is unconfirmed, and never shown as free (D5).

A bed is taken within the hour; a place in a lawyer's calendar is filled by the week. The unit's name decides (HSDS
unit.name, in any case of letters), because that is what agencies count in.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

FRESH_FOR: Mapping[str, timedelta] = {
    "bed": timedelta(hours=24),
    "crib": timedelta(hours=24),
    "family room": timedelta(hours=24),
    "private room": timedelta(hours=24),
    "hotel night": timedelta(hours=24),
    "ride": timedelta(hours=24),
    "exam room": timedelta(hours=24),
    "apartment": timedelta(days=7),
    "child care place": timedelta(days=7),
    "intake appointment": timedelta(days=7),
    "legal intake slot": timedelta(days=7),
    "counseling slot": timedelta(days=7),
    "interpreter hour": timedelta(days=7),
}
"""Units that agencies may count in, and for how long each count holds."""

FRESH_FOR_OTHER_UNITS = timedelta(hours=24)
"""Of units that an import brought under names of its own: as strict as for a bed."""


def fresh_for(unit: str) -> timedelta:
    """How long a count of this unit holds."""
    return FRESH_FOR.get(unit.strip().lower(), FRESH_FOR_OTHER_UNITS)


def is_fresh(unit: str, updated: datetime, now: datetime) -> bool:
    """Whether a count of `updated` is believed at `now`; one from the future is not."""
    return now - fresh_for(unit) <= updated <= now


def fresh_condition(unit: str, updated: str, now: str = ":now") -> str:
    """The same as a condition in SQL, over the expressions of a unit's name and of two times."""
    return f"{updated} between cast({now} as timestamptz) - {_fresh_seconds(unit)} * interval '1 second' and {now}"


def counted_freshly(count: str, now: str = ":now") -> str:
    """The same of a row `count` of service_capacity; units are looked up once for a statement, not for each row."""
    periods = sorted({*FRESH_FOR.values(), FRESH_FOR_OTHER_UNITS})
    believed = " or ".join(
        f"{count}.updated >= {_ago(period, now)} and {count}.unit_id = any (array({_units_fresh_for(period)}))"
        for period in periods
    )
    return f"{count}.updated between {_ago(periods[-1], now)} and {now} and ({believed})"


def _fresh_seconds(unit: str) -> str:
    cases = " ".join(
        f"when '{name}' then {_seconds(period)}"
        for name, period in FRESH_FOR.items()
        if period != FRESH_FOR_OTHER_UNITS
    )
    return f"case lower(trim({unit})) {cases} else {_seconds(FRESH_FOR_OTHER_UNITS)} end"


def _units_fresh_for(period: timedelta) -> str:
    return f"select unit.id from unit where {_fresh_seconds('unit.name')} = {_seconds(period)}"  # noqa: S608 (ours)


def _ago(period: timedelta, now: str) -> str:
    return f"cast({now} as timestamptz) - {_seconds(period)} * interval '1 second'"


def _seconds(period: timedelta) -> int:
    return int(period.total_seconds())

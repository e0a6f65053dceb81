"""Calendar quarters that are over: what is published of one stays, and no two of them overlap."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import NamedTuple

_MONTHS = 3


class Quarter(NamedTuple):
    """A quarter of a calendar year, counted from 1; its months begin and end in UTC."""

    year: int
    number: int

    @property
    def since(self) -> datetime:
        """Its first instant."""
        return datetime(self.year, (self.number - 1) * _MONTHS + 1, 1, tzinfo=UTC)

    @property
    def until(self) -> datetime:
        """The first instant after it."""
        return self.shifted(1).since

    @property
    def months(self) -> tuple[date, ...]:
        """The first day of each of its months."""
        return tuple(date(self.year, (self.number - 1) * _MONTHS + month, 1) for month in (1, 2, 3))

    def shifted(self, quarters: int) -> Quarter:
        """So many quarters later, or earlier where it is below zero."""
        year, index = divmod(self.year * 4 + self.number - 1 + quarters, 4)
        return Quarter(year, index + 1)


def quarter_of(day: date) -> Quarter:
    """The quarter that a day lies in."""
    return Quarter(day.year, (day.month - 1) // _MONTHS + 1)


def quarters_over(now: datetime, count: int) -> list[Quarter]:
    """The last ones that are over, the newest first."""
    current = quarter_of(now.astimezone(UTC).date())
    return [current.shifted(-back) for back in range(1, count + 1)]

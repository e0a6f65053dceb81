"""What survivors gained: met needs, answers, visits and refusals of a quarter, in counts that tell of nobody.

Counted are referrals by the quarter in which they were sent; a quarter is told once it is over, and quarters do not
overlap, so that none is the difference of two others. All tables of a quarter are made safe together (`small_cells`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import cast, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.database.acting import AgencyKind, Member, Role
from referralnet.directory.taxonomy import widest
from referralnet.errors import InvalidInput, NotPermitted
from referralnet.identity.access import Permission, require
from referralnet.referrals.lifecycle import RejectReason
from referralnet.referrals.quarters import Quarter, quarter_of, quarters_over
from referralnet.referrals.small_cells import SMALL_BELOW, Sum, leave_out_small

QUARTERS_TOLD = 8
ALL = "all"
FATES: Mapping[str, frozenset[str]] = {
    "met": frozenset({"services_received"}),
    "partly_met": frozenset({"partly_received"}),
    "not_met": frozenset({"not_received", "referred_elsewhere", "no_longer_interested"}),
    "declined": frozenset({"rejected"}),
    "unanswered": frozenset({"expired"}),
    "taken_back": frozenset({"cancelled"}),
    "open": frozenset({"open"}),
}
"""What became of a referral, by outcomes and statuses of the lifecycle."""
VISITS: Mapping[str, frozenset[str]] = {
    "attended": frozenset({"fulfilled"}),
    "missed": frozenset({"noshow"}),
    "visit_cancelled": frozenset({"cancelled"}),
    "still_booked": frozenset({"booked"}),
}
REASONS: Mapping[str, frozenset[str]] = {reason.value: frozenset({reason.value}) for reason in RejectReason}


class Side(StrEnum):
    """Whose referrals are counted."""

    SENT = "sent"
    RECEIVED = "received"
    NETWORK = "network"


class _Cell(NamedTuple):
    """A count: of which table, along which axis, in which row and column."""

    table: str
    axis: str
    row: str
    column: str


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table: a kind of service, a month (YYYY-MM) or ``all``; a count that is left out is None."""

    code: str
    total: int | None
    counts: Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class Table:
    """Counts by kind of service and by month, and all of them together; `columns` in their order."""

    columns: tuple[str, ...]
    by_service: list[Line]
    by_month: list[Line]
    all: Line


@dataclass(frozen=True, slots=True)
class Wait:
    """Medians of at least 11: hours until the answer, and days from asking until the first visit; else None."""

    code: str
    answer_hours: float | None
    visit_days: float | None


@dataclass(frozen=True, slots=True)
class Measures:
    """A quarter. `met_by_quarter` has the fates of each quarter that is told, oldest first, by its first day."""

    side: Side
    quarter: Quarter
    fates: Table
    reasons: Table
    visits: Table
    waits: list[Wait]
    met_by_quarter: list[tuple[Quarter, Line]]


def sides_of(actor: Member) -> list[Side]:
    """Whose referrals a member may see counted: first her agency's, last the whole network's."""
    own = [Side.SENT, Side.RECEIVED] if actor.roles & {Role.AGENCY_ADMIN, Role.AUDITOR} else []
    keeps = actor.agency_kind is AgencyKind.NETWORK_OPERATOR and actor.roles & {Role.NETWORK_ADMIN, Role.AUDITOR}
    return [Side.NETWORK, *own] if keeps else own


async def measure(session: AsyncSession, actor: Member, side: Side, quarter: Quarter, *, now: datetime) -> Measures:
    """The measures of a quarter that is over, in three statements.

    Raises:
        NotPermitted: neither admin nor auditor; or the network's, by somebody who keeps no network.
        InvalidInput: the quarter is not over, or too long ago.
    """
    require(actor, Permission.READ_MEASURES)
    if side not in sides_of(actor):
        raise NotPermitted(field="side")
    told = quarters_over(now, QUARTERS_TOLD)
    if quarter not in told:
        raise InvalidInput(field="quarter", detail=f"One of the last {QUARTERS_TOLD} that are over.")
    fates, visits = await _counted(session, side, told[-1].since, told[0].until)
    safe = {each: _made_safe(each, fates, visits) for each in told}
    chosen = safe[quarter]
    return Measures(
        side, quarter, chosen["fates"], chosen["reasons"], chosen["visits"], await _waits(session, side, quarter),
        [(each, safe[each]["fates"].all) for each in reversed(told)],
    )  # fmt: skip


def _kind(service_type: str) -> str:
    """The kind of service that it is counted under: fewer kinds leave fewer counts too small to be told."""
    return widest().get(service_type, service_type)


Counts = list[tuple[str, date, str, str | None, int]]
"""Kind of service, month, what it was, why, how many."""


async def _counted(session: AsyncSession, side: Side, since: datetime, until: datetime) -> tuple[Counts, Counts]:
    fates = func.count_fates(side, since, until).table_valued("service_type", "month", "fate", "reason", "referrals")
    visits = func.count_visits(side, since, until).table_valued("service_type", "month", "status", "visits")
    found: Counts = [
        (kind, month, fate, reason, n) for kind, month, fate, reason, n in await session.execute(select(fates))
    ]
    visited: Counts = [
        (kind, month, status, None, n) for kind, month, status, n in await session.execute(select(visits))
    ]
    return found, visited


def _made_safe(quarter: Quarter, fates: Counts, visits: Counts) -> dict[str, Table]:
    of_fates, of_visits = ([row for row in rows if quarter_of(row[1]) == quarter] for rows in (fates, visits))
    kinds = sorted({_kind(row[0]) for row in (*of_fates, *of_visits)})
    rows = [("service", kind) for kind in kinds] + [("month", f"{month:%Y-%m}") for month in quarter.months]
    declined: Counts = [
        (kind, month, reason or "", None, count) for kind, month, _, reason, count in of_fates if reason
    ]
    counts: Counter[_Cell] = Counter()
    for table, columns, found in (
        ("fates", FATES, of_fates), ("reasons", REASONS, declined), ("visits", VISITS, of_visits),
    ):  # fmt: skip
        counts.update(_cells(table, columns, found, rows))
    sums = list(_sums(rows, kinds, quarter))
    told = leave_out_small(counts, sums)
    return {
        name: _table(name, tuple(columns), rows, told)
        for name, columns in (("fates", FATES), ("reasons", REASONS), ("visits", VISITS))
    }


_TOTALS = {"fates": ("fates", ALL), "reasons": ("fates", "declined"), "visits": ("visits", ALL)}
"""What a row of each table adds up to: the reasons to what was declined, in the table of fates."""
_COLUMNS = {"fates": FATES, "reasons": REASONS, "visits": VISITS}


def _cells(
    table: str, columns: Mapping[str, frozenset[str]], found: Counts, rows: list[tuple[str, str]]
) -> Counter[_Cell]:
    counts: Counter[_Cell] = Counter()
    own_total = _TOTALS[table] == (table, ALL)
    for axis, row in [*rows, (ALL, ALL)]:
        for column in [*columns, *([ALL] if own_total else [])]:
            counts[_Cell(table, axis, row, column)] = 0
    for kind, month, what, _, count in found:
        column = next(name for name, codes in columns.items() if what in codes)
        for axis, row in (("service", _kind(kind)), ("month", f"{month:%Y-%m}"), (ALL, ALL)):
            for in_column in [column, *([ALL] if own_total else [])]:
                counts[_Cell(table, axis, row, in_column)] += count
    return counts


def _sums(rows: list[tuple[str, str]], kinds: list[str], quarter: Quarter) -> Iterable[Sum[_Cell]]:
    months = [f"{month:%Y-%m}" for month in quarter.months]
    for table, columns in _COLUMNS.items():
        whole, total = _TOTALS[table]
        for axis, row in [*rows, (ALL, ALL)]:
            yield Sum(_Cell(whole, axis, row, total), tuple(_Cell(table, axis, row, column) for column in columns))
        for column in [*columns, *([ALL] if whole == table else [])]:
            for axis, codes in (("service", kinds), ("month", months)):
                parts = tuple(_Cell(table, axis, code, column) for code in codes)
                yield Sum(_Cell(table, ALL, ALL, column), parts)


def _table(name: str, columns: tuple[str, ...], rows: list[tuple[str, str]], told: Mapping[_Cell, int | None]) -> Table:
    whole, total = _TOTALS[name]

    def line(axis: str, row: str) -> Line:
        counts = {column: told[_Cell(name, axis, row, column)] for column in columns}
        return Line(row, told[_Cell(whole, axis, row, total)], counts)

    lines = {axis: [line(axis, row) for of, row in rows if of == axis] for axis in ("service", "month")}
    return Table(columns, lines["service"], lines["month"], line(ALL, ALL))


async def _waits(session: AsyncSession, side: Side, quarter: Quarter) -> list[Wait]:
    measured = func.measure_waits(side, quarter.since, quarter.until, cast(widest(), JSONB)).table_valued(
        "service_type", "month", "answered", "answer_hours", "visited", "visit_days"
    )
    rows = [_wait(*row) for row in await session.execute(select(measured))]
    return sorted(rows, key=lambda wait: wait.code)


def _wait(kind: str | None, month: date | None, answered: int, hours: Any, visited: int, days: Any) -> Wait:
    code = kind or (f"{month:%Y-%m}" if month else ALL)
    enough = (answered >= SMALL_BELOW, visited >= SMALL_BELOW)
    return Wait(code, round(hours, 1) if enough[0] else None, round(days, 1) if enough[1] else None)

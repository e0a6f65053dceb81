"""One row of an agency's list of running referrals, read from CSV: every cell that will not do is told (D6)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from referralnet.directory import values
from referralnet.directory.dirt import clean
from referralnet.directory.packages import SourceFile
from referralnet.directory.problems import PackageUnreadable, Problems, Severity
from referralnet.directory.values import UnreadableValue
from referralnet.referrals.calling import Call, CallAnswer
from referralnet.referrals.lifecycle import RejectReason
from referralnet.survivors.needs import Accessibility, AgeBand, NewNeed, Urgency

CALLED_WITHIN = timedelta(days=365)
ROWS_MAX = 5000


class _Unfit(Exception):
    """The cells of a row do not fit one another."""

    def __init__(self, column: str, message: str, hint: str) -> None:
        self.column, self.hint = column, hint
        super().__init__(message)


class _Codes:
    """Reads one code of a closed list."""

    def __init__(self, codes: type[Urgency | AgeBand | Accessibility | CallAnswer | RejectReason]) -> None:
        self._codes = codes

    def __call__(self, cell: str) -> str:
        if cell not in set(self._codes):
            raise UnreadableValue("not one of the codes", f"Write one of: {', '.join(self._codes)}.")
        return cell


def _several(cell: str) -> frozenset[str]:
    return frozenset(_Codes(Accessibility)(part.strip()) for part in cell.split(",") if part.strip())


def _yes(cell: str) -> bool:
    if cell.lower() not in ("yes", "no"):
        raise UnreadableValue("neither yes nor no", "Write yes or no.")
    return cell.lower() == "yes"


def _id(cell: str) -> UUID:
    try:
        return UUID(cell)
    except ValueError:
        raise UnreadableValue("not an id", "Copy service_at_location_id from a search.") from None


def _moment(cell: str) -> datetime:
    moment = values.instant(cell)
    if not any(mark in cell[10:] for mark in "Zz+-"):
        raise UnreadableValue("a time without a zone", "Write 2026-11-30T14:00:00-06:00.")
    return moment.astimezone(UTC)


COLUMNS: Mapping[str, Callable[[str], object] | None] = {
    "own_id": None,
    "case_label": None,
    "given_name": None,
    "family_name": None,
    "date_of_birth": values.date,
    "service_at_location_id": _id,
    "organization": None,
    "service": None,
    "service_type": None,
    "urgency": _Codes(Urgency),
    "region": None,
    "language": values.language_code,
    "household_size": values.whole,
    "age_band": _Codes(AgeBand),
    "accessibility": _several,
    "immigration_sensitive": _yes,
    "called_at": _moment,
    "answer": _Codes(CallAnswer),
    "reason": _Codes(RejectReason),
}
"""How each column is read; None where the cell is the value."""
REQUIRED = ("own_id", "case_label", "service_type", "urgency", "region", "language", "household_size", "age_band")


@dataclass(frozen=True, slots=True)
class ImportedRow:
    """A running referral of the agency's, as its list has it. It shows in no representation."""

    line: int
    own_id: str = field(repr=False)
    case_label: str = field(repr=False)
    given_name: str | None = field(repr=False)
    family_name: str | None = field(repr=False)
    date_of_birth: date | None = field(repr=False)
    service_at_location_id: UUID | None
    organization: str | None
    service: str | None
    need: NewNeed = field(repr=False)
    call: Call | None
    content: str = field(repr=False)
    """Every cell of the row: whether the list says something else now than when it was imported."""


class ImportFile:
    """A CSV file of running referrals; `problems` hears of all that is wrong with it."""

    def __init__(self, path: Path, problems: Problems, *, now: datetime) -> None:
        self.name, self._problems, self._now = path.name, problems, now
        self._source = SourceFile(path.name, path)

    def rows(self) -> Iterator[ImportedRow]:
        """The rows that can be read.

        Raises:
            PackageUnreadable: the file is no text or no CSV, a column is lacking, or there are too many rows.
        """
        names = [name.lower() for name in self._source.header()]
        for lacking in (name for name in REQUIRED if name not in names):
            raise PackageUnreadable(self.name, lacking, "the column is missing and no row can do without it")
        for unknown in (name for name in names if name not in COLUMNS):
            message, hint = "the column is not one of these lists; not kept", "docs/referral-import.md has them all."
            self._problems.add(Severity.NOTE, self.name, 1, unknown, "", message, hint)
        met: set[str] = set()
        for line, cells in self._lines():
            if len(met) >= ROWS_MAX:
                raise PackageUnreadable(self.name, "", f"more than {ROWS_MAX} rows; split the file")
            row = self._row(line, names, cells)
            if row is not None and row.own_id in met:
                self.refuse(line, "own_id", "another row has this id", "Give each referral an id of its own.")
            elif row is not None:
                met.add(row.own_id)
                yield row

    def refuse(self, line: int, column: str, message: str, hint: str) -> None:
        """Say why a row keeps the file out. No value is repeated."""
        self._problems.add(Severity.KEPT_OUT, self.name, line, column, "", message, hint)

    def note(self, line: int, column: str, message: str, hint: str) -> None:
        """Say what is worth knowing of a row that comes in, or is there already."""
        self._problems.add(Severity.NOTE, self.name, line, column, "", message, hint)

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        lines = self._source.rows()
        next(lines, None)
        return lines

    def _row(self, line: int, names: list[str], cells: list[str]) -> ImportedRow | None:
        def tell(at: int, severity: Severity, message: str, hint: str) -> None:
            self._problems.add(severity, self.name, line, names[at] if at < len(names) else "", "", message, hint)

        cleaned = clean(cells, tell, spreadsheet=True)
        if not any(cleaned):
            return None
        if len(cleaned) != len(names):
            self.refuse(line, "", f"{len(cleaned)} cells in place of {len(names)}", "Quote cells with a comma.")
            return None
        texts = {name: cell for name, cell in zip(names, cleaned, strict=True) if name in COLUMNS and cell}
        read = self._values(line, texts)
        if read is None:
            return None
        try:
            return _made(line, read, texts, self._now)
        except _Unfit as unfit:
            self.refuse(line, unfit.column, str(unfit), unfit.hint)
            return None

    def _values(self, line: int, texts: Mapping[str, str]) -> dict[str, Any] | None:
        """The values of a row, or none where one of them will not do; each that will not is told."""
        read: dict[str, Any] = {}
        refuse, whole = partial(self.refuse, line), True
        for name in (name for name in REQUIRED if name not in texts):
            refuse(name, "is blank and no row can do without it", "Fill it in.")
            whole = False
        for name, cell in texts.items():
            reader = COLUMNS[name]
            try:
                read[name] = cell if reader is None else reader(cell)
            except UnreadableValue as error:
                refuse(name, str(error), error.hint)
                whole = False
        return read if whole else None


def _made(line: int, read: dict[str, Any], texts: Mapping[str, str], now: datetime) -> ImportedRow:
    return ImportedRow(
        line=line,
        own_id=read["own_id"],
        case_label=read["case_label"],
        given_name=read.get("given_name"),
        family_name=read.get("family_name"),
        date_of_birth=read.get("date_of_birth"),
        service_at_location_id=read.get("service_at_location_id"),
        organization=read.get("organization"),
        service=read.get("service"),
        need=_need(read),
        call=_call(read, now),
        content="\x1f".join(f"{name}={texts[name]}" for name in sorted(texts)),
    )


def _need(read: dict[str, Any]) -> NewNeed:
    return NewNeed(
        service_type=read["service_type"],
        urgency=Urgency(read["urgency"]),
        region=read["region"],
        language=read["language"],
        household_size=read["household_size"],
        age_band=AgeBand(read["age_band"]),
        accessibility=frozenset(Accessibility(code) for code in read.get("accessibility", ())),
        immigration_sensitive=read.get("immigration_sensitive", False),
    )


def _call(read: dict[str, Any], now: datetime) -> Call | None:
    called_at, answer, reason = read.get("called_at"), read.get("answer"), read.get("reason")
    if (called_at is None) != (answer is None):
        message = "a call without its answer, or an answer without its call"
        raise _Unfit("called_at", message, "Give called_at and answer, or neither.")
    if (reason is not None) != (answer == CallAnswer.DECLINED):
        raise _Unfit("reason", "a reason belongs to the answer declined, and there alone", "See answer.")
    if called_at is None or answer is None:
        return None
    if not now - CALLED_WITHIN <= called_at <= now:
        raise _Unfit("called_at", "ahead, or more than a year ago", "Leave referrals out that are over.")
    return Call(called_at, CallAnswer(answer), RejectReason(reason) if reason else None)

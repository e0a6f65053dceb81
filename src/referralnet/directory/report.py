"""An import told to people: what changed, then what was wrong by kind, then every row."""

from __future__ import annotations

from collections.abc import Iterator

from referralnet.directory.importing import ImportResult
from referralnet.directory.problems import Severity


def summary(result: ImportResult, *, dry_run: bool = False) -> Iterator[str]:
    """Lines: rows by table, then each kind of problem with how often it occurs."""
    yield f"Package {result.package} (HSDS {result.version}): {result.rows_read} rows kept"
    yield f"  {'':20}{'new':>8}{'changed':>9}{'the same':>10}{'gone':>7}"
    for table, count in result.counts.items():
        if count.read or count.gone:
            yield f"  {table:20}{count.inserted:>8}{count.updated:>9}{count.unchanged:>10}{count.gone:>7}"
    yield _outcome(result, dry_run=dry_run)
    severity = None
    for (kind, file, column, message, hint), times in result.problems.groups():
        if kind is not severity:
            severity = kind
            yield f"{severity.capitalize()}: {result.problems.count(severity)}"
        yield f"  {times:>6} x {file}{f' {column}' if column else ''}: {message}{f'. {hint}' if hint else ''}"


def every_row(result: ImportResult) -> Iterator[str]:
    """A line for each row or cell that was mended, kept out or worth a note, in the order of the package."""
    for problem in result.problems.rows:
        yield str(problem)


def _outcome(result: ImportResult, *, dry_run: bool) -> str:
    if not result.changed:
        return "Nothing has changed since the last import."
    told = f"{result.entries_changed} search entries rewritten"
    kept_out = result.problems.count(Severity.KEPT_OUT)
    told += f"; {kept_out} rows or cells kept out" if kept_out else ""
    return f"Dry run: nothing was written. Otherwise: {told}." if dry_run else f"{told.capitalize()}."

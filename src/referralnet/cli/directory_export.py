"""`referralnet directory export`: the public part of the directory as an HSDS package."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from referralnet.cli.options import load_settings, run_command
from referralnet.cli.progress import with_progress

if TYPE_CHECKING:
    from referralnet.directory.exporting import ExportResult


def export(
    path: Annotated[Path, typer.Argument(help="A new folder or .zip; with --format json a new file.")],
    form: Annotated[str, typer.Option("--format", help="csv or json.")] = "csv",
    package: Annotated[str | None, typer.Option(help="One imported package alone, under the ids it came by.")] = None,
) -> None:
    """Export what is public of the directory, as HSDS 3.1. Says how much was left out or redacted."""
    if form not in {"csv", "json"}:
        raise typer.BadParameter("csv or json", param_hint="--format")
    result = with_progress("Writing", lambda progress: run_command(_export(path, form, package, progress)))
    for line in told(result):
        typer.echo(line)


async def _export(path: Path, form: str, package: str | None, progress: Callable[[str, int], None]) -> ExportResult:
    from referralnet.app import open_database
    from referralnet.clock import SystemClock
    from referralnet.database.acting import PublicReader
    from referralnet.directory.exporting import Format, export_directory

    database = open_database(load_settings(), "owner")
    try:
        async with database.transaction(PublicReader()) as session:
            return await export_directory(
                session, path, form=Format(form), package=package, now=SystemClock().now(), progress=progress
            )
    finally:
        await database.close()


def told(result: ExportResult) -> Iterator[str]:
    """What went out, and what did not (D4)."""
    yield f"{result.package}: {sum(result.rows.values())} rows"
    for table, rows in result.rows.items():
        if rows or table in result.left_out:
            left_out = result.left_out.get(table, 0)
            yield f"  {table:26}{rows:>9}{f'  left out: {left_out}' if left_out else ''}"
    if changes := result.left_out.get("metadata"):
        yield f"  {'metadata':26}{0:>9}  left out: {changes}"
    yield (
        f"Left out: {sum(result.left_out.values())} rows, confidential or hanging on what is, or counts "
        f"no longer fresh. Redacted: {result.redacted_services} services."
    )

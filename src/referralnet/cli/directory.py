"""`referralnet directory …`: HSDS packages in and out, and the project's taxonomy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from referralnet.cli.directory_export import export
from referralnet.cli.options import fail, load_settings, run_command
from referralnet.cli.progress import with_progress

if TYPE_CHECKING:
    from referralnet.directory.importing import ImportResult

app = typer.Typer(help="The directory: HSDS packages and the taxonomy.", no_args_is_help=True)
app.command()(export)
ROWS_SHOWN_MAX = 20


@app.callback()
def directory() -> None:
    """The directory: HSDS packages and the taxonomy."""


@app.command("import")
def import_(
    path: Annotated[Path, typer.Argument(help="A folder, or a zip of one, with CSV files as in HSDS 3.1 or 1.x.")],
    package: Annotated[str | None, typer.Option(help="What to call it; the same name means the same records.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would happen, and change nothing.")] = False,
    report: Annotated[Path | None, typer.Option(help="A file to write every row's problem to.")] = None,
) -> None:
    """Import an HSDS package: all of it or nothing; a second run changes nothing.

    Ends with 0 when the package came in, however much was mended or kept out, and with 1, changing nothing, when it
    cannot be read: the line says which file and column.
    """
    result = with_progress("Reading", lambda progress: run_command(_import(path, package, dry_run, progress)))
    _tell(result, dry_run=dry_run, report=report)


@app.command()
def taxonomy() -> None:
    """Load the project's own taxonomy of victim services; a second run changes nothing."""
    _tell(run_command(_taxonomy()), dry_run=False, report=None)


async def _import(path: Path, package: str | None, dry_run: bool, progress: Callable[[str, int], None]) -> ImportResult:
    from referralnet.app import open_database
    from referralnet.clock import SystemClock
    from referralnet.database.acting import Operator
    from referralnet.directory.importing import import_package
    from referralnet.directory.problems import PackageUnreadable

    database = open_database(load_settings(), "owner")
    try:
        async with database.transaction(Operator()) as session:
            return await import_package(
                session, path, name=package, now=SystemClock().now(), dry_run=dry_run, progress=progress
            )
    except PackageUnreadable as unreadable:
        raise fail(f"Nothing was imported. {unreadable}") from None
    finally:
        await database.close()


async def _taxonomy() -> ImportResult:
    from referralnet.app import open_database
    from referralnet.clock import SystemClock
    from referralnet.database.acting import Operator
    from referralnet.directory.importing import import_taxonomy

    database = open_database(load_settings(), "owner")
    try:
        async with database.transaction(Operator()) as session:
            return await import_taxonomy(session, now=SystemClock().now())
    finally:
        await database.close()


def _tell(result: ImportResult, *, dry_run: bool, report: Path | None) -> None:
    from referralnet.directory.report import every_row, summary

    for line in summary(result, dry_run=dry_run):
        typer.echo(line)
    rows = list(every_row(result))
    if report is not None:
        report.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
        typer.echo(f"Every row is in {report}.")
        return
    for row in rows[:ROWS_SHOWN_MAX]:
        typer.echo(f"  {row}")
    if len(rows) > ROWS_SHOWN_MAX:
        typer.echo(f"  and {len(rows) - ROWS_SHOWN_MAX} more: --report FILE writes every row.")

"""`referralnet directory …`: HSDS packages in and out, and the project's taxonomy."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from referralnet.cli.directory_duplicates import duplicates
from referralnet.cli.directory_export import export
from referralnet.cli.options import fail, load_settings, run_command
from referralnet.cli.progress import with_progress

if TYPE_CHECKING:
    from referralnet.database.transactions import Database
    from referralnet.directory.importing import ImportResult
    from referralnet.directory.problems import RowProblem
    from referralnet.directory.undoing import Undone

app = typer.Typer(help="The directory: HSDS packages and the taxonomy.", no_args_is_help=True)
app.command()(export)
app.command()(duplicates)
ROWS_SHOWN_MAX = 20


@app.callback()
def directory() -> None:
    """The directory: HSDS packages and the taxonomy."""


@app.command("import")
def import_(
    path: Annotated[
        Path, typer.Argument(help="A folder, or a zip of one, with files as in HSDS 3.1, 2.0 or 1.x; or one JSON file.")
    ],
    package: Annotated[str | None, typer.Option(help="What to call it; the same name means the same records.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would happen, and change nothing.")] = False,
    report: Annotated[Path | None, typer.Option(help="A file to write every row's problem to.")] = None,
) -> None:
    """Import an HSDS package: all of it or nothing; a second run changes nothing.

    Ends with 0 when the package came in, however much was mended or kept out, and with 1, changing nothing, when it
    cannot be read: the line says which file and column. `referralnet directory undo` takes it back.
    """
    with report.open("w", encoding="utf-8") if report else nullcontext() as file:

        def spool(problem: RowProblem) -> None:
            if file is not None:
                file.write(f"{problem}\n")

        result = with_progress(
            "Reading", lambda progress: run_command(_import(path, package, dry_run, progress, spool))
        )
    _tell(result, dry_run=dry_run, report=report)


@app.command()
def undo(
    import_id: Annotated[
        UUID | None, typer.Argument(help="Which import; without one, the newest that has not been taken back.")
    ] = None,
) -> None:
    """Take a package's newest import back: every row is as it was before, or nothing happens and it says why.

    It is refused where a later import of the package stands on it, or where somebody has changed or named what it
    brought. A place that it marked as confidential stays so.
    """
    undone = run_command(_undo(import_id))
    typer.echo(f"Import {undone.import_id} of package {undone.package} is taken back.")
    typer.echo(
        f"{undone.removed} rows are gone again, {undone.restored} are as they were; "
        f"{undone.entries_changed} search entries rewritten."
    )


@app.command()
def taxonomy() -> None:
    """Load the project's own taxonomy of victim services; a second run changes nothing."""
    _tell(run_command(_taxonomy()), dry_run=False, report=None)


async def _import(
    path: Path,
    package: str | None,
    dry_run: bool,
    progress: Callable[[str, int], None],
    spool: Callable[[RowProblem], None],
) -> ImportResult:
    from referralnet.clock import SystemClock
    from referralnet.database.acting import Operator
    from referralnet.directory.importing import import_package
    from referralnet.directory.problems import PackageUnreadable

    database = _open_for_imports()
    try:
        async with database.transaction(Operator()) as session:
            now = SystemClock().now()
            return await import_package(
                session, path, name=package, now=now, dry_run=dry_run, progress=progress, spool=spool
            )
    except PackageUnreadable as unreadable:
        raise fail(f"Nothing was imported. {unreadable}") from None
    finally:
        await database.close()


async def _undo(import_id: UUID | None) -> Undone:
    from referralnet.clock import SystemClock
    from referralnet.database.acting import Operator
    from referralnet.directory.undoing import undo_import

    database = _open_for_imports()
    try:
        async with database.transaction(Operator()) as session:
            return await undo_import(session, import_id, now=SystemClock().now())
    finally:
        await database.close()


def _open_for_imports() -> Database:
    from referralnet.app import open_database

    settings = load_settings()
    return open_database(settings, "owner", command_timeout_seconds=settings.database_import_timeout_seconds)


async def _taxonomy() -> ImportResult:
    from referralnet.clock import SystemClock
    from referralnet.database.acting import Operator
    from referralnet.directory.importing import import_taxonomy

    database = _open_for_imports()
    try:
        async with database.transaction(Operator()) as session:
            return await import_taxonomy(session, now=SystemClock().now())
    finally:
        await database.close()


def _tell(result: ImportResult, *, dry_run: bool, report: Path | None) -> None:
    from referralnet.directory.report import every_row, summary

    for line in summary(result, dry_run=dry_run):
        typer.echo(line)
    if report is not None:
        typer.echo(f"Every row is in {report}.")
        return
    for row in islice(every_row(result), ROWS_SHOWN_MAX):
        typer.echo(f"  {row}")
    if len(result.problems) > ROWS_SHOWN_MAX:
        typer.echo(f"  and {len(result.problems) - ROWS_SHOWN_MAX} more: --report FILE writes every row.")

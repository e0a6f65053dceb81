"""`referralnet referrals import`: an agency that joins brings its running referrals."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from referralnet.cli.options import fail, load_settings, run_command
from referralnet.cli.progress import with_progress

if TYPE_CHECKING:
    from referralnet.database.acting import Member
    from referralnet.referrals.importing import Imported
    from referralnet.settings import Settings

ROWS_SHOWN_MAX = 50


class _NothingKept(Exception):
    """Ends the transaction, so that nothing of it stays."""


def import_(
    path: Annotated[Path, typer.Argument(help="A CSV file with the columns of docs/referral-import.md.")],
    agency: Annotated[str, typer.Option(help="The agency's exact name.")],
    login: Annotated[str, typer.Option("--as", help="The coordinator on whose behalf; the trail names them.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would happen, and change nothing.")] = False,
) -> None:
    """Import an agency's running referrals: all of them or nothing; a second run changes nothing.

    To members of the network they come in as drafts, to others as handoffs with the call that was made. Ends with 1,
    changing nothing, when a row cannot come in: each is told with its line, its column and what to do.
    """
    imported = with_progress("Reading", lambda told: run_command(_import(path, agency, login, dry_run, told)))
    for problem in islice(imported.problems.rows, ROWS_SHOWN_MAX):
        typer.echo(f"  {problem}")
    if len(imported.problems) > ROWS_SHOWN_MAX:
        typer.echo(f"  and {len(imported.problems) - ROWS_SHOWN_MAX} more")
    if imported.refused:
        raise fail("Nothing was imported: mend these rows and import the whole file again.")
    typer.echo(
        f"{imported.drafts} drafts, {imported.handoffs} handoffs, {imported.survivors} new records; "
        f"{imported.unchanged} rows were here already."
    )
    if dry_run:
        typer.echo("Dry run: nothing was written.")


async def _import(path: Path, agency: str, login: str, dry_run: bool, progress: Callable[[str, int], None]) -> Imported:
    from referralnet.app import load_keyring, open_database
    from referralnet.clock import SystemClock
    from referralnet.directory.problems import PackageUnreadable
    from referralnet.referrals.importing import import_referrals

    settings = load_settings()
    actor, keyring = await _member(settings, agency, login), load_keyring(settings)
    database = open_database(settings, "app", command_timeout_seconds=settings.database_import_timeout_seconds)
    imported = None
    try:
        async with database.transaction(actor) as session:
            now = SystemClock().now()
            imported = await import_referrals(session, actor, path, keyring=keyring, now=now, progress=progress)
            _keep(imported, dry_run=dry_run)
    except _NothingKept:
        assert imported is not None
    except PackageUnreadable as unreadable:
        raise fail(f"Nothing was imported. {unreadable}") from None
    finally:
        await database.close()
    return imported


def _keep(imported: Imported, *, dry_run: bool) -> None:
    if imported.refused or dry_run:
        raise _NothingKept


async def _member(settings: Settings, agency: str, login: str) -> Member:
    from referralnet.app import open_database
    from referralnet.database.acting import Operator
    from referralnet.identity.agencies import member_named

    database = open_database(settings, "owner")
    try:
        async with database.transaction(Operator()) as session:
            return await member_named(session, agency, login)
    finally:
        await database.close()

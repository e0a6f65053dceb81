"""`referralnet directory duplicates`: which records of different packages may be one; nothing is merged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from referralnet.cli.options import load_settings, run_command

if TYPE_CHECKING:
    from referralnet.directory.duplicates import Duplicate


def duplicates(
    first: Annotated[int, typer.Option(help="How many pairs to print, the likeliest first.", min=1, max=10_000)] = 50,
) -> None:
    """Look for records of different packages that may be one, and propose them. Merges nothing."""
    count, pairs = run_command(_find(first))
    for pair in pairs:
        typer.echo(f"{pair.score:>3}  {pair.kind}: {pair.first_name} ({pair.first_package}, {pair.first_id})")
        typer.echo(f"     and {pair.second_name} ({pair.second_package}, {pair.second_id}): {', '.join(pair.reasons)}")
    typer.echo(f"{count} pairs proposed; admins decide them (Administer, Found twice). Nothing was merged.")


async def _find(first: int) -> tuple[int, list[Duplicate]]:
    from referralnet.app import open_database
    from referralnet.clock import SystemClock
    from referralnet.database.acting import Operator
    from referralnet.directory.duplicates import find_duplicates, list_duplicates

    settings = load_settings()
    database = open_database(settings, "owner", command_timeout_seconds=settings.database_import_timeout_seconds)
    try:
        async with database.transaction(Operator()) as session:
            count = await find_duplicates(session, now=SystemClock().now())
            return count, await list_duplicates(session, first=first)
    finally:
        await database.close()

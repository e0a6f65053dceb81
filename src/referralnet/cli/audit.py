"""`referralnet audit …`: check the trail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from referralnet.cli.options import load_settings, run_command

if TYPE_CHECKING:
    from referralnet.audit.chain import BrokenLink

app = typer.Typer(help="The audit trail.", no_args_is_help=True)


@app.callback()
def audit() -> None:
    """The audit trail."""


@app.command()
def verify() -> None:
    """Recompute every agency's chain; status 1 and the first broken link of each where one does not hold."""
    held, waiting, broken = run_command(_verify())
    typer.echo(f"{held} links hold; {waiting} events wait for the sealer.")
    for link in broken:
        typer.secho(f"agency {link.agency_id}, link {link.position}: {link.reason}", fg=typer.colors.RED)
    if broken:
        raise typer.Exit(1)


async def _verify() -> tuple[int, int, list[BrokenLink]]:
    from referralnet.app import open_database
    from referralnet.audit.chain import unlinked_count, verify_trail
    from referralnet.database.acting import Operator

    database = open_database(load_settings(), "owner")
    try:
        async with database.transaction(Operator()) as session:
            held, broken = await verify_trail(session)
            return held, await unlinked_count(session), broken
    finally:
        await database.close()

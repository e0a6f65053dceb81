"""`referralnet failing`: which rows the worker's jobs fail on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from referralnet.cli.options import load_settings, run_command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from referralnet.identity.tables import FailingRow


def failing(
    reference: Annotated[UUID | None, typer.Argument(help="The reference in an alarm or a log. Default: all.")] = None,
) -> None:
    """Say which rows jobs fail on, by the references of alarms and logs. Ids may be survivors': keep them here."""
    rows = run_command(_read(reference))
    for row in rows:
        typer.echo(f"{row.reference}  {row.job}: row {row.row_id}, of {row.subject_kind} {row.subject_id}")
        typer.echo(f"    {row.error}, {row.failures} times since {row.since:%Y-%m-%d %H:%M:%S} UTC")
    if not rows:
        typer.echo("No job fails on a row." if reference is None else "No job fails on it any more.")


async def _read(reference: UUID | None) -> Sequence[FailingRow]:
    from referralnet.app import open_database
    from referralnet.database.acting import Dispatcher
    from referralnet.identity.failing import read_failing

    database = open_database(load_settings(), "worker")
    try:
        async with database.transaction(Dispatcher()) as session:
            return await read_failing(session, reference)
    finally:
        await database.close()

"""`referralnet health`: whether the worker's jobs still look."""

from __future__ import annotations

import typer

from referralnet.cli.options import load_settings, run_command


def health() -> None:
    """Say when each job of the worker last looked; the exit code is 1 where one ought to have looked since."""
    from datetime import UTC, datetime

    from referralnet.app import open_database
    from referralnet.database.acting import Dispatcher
    from referralnet.jobs.looks import Look, read_looks

    async def read() -> list[Look]:
        database = open_database(load_settings(), "worker")
        try:
            async with database.transaction(Dispatcher()) as session:
                return await read_looks(session, now=now)
        finally:
            await database.close()

    now = datetime.now(UTC)
    looks = run_command(read())
    for look in looks:
        ago = "never" if look.looked_at is None else f"{(now - look.looked_at).total_seconds():.0f} s ago"
        typer.echo(f"{'LATE' if look.is_late else 'ok':<5} {look.job:<20} {ago}")
    if any(look.is_late for look in looks):
        raise typer.Exit(1)

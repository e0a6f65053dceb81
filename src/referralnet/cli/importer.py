"""`referralnet importer`: carry out the imports of the directory that network admins ask for in the console."""

from __future__ import annotations

import typer

from referralnet.cli.options import load_settings, run_command

app = typer.Typer(invoke_without_command=True, help="The importer: directory imports that were asked for.")


@app.callback()
def importer() -> None:
    """Work until SIGTERM, as the database's owner and without the keyring; it serves nobody. One is enough."""
    from referralnet.logging import configure_logging

    settings = load_settings()
    configure_logging(settings.log_level)

    async def work() -> None:
        from referralnet.app import open_database
        from referralnet.clock import SystemClock
        from referralnet.jobs.importer import run_importer

        database = open_database(settings, "owner", command_timeout_seconds=settings.database_import_timeout_seconds)
        listen_url = database.engine.url.render_as_string(hide_password=False)
        await run_importer(database, SystemClock(), listen_url=listen_url)

    run_command(work())

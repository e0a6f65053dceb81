"""`referralnet database …`: make its roles, and bring it up to the newest migration."""

from __future__ import annotations

from pathlib import Path

import typer

from referralnet.cli.options import fail, load_settings, run_command

app = typer.Typer(help="The database: its roles and its migrations.", no_args_is_help=True)


@app.callback()
def database() -> None:
    """The database: its roles and its migrations."""


@app.command()
def migrate() -> None:
    """Run every migration that the database lacks, as the owner role. Running it again changes nothing."""
    from sqlalchemy.exc import DBAPIError

    from referralnet.database.migrating import migrate as bring_up_to_date

    url = load_settings().database_owner_url
    if url is None:
        raise fail("REFERRALNET_DATABASE_OWNER_URL is not set")
    try:
        run_command(bring_up_to_date(url.get_secret_value()))
    except (DBAPIError, OSError) as error:
        raise fail(f"The database could not be migrated: {type(error).__name__}: {error}") from None
    typer.echo("The database is up to date.")


@app.command()
def prepare() -> None:
    """Print the SQL that makes ReferralNet's three roles; whoever administers the server runs it once."""
    import referralnet.database

    typer.echo(Path(referralnet.database.__file__).with_name("roles.sql").read_text("utf-8"), nl=False)

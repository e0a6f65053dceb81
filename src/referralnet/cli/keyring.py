"""`referralnet keyring …`: make the keys that wrap all others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from referralnet.cli.options import fail

app = typer.Typer(help="The keyring: the few keys that wrap all others.", no_args_is_help=True)


@app.callback()
def keyring() -> None:
    """The keyring: the few keys that wrap all others."""


@app.command()
def create(path: Annotated[Path, typer.Argument(help="The file to make; never one that exists.")]) -> None:
    """Make a keyring that only this account can read. Keep it apart from every backup of the data."""
    from referralnet.encryption.keyring import Keyring

    if path.exists():
        raise fail(f"{path} exists: without it everything it sealed is lost, so it is not replaced")
    Keyring.read_or_create(path)
    typer.echo(f"{path} is made. Whoever has it and the database can read everything: keep them apart.")

"""`referralnet survivors …`: what has to be done to the records of survivors on the host; it shows none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from referralnet.cli.options import load_settings, run_command

if TYPE_CHECKING:
    from collections.abc import Callable

    from referralnet.settings import Settings

app = typer.Typer(help="Records of survivors, without showing any.", no_args_is_help=True)


@app.callback()
def survivors() -> None:
    """Records of survivors, without showing any."""


@app.command()
def index() -> None:
    """Make the search hashes of records that have none. It may be stopped and run again at any time."""
    from referralnet.cli.progress import with_progress

    settings = load_settings()
    indexed, shut = with_progress("Looking", lambda progress: run_command(_index(settings, progress)))
    typer.echo(f"{indexed} records can be found again; of {shut} the key is not here.")


async def _index(settings: Settings, progress: Callable[[str, int], None]) -> tuple[int, int]:
    from referralnet.app import load_keyring
    from referralnet.cli.backup import backup_url
    from referralnet.database.acting import Operator
    from referralnet.database.transactions import Database
    from referralnet.survivors.indexing import FIRST, index_batch

    keyring, database = load_keyring(settings), Database(backup_url(settings))
    indexed, shut, after = 0, 0, FIRST
    try:
        while True:
            async with database.transaction(Operator()) as session:
                done = await index_batch(session, keyring, after=after)
            if done.last is None:
                return indexed, shut
            indexed, shut, after = indexed + done.indexed, shut + done.shut, done.last
            progress("survivors", done.indexed)
    finally:
        await database.close()

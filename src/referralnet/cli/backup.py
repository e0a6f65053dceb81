"""`referralnet backup …`: the data and the keys, each into a file of its own; and both back into an empty database."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from referralnet.cli.options import fail, load_settings

if TYPE_CHECKING:
    from referralnet.encryption.sealing import DataKey
    from referralnet.settings import Settings

app = typer.Typer(help="Backups in two parts that are kept apart.", no_args_is_help=True)


@app.callback()
def backup() -> None:
    """Backups in two parts that are kept apart."""


@app.command()
def data(path: Annotated[Path, typer.Argument(help="The file to make; never one that exists.")]) -> None:
    """Write everything but the data keys. Without them nobody's identity opens, by anybody."""
    from referralnet.encryption.backups import back_up_data

    url = backup_url(load_settings())
    told(lambda: back_up_data(url, path))
    typer.echo(f"{path} holds the data without its keys. `referralnet backup keys` goes to another place.")


@app.command()
def keys(path: Annotated[Path, typer.Argument(help="The file to make; never one that exists.")]) -> None:
    """Write the data keys alone, sealed with the keyring. Take it after the data, and keep it for a short time."""
    from referralnet.encryption.backups import back_up_keys

    settings = load_settings()
    url, key = backup_url(settings), backup_key(settings)
    told(lambda: back_up_keys(url, path, key))
    typer.echo(
        f"{path} holds the data keys. While it is kept, whoever was erased since can be brought back: see to it."
    )


@app.command()
def restore(
    data: Annotated[Path, typer.Argument(help="What `backup data` made.")],
    keys: Annotated[Path, typer.Argument(help="What `backup keys` made, after it.")],
) -> None:
    """Load both parts into the empty database of REFERRALNET_DATABASE_BACKUP_URL. Texts are held there afterwards."""
    from referralnet.encryption.backups import restore as load

    settings = load_settings()
    url, key = backup_url(settings), backup_key(settings)
    told(lambda: load(url, data, keys, key))
    typer.echo(
        "Both parts are loaded. No text leaves until `referralnet texts allow`: first see that the old one is off."
    )


def backup_url(settings: Settings) -> str:
    """Where backups are made from, or a line that says which setting is missing."""
    if settings.database_backup_url is None:
        raise fail(
            "REFERRALNET_DATABASE_BACKUP_URL is not set: a role that row security does not bind, such as the server's "
            "administrator"
        )
    return settings.database_backup_url.get_secret_value()


def backup_key(settings: Settings) -> DataKey:
    """The key of key backups; no keyring, no backup of the keys."""
    from referralnet.app import SettingMissing, load_keyring
    from referralnet.encryption.backups import BACKUP_KEY
    from referralnet.encryption.keyring import KeyringUnusable

    try:
        return load_keyring(settings).derive(BACKUP_KEY)
    except (SettingMissing, KeyringUnusable) as error:
        raise fail(f"A backup of the keys is sealed with the keyring: {error}") from None


def told(work: Callable[[], None]) -> None:
    """Do the work; what is expected to go wrong is one line."""
    from referralnet.database.client_programs import ProgramMissing
    from referralnet.encryption.backups import BackupFailed
    from referralnet.encryption.sealing import SealBroken

    try:
        work()
    except (BackupFailed, ProgramMissing, SealBroken) as error:
        raise fail(str(error)) from None
    except subprocess.CalledProcessError as error:
        raise fail(f"The database cannot be reached: {error.stderr.strip()}") from None
    except OSError as error:
        raise fail(f"{error.filename or ''}: {error.strerror}".lstrip(": ")) from None

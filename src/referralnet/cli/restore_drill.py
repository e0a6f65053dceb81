"""`referralnet restore-drill`: prove that the backups can be restored, on a server that is gone afterwards."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from referralnet.cli.backup import backup_key, backup_url, told
from referralnet.cli.options import fail, load_settings

if TYPE_CHECKING:
    from referralnet.cli.restore_checks import Fields
    from referralnet.database.embedded import EmbeddedPostgres
    from referralnet.encryption.keyring import Keyring
    from referralnet.settings import Settings

_WITHOUT_KEYS = "without_keys"


@dataclass(frozen=True)
class _Drill:
    """What was found on the scratch server."""

    without_keys: Fields
    with_keys: Fields
    links: int
    broken_chains: list[str]
    texts_held: bool


def restore_drill(
    data: Annotated[Path | None, typer.Option(help="What `backup data` made. Default: a new one.")] = None,
    keys: Annotated[Path | None, typer.Option(help="What `backup keys` made. Default: a new one.")] = None,
    rows: Annotated[int, typer.Option(min=1, help="Rows of each table whose sealed fields are opened.")] = 10_000,
) -> None:
    """Restore both backups on a private server, check that they open, hold and cannot text, and remove it all."""
    from referralnet.database.embedded import EmbeddedPostgres
    from referralnet.database.embedded_errors import EmbeddedPostgresError

    if (data is None) != (keys is None):
        raise fail("Name both backups, or none")
    settings = load_settings()
    folder = Path(tempfile.mkdtemp(prefix="referralnet-drill-"))
    folder.chmod(0o711)  # where we are root, the server runs as nobody
    try:
        files = (data, keys) if data and keys else _back_up(settings, folder)
        with EmbeddedPostgres(folder / "server", durable=False) as scratch:
            _load(settings, scratch, *files)
            drill = asyncio.run(_check(settings, scratch, rows))
    except EmbeddedPostgresError as error:
        raise fail(f"No scratch server: {error}") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _report(drill)


def _back_up(settings: Settings, folder: Path) -> tuple[Path, Path]:
    from referralnet.encryption.backups import back_up_data, back_up_keys

    private = folder / "backups"
    private.mkdir(mode=0o700)
    url, key = backup_url(settings), backup_key(settings)
    told(lambda: back_up_data(url, private / "data"))
    told(lambda: back_up_keys(url, private / "keys", key))
    return private / "data", private / "keys"


def _load(settings: Settings, scratch: EmbeddedPostgres, data: Path, keys: Path) -> None:
    from referralnet.database.embedded_data import SUPERUSER
    from referralnet.encryption.backups import restore, restore_data

    key = backup_key(settings)
    scratch.create_database(_WITHOUT_KEYS)
    told(lambda: restore_data(scratch.url(SUPERUSER, _WITHOUT_KEYS), data))
    told(lambda: restore(scratch.url(SUPERUSER), data, keys, key))


async def _check(settings: Settings, scratch: EmbeddedPostgres, rows_max: int) -> _Drill:
    from referralnet.app import load_keyring
    from referralnet.cli.restore_checks import broken_chains, texts_are_held
    from referralnet.database.embedded_data import SUPERUSER
    from referralnet.database.transactions import Database

    keyring = load_keyring(settings)
    without = await _opened(scratch.url(SUPERUSER, _WITHOUT_KEYS), keyring, rows_max)
    whole = await _opened(scratch.url(SUPERUSER), keyring, rows_max)
    owner, worker = (Database(scratch.url(f"referralnet_{role}"), pooled=False) for role in ("owner", "worker"))
    links, broken = await broken_chains(owner)
    return _Drill(without, whole, links, broken, await texts_are_held(worker))


async def _opened(url: str, keyring: Keyring, rows_max: int) -> Fields:
    from referralnet.cli.restore_checks import open_fields
    from referralnet.database.transactions import Database

    database = Database(url, pooled=False)
    try:
        return await open_fields(database, keyring, rows_max=rows_max)
    finally:
        await database.close()


def _report(drill: _Drill) -> None:
    whole, alone = drill.with_keys, drill.without_keys
    typer.echo(
        f"With both backups: {whole.opened} sealed fields open, {whole.shut} stay shut: their key was destroyed."
    )
    typer.echo(f"Of the network's own: {whole.network} open.")
    typer.echo(f"Without the key backup: {alone.opened} of {alone.opened + alone.shut} fields open.")
    typer.echo(f"The audit trail: {drill.links} links hold.")
    typer.echo(f"Texts are {'held' if drill.texts_held else 'NOT held'} on the restored server.")
    faults = [f"does not open: {line}" for line in whole.broken] + drill.broken_chains
    if alone.opened:
        faults.append("fields of survivors or releases open without the key backup")
    if not drill.texts_held:
        faults.append("a restored database could text")
    if not whole.opened and whole.shut:
        faults.append("nothing opens: the key backup does not belong to this data, or the keyring to neither")
    for fault in faults:
        typer.secho(fault, fg=typer.colors.RED)
    if faults:
        raise typer.Exit(1)
    typer.echo("The drill is over; what was restored is removed.")

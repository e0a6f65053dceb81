"""`referralnet keyring …`: make the keys that wrap all others, and change them while everybody works."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from referralnet.cli.options import fail, load_settings, run_command
from referralnet.encryption.keyring import KeyringUnusable

if TYPE_CHECKING:
    from collections.abc import Callable

    from referralnet.encryption.keyring import Keyring
    from referralnet.encryption.keyring_file import KeyringFile
    from referralnet.settings import Settings

app = typer.Typer(help="The keyring: the few keys that wrap all others.", no_args_is_help=True)


@app.callback()
def keyring() -> None:
    """The keyring: the few keys that wrap all others."""


@app.command()
def create(path: Annotated[Path, typer.Argument(help="The file to make; never one that exists.")]) -> None:
    """Make a keyring that only this account can read; with REFERRALNET_KMS_KEY, a root that KMS has wrapped."""
    from referralnet.encryption.held_keyring import HeldKeyring
    from referralnet.encryption.keyring_file import write_new
    from referralnet.encryption.kms_keyring import connect, wrap_new_root

    settings = load_settings()
    if path.exists():
        raise fail(f"{path} exists: without it everything it sealed is lost, so it is not replaced")
    if settings.kms_key is None:
        write_new(path, HeldKeyring.generate())
        typer.echo(f"{path} is made. Whoever has it and the database can read everything: keep them apart.")
        return
    try:
        root = wrap_new_root(connect(settings.kms_endpoint_url), settings.kms_key)
    except KeyringUnusable as error:
        raise fail(str(error)) from None
    with path.open("x") as file:
        file.write(root)
    typer.echo(f"{path} is made. It opens with the key in KMS alone; without it look-ups and second factors are lost.")


@app.command(name="list")
def list_keys() -> None:
    """The wrapping keys, and how many data keys hang on each."""
    ring, counts = run_command(_counted(load_settings()))
    for key_id in sorted({ring.current_key_id, *counts}):
        in_use = "  in use" if key_id == ring.current_key_id else ""
        typer.echo(f"{key_id}  {counts.get(key_id, 0)} data keys{in_use}")


@app.command()
def rotate() -> None:
    """Add a wrapping key and use it from now on. Running processes notice by themselves; then `rewrap`."""
    settings = load_settings()
    if settings.kms_key is not None:
        _rotate_kms(settings)
        return
    file = _own_file(settings)
    key_id = f"{_today()}-{secrets.token_hex(3)}"
    try:
        file.change(lambda ring: ring.with_new_key(key_id))
    except KeyringUnusable as error:
        raise fail(str(error)) from None
    typer.echo(f"New data keys are wrapped with {key_id}. Back up the keyring now, then `referralnet keyring rewrap`.")


@app.command()
def rewrap(
    batch: Annotated[int, typer.Option(min=1, max=10_000, help="Data keys in one transaction.")] = 500,
) -> None:
    """Wrap every data key with the key in use. It may be stopped and run again at any time."""
    from referralnet.cli.progress import with_progress

    settings = load_settings()
    rewrapped = with_progress("Wrapping anew", lambda progress: run_command(_rewrap(settings, batch, progress)))
    typer.echo(f"{rewrapped} data keys are wrapped anew; all hang on the key in use.")


@app.command()
def retire(key_id: Annotated[str, typer.Argument(help="An old wrapping key, as `list` names it.")]) -> None:
    """Take an old key off the ring, once nothing needs it. Key backups older than this open with the old ring alone."""
    settings = load_settings()
    file = None if settings.kms_key is not None else _own_file(settings)
    if file is not None:
        try:
            file.held.without_key(key_id)
        except KeyringUnusable as error:
            raise fail(str(error)) from None
    run_command(_retire(settings, key_id))
    if file is None:
        typer.echo(f"Nothing is stored under {key_id} any more, and nothing can be. Disable it in KMS.")
        return
    try:
        file.change(lambda ring: ring.without_key(key_id))
    except KeyringUnusable as error:
        raise fail(str(error)) from None
    typer.echo(f"{key_id} is off the ring. Keep the old ring as long as you keep key backups that were made with it.")


def _own_file(settings: Settings) -> KeyringFile:
    from referralnet.app import SettingMissing, load_keyring_file

    if settings.keyring is not None:
        raise fail(
            "REFERRALNET_KEYRING holds the keys: a variable cannot be changed from here. Put the ring into a file, and "
            "name it with REFERRALNET_KEYRING_FILE"
        )
    try:
        return load_keyring_file(settings)
    except (SettingMissing, KeyringUnusable) as error:
        raise fail(str(error)) from None


def _rotate_kms(settings: Settings) -> None:
    """KMS changes the material behind a key by itself. Another key is named by the setting; the root moves here."""
    from referralnet.app import kms_root_path
    from referralnet.encryption.kms_keyring import connect, rewrap_root

    assert settings.kms_key is not None
    path = kms_root_path(settings)
    try:
        root = rewrap_root(connect(settings.kms_endpoint_url), settings.kms_key, path.read_text("utf-8"))
        unfinished = path.with_name(f".{path.name}.unfinished")
        unfinished.write_text(root, "utf-8")
        unfinished.replace(path)
    except KeyringUnusable as error:
        raise fail(str(error)) from None
    except OSError as error:
        raise fail(f"{path}: {error.strerror}") from None
    typer.echo("The root is wrapped with REFERRALNET_KMS_KEY. Restart with that setting, then `keyring rewrap`.")


async def _counted(settings: Settings) -> tuple[Keyring, dict[str, int]]:
    from referralnet.app import load_keyring, open_database
    from referralnet.database.acting import Operator
    from referralnet.encryption.rewrapping import keys_by_wrapping_key

    ring, database = load_keyring(settings), open_database(settings, "owner")
    try:
        async with database.transaction(Operator()) as session:
            return ring, await keys_by_wrapping_key(session)
    finally:
        await database.close()


async def _rewrap(settings: Settings, batch: int, progress: Callable[[str, int], None]) -> int:
    from referralnet.app import load_keyring, open_database
    from referralnet.database.acting import Operator
    from referralnet.encryption.rewrapping import FIRST, rewrap_batch

    ring, database = load_keyring(settings), open_database(settings, "owner")
    rewrapped, after = 0, FIRST
    try:
        while True:
            async with database.transaction(Operator()) as session:
                done = await rewrap_batch(session, ring, after=after, keys_max=batch)
            rewrapped += done.rewrapped
            progress("data keys", done.looked_at)
            if done.last is None and after == FIRST:
                return rewrapped
            # At the end once more from the beginning: somebody may have stored a key with an older ring meanwhile.
            after = done.last or FIRST
    finally:
        await database.close()


async def _retire(settings: Settings, key_id: str) -> None:
    from referralnet.app import open_database
    from referralnet.clock import SystemClock
    from referralnet.database.acting import Operator
    from referralnet.encryption.rewrapping import KeyStillNeeded, retire_wrapping_key

    database = open_database(settings, "owner")
    try:
        async with database.transaction(Operator()) as session:
            await retire_wrapping_key(session, key_id, now=SystemClock().now())
    except KeyStillNeeded as needed:
        raise fail(str(needed)) from None
    finally:
        await database.close()


def _today() -> str:
    from referralnet.clock import SystemClock

    return SystemClock().now().date().isoformat()

"""`referralnet audit …`: check the trail, and anchor it outside."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from referralnet.cli.options import fail, load_settings, run_command

if TYPE_CHECKING:
    from referralnet.audit.anchoring import Anchor
    from referralnet.audit.chain import BrokenLink
    from referralnet.audit.exports import ExportMade
    from referralnet.encryption.keyring import Keyring
    from referralnet.settings import Settings

app = typer.Typer(help="The audit trail.", no_args_is_help=True)


@app.callback()
def audit() -> None:
    """The audit trail."""


@app.command()
def verify(
    anchor: Annotated[
        list[Path] | None,
        typer.Option(help="An anchor, or a folder of them; may be repeated. Default: REFERRALNET_AUDIT_ANCHOR_FOLDER."),
    ] = None,
    public_key: Annotated[
        str | None, typer.Option(help="The key that `audit key` printed, in place of the keyring's.")
    ] = None,
) -> None:
    """Recompute every agency's chain and hold it against anchors; status 1 and the first broken link of each."""
    settings = load_settings()
    folder = [settings.audit_anchor_folder] if settings.audit_anchor_folder else []
    anchors = _read_anchors(settings, anchor or folder, public_key)
    held, waiting, broken = run_command(_verify(settings, anchors))
    typer.echo(f"{held} links hold; {waiting} events wait for the sealer; {len(anchors)} anchors were compared.")
    for link in broken:
        typer.secho(f"agency {link.agency_id}, link {link.position}: {link.reason}", fg=typer.colors.RED)
    if broken:
        raise typer.Exit(1)


@app.command(name="export")
def trace_export(serial: Annotated[UUID, typer.Argument(help="It stands in each row of the file.")]) -> None:
    """Tell who made an exported file, and when: for one that was found where it does not belong."""
    made = run_command(_find_export(load_settings(), serial))
    if made is None:
        raise fail("The trail knows no export of that serial.")
    identity = "with identity" if made.with_identity else "without identity"
    typer.echo(f"member {made.member_id} of agency {made.agency_id}")
    typer.echo(f"{made.at.isoformat()}: {made.rows} rows, {identity}")


@app.command(name="anchor")
def write_anchor(path: Annotated[str, typer.Argument(help="The file to make, or - to print it.")]) -> None:
    """Write a signed head of every chain. Keep it where whoever owns the database cannot reach it."""
    content = run_command(_anchor(load_settings()))
    if path == "-":
        sys.stdout.write(content)
        return
    try:
        with Path(path).open("x") as file:
            file.write(content)
    except OSError as error:
        raise fail(f"{path}: {error.strerror}") from None


@app.command()
def key() -> None:
    """Print the public key of the anchors. Whoever keeps anchors notes it once, and checks them with it."""
    from referralnet.audit.anchoring import anchor_public_key

    typer.echo(anchor_public_key(_keyring(load_settings())).hex())


def _read_anchors(settings: Settings, paths: list[Path], public_key: str | None) -> list[Anchor]:
    from referralnet.audit.anchoring import AnchorRefused, anchor_public_key, read_anchor

    if not paths:
        return []
    try:
        wanted = bytes.fromhex(public_key) if public_key else anchor_public_key(_keyring(settings))
    except ValueError:
        raise fail("--public-key wants the 64 characters that `referralnet audit key` prints") from None
    anchors = []
    for path in (file for given in paths for file in (sorted(given.glob("*.json")) if given.is_dir() else [given])):
        try:
            anchors.append(read_anchor(path.read_text("utf-8"), public_key=wanted))
        except AnchorRefused as refused:
            raise fail(f"{path}: {refused}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise fail(f"{path} cannot be read: {type(error).__name__}") from None
    return anchors


def _keyring(settings: Settings) -> Keyring:
    from referralnet.app import SettingMissing, load_keyring
    from referralnet.encryption.keyring import KeyringUnusable

    try:
        return load_keyring(settings)
    except (SettingMissing, KeyringUnusable) as error:
        raise fail(str(error)) from None


async def _verify(settings: Settings, anchors: list[Anchor]) -> tuple[int, int, list[BrokenLink]]:
    from referralnet.app import open_database
    from referralnet.audit.anchoring import verify_anchors
    from referralnet.audit.chain import unlinked_count, verify_trail
    from referralnet.database.acting import Operator

    database = open_database(settings, "owner")
    try:
        async with database.transaction(Operator()) as session:
            held, broken = await verify_trail(session)
            # Of each chain the first break is told.
            found = sorted([*broken, *await verify_anchors(session, anchors)], key=lambda link: -link.position)
            first = {link.agency_id: link for link in found}
            return held, await unlinked_count(session), [first[agency_id] for agency_id in sorted(first)]
    finally:
        await database.close()


async def _find_export(settings: Settings, serial: UUID) -> ExportMade | None:
    from referralnet.app import open_database
    from referralnet.audit.exports import find_export
    from referralnet.database.acting import Operator

    database = open_database(settings, "owner")
    try:
        async with database.transaction(Operator()) as session:
            return await find_export(session, serial)
    finally:
        await database.close()


async def _anchor(settings: Settings) -> str:
    from referralnet.app import load_keyring, open_database
    from referralnet.audit.anchoring import make_anchor
    from referralnet.clock import SystemClock
    from referralnet.database.acting import Operator

    keyring, database = load_keyring(settings), open_database(settings, "owner")
    try:
        async with database.transaction(Operator()) as session:
            return await make_anchor(session, keyring, now=SystemClock().now())
    finally:
        await database.close()

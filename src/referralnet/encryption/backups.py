"""Backups in two parts that are kept apart: the data without its keys, and the keys, sealed (P4)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from referralnet.database.client_programs import connection_environment, find_client, server_major_version
from referralnet.encryption.sealed_stream import open_stream, seal_stream
from referralnet.encryption.sealing import DataKey

KEYS_SCHEMA = "keystore"
BACKUP_KEY = "key backup"
"""The keyring derives the key of key backups under this name; the wrapping keys may change meanwhile."""
_FOREIGN_KEY = " FK CONSTRAINT "


class BackupFailed(Exception):
    """PostgreSQL's own program refused; its words are the message."""


def back_up_data(url: str, path: Path) -> None:
    """Write everything but the keystore into a new file, in pg_dump's custom form.

    Args:
        url: as a role that row security does not bind.
        path: never one that exists.

    Raises:
        BackupFailed, ProgramMissing, OSError: nothing is left of the file.
    """
    with _new_file(path) as file, _dump(url, f"--exclude-schema={KEYS_SCHEMA}") as output:
        while chunk := output.read(1 << 20):
            file.write(chunk)


def back_up_keys(url: str, path: Path, key: DataKey) -> None:
    """Write the keystore alone into a new file, sealed with a key of the keyring. Raises as `back_up_data`.

    Take it after the data: then every row of the data finds its key.
    """
    with _new_file(path) as file, _dump(url, f"--schema={KEYS_SCHEMA}") as output:
        seal_stream(key, output, file)


def restore_data(url: str, data: Path) -> None:
    """Load a backup of the data alone: tables and rows, without what would need the keystore.

    Raises:
        BackupFailed, ProgramMissing: what was loaded stays, for looking.
    """
    _restore(url, data, "--section=pre-data", "--section=data")


def restore(url: str, data: Path, keys: Path, key: DataKey) -> None:
    """Load both parts into an empty database, as a role that administers the server; its three roles exist already.

    Raises:
        BackupFailed, ProgramMissing: the database is not empty, or a part does not fit the other.
        SealBroken: the key backup was made with another keyring, or changed.
    """
    with TemporaryDirectory(prefix="referralnet-restore-") as folder:  # for this account alone
        opened = Path(folder) / "keys"
        with keys.open("rb") as source, opened.open("wb") as target:
            open_stream(key, source, target)
        for part in (data, opened):
            _restore(url, part, "--section=pre-data")
        for part in (data, opened):
            _restore(url, part, "--section=data")
        # Each part has foreign keys into the other, which want the other's unique keys.
        unique, foreign = _split_by_foreign_keys(opened)
        _restore(url, opened, "--section=post-data", use=unique)
        _restore(url, data, "--section=post-data")
        _restore(url, opened, "--section=post-data", use=foreign)


def _split_by_foreign_keys(dump: Path) -> tuple[Path, Path]:
    listed = _run([find_client("pg_restore"), "--list", dump], os.environ).splitlines(keepends=True)
    lists = dump.with_suffix(".unique"), dump.with_suffix(".foreign")
    for path, foreign in zip(lists, (False, True), strict=True):
        path.write_text("".join(line for line in listed if (_FOREIGN_KEY in line) == foreign))
    return lists


def _restore(url: str, dump: Path, *sections: str, use: Path | None = None) -> None:
    program = find_client("pg_restore", server_major_version(url))
    environment = connection_environment(url)
    command: list[str | Path] = [program, "--exit-on-error", "--dbname", environment["PGDATABASE"], *sections]
    if use is not None:
        command += ["--use-list", use]
    _run([*command, dump], environment)


@contextmanager
def _dump(url: str, choice: str) -> Iterator[BinaryIO]:
    program = find_client("pg_dump", server_major_version(url))
    command: list[str | Path] = [program, "--format=custom", "--no-password", "--lock-wait-timeout=30000", choice]
    with subprocess.Popen(  # noqa: S603
        command, env=connection_environment(url), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        yield process.stdout  # type: ignore[misc]
        said = process.stderr.read().decode(errors="replace").strip()
    if process.returncode != 0:
        raise BackupFailed(said)


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink()
        raise


def _run(command: list[str | Path], environment: os._Environ[str] | dict[str, str]) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise BackupFailed(done.stderr.strip())
    return done.stdout

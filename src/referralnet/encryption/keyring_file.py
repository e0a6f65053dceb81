"""A keyring in a file: private to the service, changed whole, and read anew by running processes when it changed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile
from uuid import UUID

from referralnet.encryption.held_keyring import HeldKeyring
from referralnet.encryption.keyring import KeyringUnusable, WrappedKey
from referralnet.encryption.sealing import DataKey

_Signature = tuple[int, int, int]


class KeyringFile:
    """The ring of a file. What wraps looks whether the file changed; what opens does so for a key it does not know.

    So a key that `referralnet keyring rotate` adds is used by every running process from its next data key on, and
    what another process wrapped with it opens at once.
    """

    def __init__(self, path: Path) -> None:
        """
        Raises:
            KeyringUnusable: it cannot be read, is no keyring, or others than its owner may read or change it.
        """
        self._path = path
        self._ring, self._signature = _read(path)

    @classmethod
    def open_or_create(cls, path: Path) -> KeyringFile:
        """The ring of the file, or of a new one that only this user can read.

        Raises:
            KeyringUnusable: there is a file, and it is no keyring, or not private.
        """
        if not path.exists():
            write_new(path, HeldKeyring.generate())
        return cls(path)

    @property
    def held(self) -> HeldKeyring:
        """The ring as the file has it now."""
        self._read_if_changed()
        return self._ring

    @property
    def current_key_id(self) -> str:
        """See Keyring."""
        return self.held.current_key_id

    async def wrap(self, key: DataKey) -> WrappedKey:
        """See Keyring."""
        return await self.held.wrap(key)

    async def unwrap(self, key_id: UUID, wrapped: WrappedKey) -> DataKey:
        """See Keyring."""
        if wrapped.wrapping_key_id not in self._ring.wrapping_keys:
            self._read_if_changed()
        return await self._ring.unwrap(key_id, wrapped)

    def derive(self, purpose: str) -> DataKey:
        """See Keyring. The root never changes, so the file is not looked at."""
        return self._ring.derive(purpose)

    def change(self, changed: Callable[[HeldKeyring], HeldKeyring]) -> HeldKeyring:
        """Write the ring that `changed` makes of the present one, whole or not at all, for its present owner.

        Raises:
            KeyringUnusable: the file cannot be replaced here, or `changed` refuses.
        """
        try:
            with _one_at_a_time(self._path.parent):
                present, _ = _read(self._path)
                ring = changed(present)
                if ring.root != present.root:
                    raise KeyringUnusable("the root of a keyring stays: look-ups and second factors hang on it")
                if ring != present:
                    _replace(self._path, ring)
        except OSError as error:
            raise KeyringUnusable(f"{self._path} cannot be changed here: {error.strerror}") from None
        self._read_if_changed()
        return ring

    def _read_if_changed(self) -> None:
        # A ring that works is not given up for a file that somebody is editing: the database refuses retired keys.
        with contextlib.suppress(OSError, KeyringUnusable):
            if _signature(self._path.stat()) != self._signature:
                self._ring, self._signature = _read(self._path)


def write_new(path: Path, ring: HeldKeyring) -> None:
    """Write the file, whole or not at all and never over another: data whose keys were replaced is lost."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=path.parent, prefix=".keyring-") as file:  # made with mode 0600
        file.write(ring.dump())
        file.flush()
        os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(file.name, path)


def read_private(path: Path) -> tuple[str, os.stat_result]:
    """The text of a file with secrets, and what it was when it was read.

    Raises:
        KeyringUnusable: it cannot be read, is not text, or others than its owner may read or change it.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            _require_private(path, status)
            return file.read().decode("utf-8"), status
    except OSError as error:
        raise KeyringUnusable(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise KeyringUnusable("not a keyring: it is not UTF-8 text") from None


def _read(path: Path) -> tuple[HeldKeyring, _Signature]:
    content, status = read_private(path)
    return HeldKeyring.parse(content), _signature(status)


def _signature(status: os.stat_result) -> _Signature:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _require_private(path: Path, status: os.stat_result) -> None:
    """Ours or root's, and nobody else's to read. A secret that is mounted belongs to root and is read by our group."""
    if status.st_uid not in {os.geteuid(), 0}:
        raise KeyringUnusable(
            f"{path} belongs to the account {status.st_uid}, who could put other keys into it: "
            f"make it yours (`chown {os.geteuid()} {path}`) after you have made sure what it holds"
        )
    mounted = status.st_uid == 0 and os.geteuid() != 0
    loose = stat.S_IMODE(status.st_mode) & (0o037 if mounted else 0o077)
    if loose:
        raise KeyringUnusable(
            f"{path} can be read or changed by others (mode {stat.S_IMODE(status.st_mode):04o}): `chmod 600 {path}`, "
            "and if anybody may have read it, `referralnet keyring rotate`"
        )


@contextlib.contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
        os.fsync(handle)
    finally:
        os.close(handle)


def _replace(path: Path, ring: HeldKeyring) -> None:
    target = path.resolve()
    status = target.stat()
    with NamedTemporaryFile("w", dir=target.parent, prefix=".keyring-", delete=False) as file:
        try:
            file.write(ring.dump())
            file.flush()
            os.fchmod(file.fileno(), stat.S_IMODE(status.st_mode))
            if status.st_uid != os.geteuid():
                os.fchown(file.fileno(), status.st_uid, status.st_gid)
            os.fsync(file.fileno())
            Path(file.name).replace(target)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise

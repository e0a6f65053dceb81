"""The keyring: the few keys that wrap all others. It lives in a file or the environment, never in the database."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Self
from uuid import NAMESPACE_URL, UUID, uuid5

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from referralnet.encryption.sealing import DataKey, SealBroken

_KEY_BYTES = 32
_NONCE_BYTES = 12


class KeyringUnusable(Exception):
    """The keyring is missing, unreadable or incomplete."""


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key as it is stored: unreadable without the wrapping key it names."""

    wrapping_key_id: str
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class Keyring:
    """Wrapping keys by id, the one in use, and the root that network-level keys are derived from."""

    current_key_id: str
    wrapping_keys: dict[str, bytes] = field(repr=False)
    root: bytes = field(repr=False)

    @classmethod
    def generate(cls, key_id: str = "1") -> Self:
        """A new keyring of random keys."""
        return cls(key_id, {key_id: secrets.token_bytes(_KEY_BYTES)}, secrets.token_bytes(_KEY_BYTES))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the JSON that `dump` writes.

        Raises:
            KeyringUnusable: it is not such JSON, or a key is not 32 bytes.
        """
        try:
            document = json.loads(text)
            keys = {
                key_id: base64.b64decode(value, validate=True) for key_id, value in document["wrapping_keys"].items()
            }
            ring = cls(str(document["current"]), keys, base64.b64decode(document["root"], validate=True))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            # The text itself is secret: say nothing of it.
            raise KeyringUnusable("not a keyring: want JSON with current, wrapping_keys and root") from None
        if ring.current_key_id not in keys or any(len(key) != _KEY_BYTES for key in (*keys.values(), ring.root)):
            raise KeyringUnusable("a keyring key is missing or is not 32 bytes long")
        return ring

    @classmethod
    def read_or_create(cls, path: Path) -> Self:
        """Read the keyring file, or make one that only this user can read.

        Raises:
            KeyringUnusable: there is a file, and it is no keyring.
        """
        if not path.exists():
            cls.generate().write_new(path)
        try:
            return cls.parse(path.read_text("utf-8"))
        except UnicodeDecodeError:
            raise KeyringUnusable("not a keyring: it is not UTF-8 text") from None

    def write_new(self, path: Path) -> None:
        """Write the file, whole or not at all and never over another: data whose keys were replaced is lost."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile("w", dir=path.parent, prefix=".keyring-") as file:  # made with mode 0600
            file.write(self.dump())
            file.flush()
            os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):
                os.link(file.name, path)

    def dump(self) -> str:
        """The keyring as JSON, for its file; keep it apart from every backup of the data."""
        keys = {key_id: base64.b64encode(key).decode() for key_id, key in self.wrapping_keys.items()}
        root = base64.b64encode(self.root).decode()
        return json.dumps({"current": self.current_key_id, "wrapping_keys": keys, "root": root}, indent=2)

    def wrap(self, key: DataKey) -> WrappedKey:
        """Wrap a data key with the wrapping key in use, bound to the data key's id."""
        nonce = os.urandom(_NONCE_BYTES)
        wrapping = AESGCM(self.wrapping_keys[self.current_key_id])
        return WrappedKey(self.current_key_id, nonce + wrapping.encrypt(nonce, key.material, key.id.bytes))

    def unwrap(self, key_id: UUID, wrapped: WrappedKey) -> DataKey:
        """Open a wrapped data key.

        Raises:
            KeyringUnusable: the wrapping key is not on this ring.
            SealBroken: the stored key was altered or belongs to another id.
        """
        wrapping = self.wrapping_keys.get(wrapped.wrapping_key_id)
        if wrapping is None:
            raise KeyringUnusable(f"wrapping key {wrapped.wrapping_key_id!r} is not on the keyring")
        nonce, ciphertext = wrapped.ciphertext[:_NONCE_BYTES], wrapped.ciphertext[_NONCE_BYTES:]
        if len(nonce) < _NONCE_BYTES:
            raise SealBroken("the wrapped key was cut short")
        try:
            return DataKey(key_id, AESGCM(wrapping).decrypt(nonce, ciphertext, key_id.bytes))
        except InvalidTag:
            raise SealBroken("the wrapped key was altered") from None

    def derive(self, purpose: str) -> DataKey:
        """A key of the network itself for one purpose (look-up hashes, inbound texts, second factors)."""
        material = HKDF(SHA256(), _KEY_BYTES, salt=None, info=b"referralnet:" + purpose.encode()).derive(self.root)
        return DataKey(uuid5(NAMESPACE_URL, f"referralnet:{purpose}"), material)

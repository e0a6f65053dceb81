"""A keyring that holds its keys in this process: parsed from JSON, of a file or of a variable."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import secrets
from dataclasses import dataclass, field
from typing import Self
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from referralnet.encryption.keyring import KEY_BYTES, KeyringUnusable, WrappedKey, derive_from
from referralnet.encryption.sealing import DataKey, SealBroken

_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class HeldKeyring:
    """Wrapping keys by id, the one in use, and the root that network-level keys are derived from."""

    current_key_id: str
    wrapping_keys: dict[str, bytes] = field(repr=False)
    root: bytes = field(repr=False)

    @classmethod
    def generate(cls, key_id: str = "1") -> Self:
        """A new keyring of random keys."""
        return cls(key_id, {key_id: secrets.token_bytes(KEY_BYTES)}, secrets.token_bytes(KEY_BYTES))

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
        if ring.current_key_id not in keys or any(len(key) != KEY_BYTES for key in (*keys.values(), ring.root)):
            raise KeyringUnusable("a keyring key is missing or is not 32 bytes long")
        return ring

    def dump(self) -> str:
        """The keyring as JSON, for its file; keep it apart from every backup of the data."""
        keys = {key_id: base64.b64encode(key).decode() for key_id, key in self.wrapping_keys.items()}
        root = base64.b64encode(self.root).decode()
        return json.dumps({"current": self.current_key_id, "wrapping_keys": keys, "root": root}, indent=2)

    def with_new_key(self, key_id: str) -> Self:
        """The ring with one more wrapping key, from now on the one in use. The root stays: look-ups hang on it.

        Raises:
            KeyringUnusable: there is a key of this id: two keys of one name would open nothing.
        """
        if key_id in self.wrapping_keys:
            raise KeyringUnusable(f"the keyring has a key {key_id!r} already")
        keys = self.wrapping_keys | {key_id: secrets.token_bytes(KEY_BYTES)}
        return dataclasses.replace(self, current_key_id=key_id, wrapping_keys=keys)

    def without_key(self, key_id: str) -> Self:
        """The ring without an old wrapping key; one that it has not is gone already.

        Raises:
            KeyringUnusable: it is the one in use.
        """
        if key_id == self.current_key_id:
            raise KeyringUnusable(f"{key_id!r} is the key in use: `referralnet keyring rotate` makes another")
        return dataclasses.replace(
            self, wrapping_keys={other: key for other, key in self.wrapping_keys.items() if other != key_id}
        )

    async def wrap(self, key: DataKey) -> WrappedKey:
        """See Keyring."""
        nonce = os.urandom(_NONCE_BYTES)
        wrapping = AESGCM(self.wrapping_keys[self.current_key_id])
        return WrappedKey(self.current_key_id, nonce + wrapping.encrypt(nonce, key.material, key.id.bytes))

    async def unwrap(self, key_id: UUID, wrapped: WrappedKey) -> DataKey:
        """See Keyring."""
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
        """See Keyring."""
        return derive_from(self.root, purpose)

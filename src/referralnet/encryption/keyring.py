"""The keyring: what wraps all other keys and roots the network's own. Its kinds stand beside this file.

`held_keyring.py` holds its keys itself, read from a variable or, by `keyring_file.py`, from a file that may change;
`kms_keyring.py` leaves them with a key management service.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from uuid import NAMESPACE_URL, UUID, uuid5

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from referralnet.encryption.sealing import DataKey

KEY_BYTES = 32


class KeyringUnusable(Exception):
    """The keyring is missing, unreadable or incomplete."""


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key as it is stored: unreadable without the wrapping key it names."""

    wrapping_key_id: str
    ciphertext: bytes


class Keyring(Protocol):
    """Wraps data keys for storing, opens them again, and derives the network's own keys."""

    @property
    def current_key_id(self) -> str:
        """The wrapping key that new data keys get."""

    async def wrap(self, key: DataKey) -> WrappedKey:
        """Wrap a data key with the wrapping key in use, bound to the data key's id."""

    async def unwrap(self, key_id: UUID, wrapped: WrappedKey) -> DataKey:
        """Open a wrapped data key.

        Raises:
            KeyringUnusable: the wrapping key is not on this ring, or cannot be reached.
            SealBroken: the stored key was altered or belongs to another id.
        """

    def derive(self, purpose: str) -> DataKey:
        """A key of the network itself for one purpose (look-up hashes, inbound texts, second factors).

        Asked many times in a request, so it never waits for another server where that can be helped.
        """


def derive_from(root: bytes, purpose: str) -> DataKey:
    """The key of one purpose from a ring's root, by HKDF-SHA256: the same on every kind of ring."""
    material = HKDF(SHA256(), KEY_BYTES, salt=None, info=b"referralnet:" + purpose.encode()).derive(root)
    return DataKey(uuid5(NAMESPACE_URL, f"referralnet:{purpose}"), material)

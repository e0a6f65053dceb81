"""One field, sealed: AES-256-GCM, bound to the place it stands in, so that it opens nowhere else (P4)."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION = b"\x01"
_NONCE_BYTES = 12
_HEADER_BYTES = len(_VERSION) + 16


class SealBroken(Exception):
    """The sealed value was altered, stands in another place, or belongs to another key."""


@dataclass(frozen=True, slots=True)
class DataKey:
    """A key that seals fields. Its material shows in no representation."""

    id: UUID
    material: bytes = field(repr=False)


def seal(key: DataKey, plaintext: str, place: str) -> bytes:
    """Seal `plaintext` for `place`, which is `table.column:row id`.

    Returns:
        version (1 byte), key id (16), nonce (12), then ciphertext and tag.
    """
    header = _VERSION + key.id.bytes
    nonce = os.urandom(_NONCE_BYTES)
    return header + nonce + AESGCM(key.material).encrypt(nonce, plaintext.encode(), header + place.encode())


def key_id_of(sealed: bytes) -> UUID:
    """Which key sealed a value: it stands in its header."""
    return UUID(bytes=sealed[len(_VERSION) : _HEADER_BYTES])


def open_sealed(key: DataKey, sealed: bytes, place: str) -> str:
    """Open what `seal` made with this key for this place.

    Raises:
        SealBroken: anything about it differs.
    """
    header, nonce = sealed[:_HEADER_BYTES], sealed[_HEADER_BYTES : _HEADER_BYTES + _NONCE_BYTES]
    if len(nonce) < _NONCE_BYTES:
        raise SealBroken("cut short")
    if header != _VERSION + key.id.bytes:
        raise SealBroken("sealed with another key")
    try:
        return (
            AESGCM(key.material)
            .decrypt(nonce, sealed[_HEADER_BYTES + _NONCE_BYTES :], header + place.encode())
            .decode()
        )
    except InvalidTag:
        raise SealBroken("altered, or moved from its place") from None

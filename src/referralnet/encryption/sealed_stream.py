"""A long file, sealed: AES-256-GCM in chunks, so that none is changed, moved, repeated or cut off unnoticed.

The layout is the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015): each chunk's nonce is its number and
whether it is the last.
"""

from __future__ import annotations

import os
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from referralnet.encryption.sealing import DataKey, SealBroken

MAGIC = b"referralnet sealed file 1\n"
CHUNK_BYTES = 1 << 20
_SALT_BYTES = 16
_TAG_BYTES = 16


def seal_stream(key: DataKey, source: BinaryIO, target: BinaryIO) -> int:
    """Seal everything of `source` into `target`, in constant memory. Returns how many bytes were read."""
    salt = os.urandom(_SALT_BYTES)
    target.write(MAGIC + salt)
    sealing, number, total = AESGCM(_file_key(key, salt)), 0, 0
    chunk = source.read(CHUNK_BYTES)
    while True:
        following = source.read(CHUNK_BYTES)
        target.write(sealing.encrypt(_nonce(number, last=not following), chunk, MAGIC))
        number, total = number + 1, total + len(chunk)
        if not following:
            return total
        chunk = following


def open_stream(key: DataKey, source: BinaryIO, target: BinaryIO) -> None:
    """Open what `seal_stream` made. What was written to `target` before a fault is genuine, and not all.

    Raises:
        SealBroken: not such a file, of another key, changed or cut short.
    """
    header = source.read(len(MAGIC) + _SALT_BYTES)
    if not header.startswith(MAGIC) or len(header) < len(MAGIC) + _SALT_BYTES:
        raise SealBroken("not a sealed file")
    opening, number = AESGCM(_file_key(key, header[len(MAGIC) :])), 0
    chunk = source.read(CHUNK_BYTES + _TAG_BYTES)
    while True:
        following = source.read(CHUNK_BYTES + _TAG_BYTES)
        try:
            target.write(opening.decrypt(_nonce(number, last=not following), chunk, MAGIC))
        except (InvalidTag, ValueError):
            raise SealBroken("changed, cut short, or sealed with another keyring") from None
        if not following:
            return
        number, chunk = number + 1, following


def _file_key(key: DataKey, salt: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=salt, info=MAGIC).derive(key.material)


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])

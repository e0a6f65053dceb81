"""Keyed hashes, to find a row by a value that is stored sealed."""

from __future__ import annotations

import hashlib
import hmac

from referralnet.encryption.keyring import Keyring


def lookup_hash(keyring: Keyring, kind: str, normalised: str) -> bytes:
    """HMAC-SHA256 (32 bytes) of a normalised value, under a key for its kind.

    It identifies a person as much as the value does (C5): it stands only in the custodian's rows.
    """
    return hmac.digest(keyring.derive(f"lookup:{kind}").material, normalised.encode(), hashlib.sha256)

"""Sealing: data keys, the keyring that wraps them, and keyed look-up hashes."""

"""Passwords: argon2id, off the event loop, the same work whether or not the account exists (A7)."""

from __future__ import annotations

import asyncio
import functools
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from referralnet.errors import Refusal

PASSWORD_LENGTH_MIN = 12
PASSWORD_LENGTH_MAX = 256

_hasher = PasswordHasher()
# A hash costs 180 ms and 64 MiB: a burst of sign-ins must not take the machine.
_AT_ONCE_MAX = 4


class PasswordTooWeak(Refusal):
    """The password must be 12 to 256 characters long."""

    code = "PASSWORD_TOO_WEAK"


@functools.cache
def _turnstile() -> asyncio.Semaphore:
    return asyncio.Semaphore(_AT_ONCE_MAX)


@functools.cache
def _nobodys_hash() -> str:
    return _hasher.hash(secrets.token_urlsafe(32))


def hash_password(password: str) -> str:
    """An argon2id hash with its parameters and salt.

    Raises:
        PasswordTooWeak: outside 12 to 256 characters.
    """
    if not PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX:
        raise PasswordTooWeak(field="password")
    return _hasher.hash(password)


async def verify_password(password_hash: str | None, password: str) -> bool:
    """Whether the password fits; with no hash, the same work and False."""
    async with _turnstile():
        return await asyncio.to_thread(_verify, password_hash, password)


def _verify(password_hash: str | None, password: str) -> bool:
    try:
        _hasher.verify(password_hash or _nobodys_hash(), password[:PASSWORD_LENGTH_MAX])
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None

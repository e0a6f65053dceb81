"""Passwords are kept as slow hashes, and checking one takes the same work whoever asks."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from referralnet.identity import passwords
from referralnet.identity.passwords import PasswordTooWeak, hash_password, verify_password

GOOD = "correct horse battery"


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The (parameters of the hash, thread's name) of every verification."""
    seen: list[tuple[str, str]] = []
    real = passwords._hasher.verify

    def verify(password_hash: str, password: str) -> Any:
        seen.append((password_hash.rsplit("$", 2)[0], threading.current_thread().name))
        return real(password_hash, password)

    monkeypatch.setattr(passwords, "_hasher", _Hasher(verify))
    return seen


class _Hasher:
    def __init__(self, verify: Any) -> None:
        self.verify = verify
        self.hash = passwords._hasher.hash


async def test_a_password_fits_its_own_hash_alone() -> None:
    password_hash = hash_password(GOOD)
    assert await verify_password(password_hash, GOOD)
    assert not await verify_password(password_hash, GOOD + ".")
    assert not await verify_password("not a hash", GOOD)


@pytest.mark.rule("A7")
def test_a_hash_is_argon2id_salted_and_without_the_password() -> None:
    one, other = hash_password(GOOD), hash_password(GOOD)
    assert one.startswith("$argon2id$")
    assert one != other
    assert GOOD not in one


@pytest.mark.parametrize("password", ["", "short", "a" * 11, "a" * 257])
def test_a_password_too_short_or_too_long_is_refused_with_its_field(password: str) -> None:
    with pytest.raises(PasswordTooWeak) as caught:
        hash_password(password)
    assert caught.value.field == "password"


@pytest.mark.rule("A7")
async def test_an_unknown_login_costs_one_verification_like_a_known_one(verified: list[tuple[str, str]]) -> None:
    assert not await verify_password(hash_password(GOOD), "wrong password")
    assert not await verify_password(None, "wrong password")
    (known, _), (unknown, _) = verified
    assert known == unknown


async def test_no_password_opens_an_account_that_does_not_exist() -> None:
    for password in ("", GOOD, "None"):
        assert not await verify_password(None, password)


async def test_others_are_served_while_passwords_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight checks at once: off the event loop, and never more than four side by side."""
    threads, at_once, counting = set[threading.Thread](), [0], threading.Lock()
    most = 0

    def verify(_hash: str | None, _password: str) -> bool:
        nonlocal most
        with counting:
            threads.add(threading.current_thread())
            at_once[0] += 1
            most = max(most, at_once[0])
        time.sleep(0.05)
        with counting:
            at_once[0] -= 1
        return False

    monkeypatch.setattr(passwords, "_verify", verify)
    await asyncio.gather(*(verify_password(None, GOOD) for _ in range(8)))
    assert threading.main_thread() not in threads
    assert 2 <= most <= passwords._AT_ONCE_MAX

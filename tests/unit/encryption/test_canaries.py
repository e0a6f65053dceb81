"""The search for canaries finds one in every form in which it could leak, and nothing where there is none."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable

import pytest

from tests.canaries import Canaries

FORMS: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "upper case": lambda canary: canary.upper().encode(),
    "case reversed": lambda canary: canary.swapcase().encode(),
    "hex": lambda canary: canary.encode().hex().encode(),
    "hex in capitals": lambda canary: canary.encode().hex().upper().encode(),
    "hex, one digit off": lambda canary: b"a" + canary.encode().hex().encode(),
    "base64": lambda canary: base64.b64encode(b"of " + canary.encode() + b" here"),
    "base64, one byte on": lambda canary: base64.b64encode(b"of  " + canary.encode() + b" here"),
    "base64, two bytes on": lambda canary: base64.b64encode(b"of   " + canary.encode() + b" here"),
    "base64 for addresses": lambda canary: base64.urlsafe_b64encode(b"\xfb\xff\xfe" + canary.encode() + b"...."),
    "base64 within a word": lambda canary: b"xyz" + base64.b64encode(b"of " + canary.encode() + b" here"),
    "utf-16": lambda canary: canary.encode("utf-16-le"),
    "utf-16, the other way": lambda canary: canary.encode("utf-16-be"),
    "hex of utf-16": lambda canary: canary.encode("utf-16-le").hex().encode(),
    "many of them": lambda canary: canary.encode() * 4,
    "json": lambda canary: b'{"a":"' + canary.encode() + b'"}',
}


@pytest.mark.parametrize("form", FORMS)
def test_a_canary_is_found_in_every_form(form: str) -> None:
    canaries = Canaries()
    word, phone = canaries.word(), canaries.phone()
    canaries.word()
    noise = secrets.token_bytes(200)
    assert canaries.found_in(noise + b" " + FORMS[form](word) + b" " + noise) == {word.lower()}
    assert canaries.found_in(noise + b" " + FORMS[form](phone) + b" " + noise) == {phone[2:]}


def test_nothing_is_found_where_nothing_is() -> None:
    canaries = Canaries()
    words = [canaries.word() for _ in range(1000)]
    assert len(set(words)) == 1000
    assert canaries.found_in(secrets.token_bytes(100_000) + b"312" + canaries.marker.encode()) == set()


def test_digits_of_a_hash_or_an_id_are_nobodys_number() -> None:
    canaries = Canaries()
    number = canaries.phone()[2:].encode()
    hashed, made = b"\\x" + b"d4" * 12 + number + b"0c" * 9, b"0f8b2c1d-77aa-4e21-9b3c-a" + number + b"b"
    assert canaries.found_in(hashed + b", " + made) == set()
    assert canaries.found_in(hashed + b", " + made + b", " + number) == {number.decode()}

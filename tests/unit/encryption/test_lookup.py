"""Look-up hashes: stable for a value, unlike for anything else, useless without the keyring."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from referralnet.encryption.held_keyring import HeldKeyring
from referralnet.encryption.lookup import lookup_hash

RING = HeldKeyring.generate()
VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(value=VALUES)
def test_the_same_value_is_found_again(value: str) -> None:
    assert lookup_hash(RING, "phone", value) == lookup_hash(RING, "phone", value)
    assert len(lookup_hash(RING, "phone", value)) == 32


@given(one=VALUES, other=VALUES)
def test_unlike_values_are_told_apart(one: str, other: str) -> None:
    assert (lookup_hash(RING, "phone", one) == lookup_hash(RING, "phone", other)) == (one == other)


def test_a_value_hashes_otherwise_for_another_purpose_or_on_another_keyring() -> None:
    number = "+13125550100"
    hashes = {
        lookup_hash(RING, "phone", number),
        lookup_hash(RING, "login", number),
        lookup_hash(HeldKeyring.generate(), "phone", number),
        hashlib.sha256(number.encode()).digest(),
    }
    assert len(hashes) == 4

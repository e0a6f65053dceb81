"""A sealed field opens with its key, in its place, unaltered; otherwise not at all."""

from __future__ import annotations

import secrets
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referralnet.encryption.sealing import DataKey, SealBroken, open_sealed, seal

PLACE = "survivor.given_name_sealed:6f0f1b3e-5d0e-4f8e-9c53-0a1b2c3d4e5f"
HEADER_BYTES = 1 + 16
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def new_key(key_id: UUID | None = None) -> DataKey:
    return DataKey(key_id or uuid4(), secrets.token_bytes(32))


@given(plaintext=TEXT, place=TEXT)
def test_whatever_is_sealed_opens_as_it_was(plaintext: str, place: str) -> None:
    key = new_key()
    assert open_sealed(key, seal(key, plaintext, place), place) == plaintext


@pytest.mark.rule("P4")
@given(place=TEXT, other=TEXT)
def test_a_value_moved_to_another_place_stays_shut(place: str, other: str) -> None:
    key = new_key()
    sealed = seal(key, "Inés", place)
    if place != other:
        with pytest.raises(SealBroken):
            open_sealed(key, sealed, other)


@pytest.mark.rule("P4")
@given(data=st.data())
def test_one_altered_bit_anywhere_is_found(data: st.DataObject) -> None:
    key = new_key()
    sealed = bytearray(seal(key, "Inés", PLACE))
    position = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[position // 8] ^= 1 << position % 8
    with pytest.raises(SealBroken):
        open_sealed(key, bytes(sealed), PLACE)


@pytest.mark.parametrize("kept_bytes", [0, 1, HEADER_BYTES, HEADER_BYTES + 1, HEADER_BYTES + 12, HEADER_BYTES + 20])
def test_a_value_cut_short_is_found(kept_bytes: int) -> None:
    key = new_key()
    with pytest.raises(SealBroken):
        open_sealed(key, seal(key, "Inés", PLACE)[:kept_bytes], PLACE)


def test_another_key_does_not_open_it_even_under_the_same_id() -> None:
    key = new_key()
    sealed = seal(key, "Inés", PLACE)
    for other in (new_key(), new_key(key.id)):
        with pytest.raises(SealBroken):
            open_sealed(other, sealed, PLACE)


def test_equal_values_look_unlike_so_that_nobody_can_count_them() -> None:
    key = new_key()
    assert len({seal(key, "Inés", PLACE) for _ in range(20)}) == 20


def test_a_sealed_value_tells_which_key_opens_it() -> None:
    key = new_key()
    assert seal(key, "Inés", PLACE)[1:HEADER_BYTES] == key.id.bytes


@pytest.mark.rule("P4")
def test_neither_the_value_nor_the_key_shows_in_bytes_or_representations() -> None:
    key = new_key()
    sealed = seal(key, "CANARY-VALUE", PLACE)
    assert b"CANARY" not in sealed
    assert key.material not in sealed
    assert repr(key.material) not in repr(key)
    assert str(key.id) in repr(key)

"""Cursors come back as they were given out, and anything else is refused by its field."""

from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referralnet.api.limits import PAGE_SIZE_MAX
from referralnet.api.paging import decode_cursor, encode_cursor, page_size
from referralnet.errors import InvalidInput

KEYS = st.lists(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"]))
)


@given(keys=KEYS)
def test_a_cursor_holds_the_keys_it_was_made_of(keys: list[object]) -> None:
    assert decode_cursor(encode_cursor(*keys)) == keys


def test_the_first_page_has_no_cursor() -> None:
    assert decode_cursor(None) is None


@pytest.mark.rule("P3")
@given(
    cursor=st.text(st.characters(exclude_categories=["Cs"])) | st.binary().map(lambda b: base64.b64encode(b).decode())
)
def test_no_text_that_a_client_makes_up_is_a_crash(cursor: str) -> None:
    with contextlib.suppress(InvalidInput):
        assert isinstance(decode_cursor(cursor), list)


@pytest.mark.rule("P3")
@pytest.mark.parametrize("cursor", ["", "nonsense", "bnVsbA==", "MQ==", "é", "====", "e30="])
def test_what_is_no_cursor_is_refused_with_its_field(cursor: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        decode_cursor(cursor)
    assert caught.value.field == "after"


@pytest.mark.rule("P1")
@pytest.mark.parametrize("first", [0, -1, PAGE_SIZE_MAX + 1, 100_000])
def test_a_page_of_none_or_of_too_many_is_refused(first: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        page_size(first)
    assert caught.value.field == "first"


@pytest.mark.parametrize("first", [1, PAGE_SIZE_MAX])
def test_a_page_within_the_bounds_is_given(first: int) -> None:
    assert page_size(first) == first

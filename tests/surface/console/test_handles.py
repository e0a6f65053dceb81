"""What stands in an address in place of a person's id."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referralnet.console.handles import Handles
from referralnet.errors import NotFound

OURS = Handles("a session's token")


@pytest.mark.rule("C5")
@given(st.uuids())
def test_a_handle_comes_back_to_its_id_and_shows_nothing_of_it(id: UUID) -> None:  # noqa: A002 (as the pages name it)
    handle = OURS.of("survivor", id)
    assert OURS.open("survivor", handle) == id
    assert OURS.of("survivor", id) == handle  # loading again and the back button come back here
    assert id.hex not in handle
    assert str(id) not in handle


@pytest.mark.rule("C5")
def test_a_handle_opens_nothing_in_another_session() -> None:
    handle = OURS.of("survivor", uuid4())
    with pytest.raises(NotFound):
        Handles("the same person's next session").open("survivor", handle)


def test_a_handle_of_one_kind_opens_no_other() -> None:
    with pytest.raises(NotFound):
        OURS.open("referral", OURS.of("survivor", uuid4()))


@given(st.text() | st.binary(min_size=32, max_size=32).map(lambda raw: raw.hex()))
def test_what_was_typed_into_an_address_opens_nothing(typed: str) -> None:
    with pytest.raises(NotFound):
        OURS.open("survivor", typed)


@given(st.integers(0, 42), st.sampled_from("AB_-"))
def test_an_altered_handle_opens_nothing_else(place: int, letter: str) -> None:
    id = UUID(int=7)  # noqa: A001 (as the pages name it)
    handle = OURS.of("survivor", id)
    altered = handle[:place] + letter + handle[place + 1 :]
    try:
        assert OURS.open("survivor", altered) == id  # the two bits that 43 letters have over
    except NotFound:
        assert altered != handle

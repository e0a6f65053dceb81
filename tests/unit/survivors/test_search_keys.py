"""Search hashes: one agency's mean nothing in another, and equal names are mostly not equal hashes (C5, P4)."""

from __future__ import annotations

from collections import Counter
from uuid import uuid4

import pytest

from referralnet.encryption.held_keyring import HeldKeyring
from referralnet.survivors.search_keys import SPREAD, SearchHasher, SearchKind, Traits, values_of

KEYRING = HeldKeyring.generate()
OURS, THEIRS = (SearchHasher(KEYRING, uuid4()) for _ in "ab")


@pytest.mark.rule("C5")
def test_the_same_name_has_no_hash_in_common_with_another_agency_or_another_kind() -> None:
    ours = set(OURS.asked(SearchKind.NAME, "garcia"))
    assert len(ours) == SPREAD
    assert not ours & set(THEIRS.asked(SearchKind.NAME, "garcia"))
    for kind in set(SearchKind) - {SearchKind.NAME}:
        assert not ours & set(OURS.asked(kind, "garcia"))


def test_whoever_asks_finds_it_for_any_survivor() -> None:
    asked = OURS.asked(SearchKind.NAME, "garcia")
    survivors = [uuid4() for _ in range(100)]
    assert all(OURS.kept(SearchKind.NAME, "garcia", survivor) in asked for survivor in survivors)
    assert all(
        OURS.kept(SearchKind.NAME, "garcia", one) == OURS.kept(SearchKind.NAME, "garcia", one) for one in survivors
    )


@pytest.mark.rule("P4")
def test_the_commonest_name_shows_a_sixteenth_of_its_frequency() -> None:
    seen = Counter(OURS.kept(SearchKind.NAME, "maria", uuid4()) for _ in range(1600))
    assert len(seen) == SPREAD
    assert max(seen.values()) < 1600 / SPREAD * 1.6


def test_everything_by_which_she_may_be_found_is_hashed_and_nothing_shows() -> None:
    traits = Traits(("Lupe", "O'Brien"), ("+13125550142",), None, "Blue kite 7")
    assert set(values_of(traits)) == {
        (SearchKind.NAME, "lupe"),
        (SearchKind.NICKNAME, "guadalupe"),
        (SearchKind.SOUND, "lp"),
        (SearchKind.NAME, "obrien"),
        (SearchKind.SOUND, "abrn"),
        (SearchKind.PHONE, "+13125550142"),
        (SearchKind.LABEL, "blue kite 7"),
    }
    assert "Lupe" not in repr(traits)

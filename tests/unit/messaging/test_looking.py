"""Turns go together where they are of one custody and one urgency, and keep their places otherwise."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referralnet.messaging.looking import together
from referralnet.messaging.outbox import Turn

AGENCIES = [None, UUID(int=1), UUID(int=2), UUID(int=3)]
TURNS = st.lists(st.builds(Turn, st.sampled_from(AGENCIES), st.sampled_from([0, 1]), st.integers(1, 2)), max_size=40)


@pytest.mark.rule("M12")
@given(turns=TURNS.map(lambda turns: sorted(turns, key=lambda turn: turn.priority)), at_most=st.integers(1, 5))
def test_no_turn_is_lost_and_none_that_is_urgent_waits_for_one_that_is_not(turns: list[Turn], at_most: int) -> None:
    groups = together(turns, at_most=at_most)
    assert Counter(turn for group in groups for turn in group) == Counter(turns)
    assert all(1 <= len(group) <= at_most for group in groups)
    assert all(len({(turn.agency_id, turn.priority) for turn in group}) == 1 for group in groups)
    urgencies = [group[0].priority for group in groups]
    assert urgencies == sorted(urgencies)


@given(turns=TURNS)
def test_where_one_goes_at_a_time_the_order_is_that_of_the_turns(turns: list[Turn]) -> None:
    assert [group[0] for group in together(turns, at_most=1)] == turns


def test_a_group_stands_where_its_first_turn_stood() -> None:
    one, other = (Turn(agency_id, 1, 1) for agency_id in AGENCIES[1:3])
    assert together([one, other, one, other, one], at_most=2) == [[one, one], [other, other], [one]]

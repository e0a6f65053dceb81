"""A report never moves a text backwards, in any order; where it ends depends on what was said alone (M7)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, permutations

import pytest

from referralnet.messaging.callbacks import RANK, moves_forward
from referralnet.messaging.tables import TextState


def apply(reports: Sequence[TextState]) -> list[TextState]:
    states = [TextState.ACCEPTED]
    for reported in reports:
        states.append(reported if moves_forward(states[-1], reported) else states[-1])
    return states


@pytest.mark.rule("M7")
@pytest.mark.parametrize("count", range(1, len(RANK) + 1))
def test_every_order_of_the_same_reports_ends_the_same_and_never_steps_back(count: int) -> None:
    for said in combinations(RANK, count):
        ends = set()
        for reports in permutations((*said, said[0], said[-1])):
            states = apply(reports)
            assert [RANK[state] for state in states] == sorted(RANK[state] for state in states)
            ends.add(states[-1])
        assert len(ends) == 1, said
        assert (ends == {TextState.DELIVERED}) == (TextState.DELIVERED in said)


@pytest.mark.rule("M7")
def test_a_late_delivered_is_kept_and_a_late_failure_is_not() -> None:
    assert moves_forward(TextState.UNDELIVERED, TextState.DELIVERED)
    assert not moves_forward(TextState.DELIVERED, TextState.UNDELIVERED)


@pytest.mark.parametrize("state", [TextState.UNKNOWN, TextState.CLAIMED, TextState.SCHEDULED, TextState.HELD])
def test_any_report_settles_what_was_not_known_to_be_at_the_carrier(state: TextState) -> None:
    assert all(moves_forward(state, reported) for reported in RANK)

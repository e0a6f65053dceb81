"""A report never moves a text backwards, in any order, however often (M7)."""

from __future__ import annotations

from itertools import permutations

import pytest

from referralnet.messaging.callbacks import RANK, REPORTED, moves_forward
from referralnet.messaging.tables import TextState


def apply(reports: tuple[str, ...]) -> list[TextState]:
    states = [TextState.ACCEPTED]
    for report in reports:
        reported = REPORTED[report]
        states.append(reported if moves_forward(states[-1], reported) else states[-1])
    return states


@pytest.mark.rule("M7")
@pytest.mark.parametrize("reports", list(permutations(("queued", "sent", "delivered", "undelivered", "sent"))))
def test_every_order_ends_delivered_and_never_steps_back(reports: tuple[str, ...]) -> None:
    states = apply(reports)
    assert states[-1] is TextState.DELIVERED
    assert [RANK[state] for state in states] == sorted(RANK[state] for state in states)


@pytest.mark.rule("M7")
def test_a_late_delivered_is_kept_and_a_late_failure_is_not() -> None:
    assert moves_forward(TextState.UNDELIVERED, TextState.DELIVERED)
    assert not moves_forward(TextState.DELIVERED, TextState.UNDELIVERED)


@pytest.mark.parametrize("state", [TextState.UNKNOWN, TextState.CLAIMED, TextState.SCHEDULED, TextState.HELD])
def test_any_report_settles_what_was_not_known_to_be_at_the_carrier(state: TextState) -> None:
    assert all(moves_forward(state, reported) for reported in REPORTED.values())

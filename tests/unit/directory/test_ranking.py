"""The policy of ranking keeps its word for any mixture of reasons."""

from __future__ import annotations

import pytest

from referralnet.directory.ranking import NEAR_POINTS, REASONS, TONIGHT_POINTS, WORDS_POINTS


@pytest.mark.rule("D5")
def test_a_bed_confirmed_free_tonight_outranks_whatever_else_may_be_said() -> None:
    others = [reason.points for reason in REASONS if abs(reason.points) != TONIGHT_POINTS]
    best = sum(points for points in others if points > 0) + NEAR_POINTS + WORDS_POINTS
    worst = sum(points for points in others if points < 0)
    assert best - worst < TONIGHT_POINTS


def test_every_reason_has_a_code_of_its_own_and_says_something() -> None:
    assert len({reason.code for reason in REASONS}) == len(REASONS)
    assert all(reason.points for reason in REASONS)

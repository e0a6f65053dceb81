"""The check itself: what has an order is explained by it, and what has none is refused."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.histories.linearizable import Call, explain
from tests.histories.model import Act, Referral, State, apply

ONE_BED = State((("house", 1),), (Referral(0, "east", "house"), Referral(1, "west", "house")))
ONE_REFERRAL = State((("house", 1),), (Referral(0, "east", "house"),))


def of(*calls: Call[Act], start: State = ONE_REFERRAL, status: tuple[str, ...]) -> tuple[Call[Act], ...] | None:
    return explain(
        start, calls, apply=apply, leaves=lambda state: tuple(one.status for one in state.referrals) == status
    )


def call(what: str, who: str, told: str, asked: float, answered: float, number: int = 0) -> Call[Act]:
    return Call(Act(what, who, number), told, asked, answered)


def test_of_two_answers_at_once_the_winner_comes_first() -> None:
    accepts, withdraws = call("accept", "ada", "ILLEGAL_TRANSITION", 0, 9), call("withdraw", "mara", "done", 1, 8)
    assert of(accepts, withdraws, status=("cancelled",)) == (withdraws, accepts)


def test_two_winners_of_one_bed_are_explained_by_no_order() -> None:
    both = [call("accept", "ada", "done", 0, 9), call("accept", "ben", "done", 0, 9, number=1)]
    assert of(*both, start=ONE_BED, status=("accepted", "accepted")) is None


def test_a_bed_that_nobody_got_is_explained_by_no_order() -> None:
    both = [call("accept", "ada", "NO_CAPACITY", 0, 9), call("accept", "ben", "NO_CAPACITY", 0, 9, number=1)]
    assert of(*both, start=ONE_BED, status=("requested", "requested")) is None


def test_whoever_asked_after_another_was_answered_comes_after_it() -> None:
    accepts = call("accept", "ada", "done", 0, 1)
    early, late = call("expire", "clock", "late", 0, 9), call("expire", "clock", "done", 2, 9)
    assert of(accepts, early, status=("accepted",)) == (accepts, early)
    # It says that it expired, and yet it was accepted before the clock looked.
    assert of(accepts, late, status=("expired",)) is None


def test_right_words_that_leave_something_else_are_explained_by_no_order() -> None:
    both = [call("accept", "ada", "done", 0, 9), call("withdraw", "mara", "done", 0, 9)]
    assert of(*both, status=("cancellation_requested",)) is not None
    assert of(*both, status=("accepted",)) is None, "an update was lost"


@given(st.permutations(range(4)))
def test_one_after_another_has_its_own_order_alone(order: list[int]) -> None:
    """A counter that only grows, asked in turn: any other order than that of the clock tells other numbers."""
    calls = [Call(number, str(number), 2.0 * place, 2.0 * place + 1) for place, number in enumerate(order)]

    def count(state: int, number: int) -> tuple[int, str]:
        return state + 1, str(state if number == state else -1)

    explained = explain(0, calls, apply=count, leaves=lambda state: state == len(order))
    rising = all(before < after for before, after in pairwise(order))
    assert (explained is not None) == rising

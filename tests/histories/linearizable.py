"""Whether what several were told at once can be explained by some order of one after another (Wing and Gong, 1993)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Act = TypeVar("Act")
State = TypeVar("State", bound=Hashable)


@dataclass(frozen=True)
class Call(Generic[Act]):
    """An act, what whoever did it was told, and when it was asked for and answered (seconds of one clock)."""

    act: Act
    told: str
    asked_at: float
    answered_at: float


def explain(
    start: State,
    calls: Sequence[Call[Act]],
    *,
    apply: Callable[[State, Act], tuple[State, str]],
    leaves: Callable[[State], bool],
) -> tuple[Call[Act], ...] | None:
    """An order of the calls in which each would have been told what it was told, or None: then no order explains them.

    Whoever was answered before another asked comes before it. What does not lead to an end is tried once from each
    state (Lowe, 2017), so that a few calls are judged in well under a millisecond.

    Args:
        start: where all begin.
        calls: what was done, in any order.
        apply: the rules of one at a time: the state after an act, and what is told.
        leaves: whether a state is what was found when all was over.
    """
    tried: set[tuple[frozenset[int], State]] = set()

    def search(state: State, left: frozenset[int]) -> tuple[Call[Act], ...] | None:
        if not left:
            return () if leaves(state) else None
        if (left, state) in tried:
            return None
        tried.add((left, state))
        first_answer = min(calls[number].answered_at for number in left)
        for number in sorted(left):
            call = calls[number]
            if call.asked_at > first_answer:
                continue
            after, told = apply(state, call.act)
            rest = search(after, left - {number}) if told == call.told else None
            if rest is not None:
                return (call, *rest)
        return None

    return search(start, frozenset(range(len(calls))))

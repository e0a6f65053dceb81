"""The tables that a run prints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.journeys.contenders import REFERRALNET
from benchmarks.journeys.measuring import Turn


def tell_table(turns: dict[str, dict[str, list[Turn]]], started: dict[str, float]) -> None:
    """One table a journey, the quickest first."""
    console = Console(width=150)
    for journey, played in turns.items():
        columns = (
            "", "answers/s", "ReferralNet's, times this", "p50 ms", "p99 ms", "processor ms an answer: server",
            "database", "together, times ReferralNet's", "memory MiB",
        )  # fmt: skip
        table = Table(*columns, title=f"Journey {journey}")
        own = played.get(REFERRALNET.name)
        for name, its in sorted(played.items(), key=lambda one: -_middle(one[1], lambda turn: turn.rate)):
            table.add_row(name, *_cells(its, own))
        console.print(table)
    for name, seconds in started.items():
        console.print(f"{name}: took connections {seconds:.1f} s after it was started")


def _cells(its: list[Turn], own: list[Turn] | None) -> list[str]:
    pairs = list(zip(own, its, strict=True)) if own else []
    return [
        _spread([turn.rate for turn in its], 0),
        _spread([ours.rate / turn.rate for ours, turn in pairs], 2),
        f"{_middle(its, lambda turn: turn.p50):.1f}",
        f"{_middle(its, lambda turn: turn.p99):.1f}",
        f"{_middle(its, lambda turn: turn.own):.2f}",
        f"{_middle(its, lambda turn: turn.database):.2f}",
        _spread([_together(turn) / _together(ours) for ours, turn in pairs], 2),
        f"{_middle(its, lambda turn: turn.memory):.0f}",
    ]


def _together(turn: Turn) -> float:
    return turn.own + turn.database


def _middle(turns: list[Turn], of: Callable[[Turn], float]) -> float:
    return median(of(turn) for turn in turns)


def _spread(values: Sequence[float], digits: int) -> str:
    if not values:
        return ""
    return f"{median(values):,.{digits}f} ({min(values):,.{digits}f} - {max(values):,.{digits}f})"

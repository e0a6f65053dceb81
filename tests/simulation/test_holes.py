"""The simulation finds every hole that is planted in the sending of texts: what it does not find, it does not prove."""

from __future__ import annotations

import importlib
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.simulation.holes import HOLES, Hole
from tests.simulation.test_week import Ground, ground  # noqa: F401 (a fixture)
from tests.simulation.weeks import Week, weeks

SEARCHED = int(os.environ.get("REFERRALNET_TEST_WEEKS", "0"))
"""So many drawn weeks are searched as well."""


PLAYS_MAX = 30
"""Ids are drawn anew each time, and with them which of several that are due at one moment is worked on first: a hole
that shows in two plays of five is found within so many all the same.
"""


class Found(Exception):
    """The rule is seen to be broken: no further week is needed."""


def planted(place: str) -> tuple[Any, str]:
    """Where a name stands: a module, or a class in one."""
    module, _, name = place.rpartition(".")
    try:
        return importlib.import_module(module), name
    except ModuleNotFoundError:
        outer, _, kept = module.rpartition(".")
        return getattr(importlib.import_module(outer), kept), name


def plant(hole: Hole, monkeypatch: pytest.MonkeyPatch) -> None:
    for place, make in hole.patched.items():
        where, what = planted(place)
        monkeypatch.setattr(where, what, make(getattr(where, what)))


def finds(hole: Hole, wrong: list[str]) -> list[str]:
    return [one for one in wrong if one.startswith(hole.rule)]


@pytest.mark.slow
@pytest.mark.rule("M1", "M2", "M3", "M4", "M5", "M7", "M9", "M10", "M12", "M13", "C4")
@pytest.mark.parametrize("name", HOLES)
def test_what_is_planted_is_found_and_nothing_without_it(
    ground: Ground,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    hole = HOLES[name]
    assert ground.wait(ground.play(hole.week)) == []
    plant(hole, monkeypatch)
    wrong: list[str] = []
    for _ in range(PLAYS_MAX):
        wrong = ground.wait(ground.play(hole.week, sql=hole.sql))
        if finds(hole, wrong):
            break
    assert finds(hole, wrong), wrong
    print(f"{hole.rule:3} {name}\n      {finds(hole, wrong)[0]}")  # noqa: T201 (the table, with -s)


@pytest.mark.slow
@pytest.mark.rule("M5")
@pytest.mark.skipif(not SEARCHED, reason="REFERRALNET_TEST_WEEKS says how many weeks to search")
@pytest.mark.parametrize("name", HOLES)
def test_what_is_planted_is_found_in_drawn_weeks(
    ground: Ground,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    hole, searched = HOLES[name], 0
    plant(hole, monkeypatch)

    @seed(7)
    @settings(
        max_examples=SEARCHED, deadline=None, database=None, suppress_health_check=list(HealthCheck),
        phases=(Phase.generate,),
    )  # fmt: skip
    @given(week=weeks())
    def search(week: Week) -> None:
        nonlocal searched
        searched += 1
        if finds(hole, ground.wait(ground.play(week, sql=hole.sql))):
            raise Found

    with pytest.raises(Found):
        search()
    print(f"{hole.rule:3} {name}: found in the {searched}. week")  # noqa: T201 (the table, with -s)

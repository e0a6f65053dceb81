"""The probe finds every hole that is planted: what it would not find, it does not prove."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from sqlalchemy import make_url

from referralnet.referrals import reading
from tests.databases import Server
from tests.factories.rows import connect_as_superuser
from tests.probe.holes import HOLES, Hole
from tests.probe.probing import Probed, probe

QUESTIONS = 3000


@asynccontextmanager
async def copied(postgres: Server, probed: Probed, hole: Hole) -> AsyncIterator[Probed]:
    """A copy of the network with a hole in its database."""
    async with postgres.fresh_database(template=str(make_url(probed.urls.app).database)) as urls:
        superuser = await connect_as_superuser(urls)
        try:
            await superuser.execute(hole.sql)
        finally:
            await superuser.close()
        yield replace(probed, urls=urls)


@pytest.fixture
def statements_made_anew() -> Iterator[Callable[[], None]]:
    """Statements are put together once: those of before a hole, and those with one in them, are to be forgotten."""
    kept = [value for value in vars(reading).values() if hasattr(value, "cache_clear")]
    assert kept

    def forget() -> None:
        for statement in kept:
            statement.cache_clear()

    yield forget
    forget()


@pytest.mark.slow
@pytest.mark.rule("A1")
@pytest.mark.rule("C2")
@pytest.mark.parametrize("name", HOLES)
async def test_what_is_planted_is_found(
    postgres: Server,
    probed: Probed,
    monkeypatch: pytest.MonkeyPatch,
    statements_made_anew: Callable[[], None],
    name: str,
) -> None:
    hole = HOLES[name]
    for place, make in hole.patched.items():
        module, _, attribute = place.rpartition(".")
        original = getattr(importlib.import_module(module), attribute)
        monkeypatch.setattr(place, make(probed.world, original))
    statements_made_anew()
    async with copied(postgres, probed, hole) as holed:
        report = await probe(holed, seed=11, questions=QUESTIONS, stop_at_first=True, sweep_first=hole.sweep_first)
    assert report.findings, f"not found in {report.cases:,} cases"
    print(f"{hole.rule:3} {name}: {report.cases:,} cases\n      {next(iter(report.findings))}")  # noqa: T201 (the table, with -s)

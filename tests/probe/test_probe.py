"""Nobody learns what the rules keep from them: every member, every table, every field, every refusal, by the oracle."""

from __future__ import annotations

import os

import pytest

from referralnet.api.context import Resources
from referralnet.clock import FixedClock
from referralnet.database.transactions import Database
from referralnet.settings import Settings
from tests.probe.findings import Report
from tests.probe.graph import GraphProbe
from tests.probe.probing import Probed, probe

QUESTIONS = int(os.environ.get("REFERRALNET_TEST_PROBE_QUESTIONS", "2000"))
CASES_MIN = 20_000


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.rule("A1")
@pytest.mark.rule("A2")
@pytest.mark.rule("A3")
@pytest.mark.rule("A4")
@pytest.mark.rule("A8")
@pytest.mark.rule("C1")
@pytest.mark.rule("C2")
@pytest.mark.rule("C3")
@pytest.mark.rule("C6")
@pytest.mark.rule("C12")
@pytest.mark.rule("R4")
@pytest.mark.rule("R5")
async def test_everybody_learns_what_the_rules_let_them_and_nothing_else(probed: Probed, seed: int) -> None:
    report = await probe(probed, seed=seed, questions=QUESTIONS // 2)
    print(f"seed {seed}: {report.cases:,} cases, {report.compared:,} values")  # noqa: T201 (the probe's figure, with -s)
    assert not report.findings, f"seed {seed}, after {report.cases:,} cases:\n{report.told()}"
    assert report.cases > CASES_MIN


@pytest.mark.rule("A1")
def test_every_type_and_question_of_the_schema_has_its_place_in_the_oracle(probed: Probed) -> None:
    resources = Resources(Database(probed.urls.app), probed.keyring, FixedClock(probed.world.now), Settings())
    assert GraphProbe(probed.world, resources, Report()).unknown() == []

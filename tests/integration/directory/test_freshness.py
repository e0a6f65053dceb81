"""How long a count is believed depends on what is counted (D5)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from referralnet.database.acting import Operator
from referralnet.database.transactions import Database
from referralnet.directory.freshness import FRESH_FOR, FRESH_FOR_OTHER_UNITS, fresh_condition, fresh_for, is_fresh

NOW = datetime(2026, 11, 24, 0, 0, tzinfo=UTC)


@pytest.mark.rule("D5")
def test_a_bed_is_believed_for_a_day_and_a_lawyers_slot_for_a_week() -> None:
    day_old = NOW - timedelta(hours=24, seconds=1)
    assert not is_fresh("bed", day_old, NOW)
    assert is_fresh("legal intake slot", day_old, NOW)
    assert not is_fresh("legal intake slot", NOW - timedelta(days=7, seconds=1), NOW)


@pytest.mark.rule("D5")
def test_a_unit_nobody_has_thought_of_is_as_strict_as_a_bed() -> None:
    assert fresh_for("hammock") == FRESH_FOR_OTHER_UNITS == fresh_for("bed")
    assert fresh_for(" Family Room ") == FRESH_FOR["family room"]


@pytest.mark.rule("D5")
def test_a_count_from_the_future_is_not_believed() -> None:
    assert not is_fresh("bed", NOW + timedelta(minutes=1), NOW)


@pytest.mark.rule("D5")
@pytest.mark.parametrize("age_seconds", [-60, 0, 86_400, 86_401, 604_800, 604_801])
async def test_search_and_the_board_judge_every_unit_alike(owner: Database, age_seconds: int) -> None:
    updated = NOW - timedelta(seconds=age_seconds)
    statement = text(f"select {fresh_condition('cast(:unit as text)', 'cast(:updated as timestamptz)')}")
    async with owner.transaction(Operator()) as session:
        for unit in (*FRESH_FOR, "hammock", " BED "):
            asked = {"unit": unit, "updated": updated, "now": NOW}
            assert await session.scalar(statement, asked) is is_fresh(unit, updated, NOW), unit

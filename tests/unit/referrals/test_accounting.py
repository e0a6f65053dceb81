"""How the trail and the tables are paired: one to one, whatever their order, and what is left over is marked (C11)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from uuid import UUID

import pytest

from referralnet.audit.recording import Action
from referralnet.referrals.accounting import Standing, compare
from referralnet.referrals.telling import Entry

AGENCY, NOON = UUID(int=1), datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
BOTH, NO_TRAIL, NO_TABLES = Standing.IN_BOTH, Standing.MISSING_IN_TRAIL, Standing.MISSING_IN_TABLES


def entry(of: int = 1, *, act: Action = Action.DISCLOSURE_READ, minutes: int = 0) -> Entry:
    at = NOON + timedelta(minutes=minutes)
    return Entry(act, UUID(int=of), at, AGENCY, AGENCY, UUID(int=9), ("identity",), None)


def standings(trail: list[Entry], tables: list[Entry]) -> list[Standing]:
    return sorted(standing for _, standing in compare(trail, tables))


@pytest.mark.rule("C11")
def test_of_equal_entries_each_is_paired_once() -> None:
    assert standings([entry(minutes=1)], [entry(), entry()]) == sorted([BOTH, NO_TRAIL])
    assert standings([entry(minutes=1), entry(minutes=2)], [entry()]) == sorted([BOTH, NO_TABLES])
    assert standings([entry(), entry()], [entry(), entry()]) == [BOTH, BOTH]


@pytest.mark.rule("C11")
@pytest.mark.parametrize("name", ["act", "subject_id", "by_agency_id", "to_agency_id", "release_id", "categories"])
def test_whatever_they_say_otherwise_parts_them(name: str) -> None:
    others = {"act": Action.DISCLOSURE_MADE, "categories": ("legal",)}
    other = replace(entry(), **{name: others.get(name, UUID(int=77))})  # type: ignore[arg-type]
    assert standings([entry()], [other]) == sorted([NO_TABLES, NO_TRAIL])


def test_the_time_is_the_tables_and_the_order_the_trails() -> None:
    called = entry(1, act=Action.CALL_LOGGED, minutes=60)
    found = compare([called, entry(2, minutes=30)], [entry(1, act=Action.CALL_LOGGED, minutes=-600), entry(2)])
    assert [(one.subject_id.int, one.at) for one, _ in found] == [(2, NOON), (1, NOON - timedelta(minutes=600))]


def test_that_notes_were_read_stands_in_the_trail_alone() -> None:
    assert standings([entry(act=Action.REFERRAL_NOTES_READ)], []) == [BOTH]


@pytest.mark.rule("C11")
@pytest.mark.parametrize(("in_trail", "in_tables"), list(product(range(4), repeat=2)))
def test_nothing_of_either_side_is_lost(in_trail: int, in_tables: int) -> None:
    """Entries of one thing beside those of another, of which each side has two."""
    trail = [entry(1, minutes=minute) for minute in range(in_trail)] + [entry(2), entry(2)]
    tables = [entry(2), entry(2)] + [entry(1, minutes=minute) for minute in range(in_tables)]
    lines = compare(trail, tables)
    found = [standing for one, standing in lines if one.subject_id == UUID(int=1)]
    assert len(lines) == max(in_trail, in_tables) + 2
    assert found.count(BOTH) == min(in_trail, in_tables)
    assert found.count(NO_TABLES) == max(0, in_trail - in_tables)
    assert found.count(NO_TRAIL) == max(0, in_tables - in_trail)

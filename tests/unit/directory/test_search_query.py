"""The rings of a large circle are the circle, wherever it lies: nothing beyond it is looked for, and nothing missed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from referralnet.directory.free_text import understand
from referralnet.directory.places import chord, surroundings
from referralnet.directory.search_query import DirectoryQuery, values
from referralnet.directory.search_reach import RINGS_KILOMETERS, is_far


@pytest.mark.parametrize(
    ("zip_code", "kilometers"),
    [("60601", 300.0), ("60601", 500.0), ("99723", 160.0), ("99723", 190.0), ("99701", 190.0), ("33040", 450.0)],
)
def test_rings_follow_each_other_from_the_middle_to_the_edge(zip_code: str, kilometers: float) -> None:
    area = surroundings(zip_code, kilometers)
    assert is_far(len(area.point_cells)), "a smaller circle has no rings"
    given = values(DirectoryQuery(zip_code=zip_code), understand(""), area, datetime.now(UTC))
    rings = range(len(RINGS_KILOMETERS) + 1)
    inner = [given[f"ring_{number}_inner_chord"] for number in rings]
    outer = [given[f"ring_{number}_outer_chord"] for number in rings]
    assert inner[0] < 0, "what lies in the middle is within the first"
    assert inner[1:] == outer[:-1]
    assert outer == sorted(outer)
    assert outer[-1] == chord(kilometers)
    assert set().union(*(given[f"ring_{number}_cells"] for number in rings)) == set(area.point_cells)

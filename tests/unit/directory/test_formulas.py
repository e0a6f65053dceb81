"""A cell that a spreadsheet would run is guarded in an export, and comes back as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referralnet.directory.formulas import bare, guarded


@pytest.mark.parametrize("cell", ["=cmd|' /C calc'!A0", "@SUM(A1)", "+cmd", "-2+3+cmd", "\uff1d1+1", "'=1", "''@x"])
def test_what_a_spreadsheet_would_run_is_kept_from_running(cell: str) -> None:
    assert guarded(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["+1 312-555-0142", "-87.66799", "Open", "'tis", "", "a=b", "+1 (312) 555.0142"])
def test_numbers_telephones_and_words_stay_as_they_are(cell: str) -> None:
    assert guarded(cell) == cell
    assert bare(cell) == cell


@given(st.text(alphabet=st.sampled_from("'=+-@ 1a\t\r\n\uff1d"), max_size=8) | st.text(max_size=30))
def test_every_cell_comes_back_as_it_was(cell: str) -> None:
    assert bare(guarded(cell)) == cell

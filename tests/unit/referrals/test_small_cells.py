"""Nothing that was left out of published counts can be subtracted back, from all of the tables together."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from referralnet.referrals.small_cells import SMALL_BELOW, Sum, leave_out_small

Name = tuple[str, int, int]
ALL = -1
COUNT = st.one_of(st.integers(0, 15), st.sampled_from([0, 0, 1, 1, 11, 12, 40, 300]))


def table(name: str, cells: list[list[int]]) -> tuple[dict[Name, int], list[Sum[Name]]]:
    """Counts with totals of rows, of columns, and of everything; and how they add up."""
    rows, columns = range(len(cells)), range(len(cells[0]))
    counts: dict[Name, int] = {(name, r, c): cells[r][c] for r in rows for c in columns}
    counts |= {(name, r, ALL): sum(cells[r]) for r in rows}
    counts |= {("all", ALL, c): sum(cells[r][c] for r in rows) for c in columns}
    counts["all", ALL, ALL] = sum(map(sum, cells))
    sums = [Sum((name, r, ALL), tuple((name, r, c) for c in columns)) for r in rows]
    sums += [Sum(("all", ALL, c), tuple((name, r, c) for r in rows)) for c in columns]
    sums.append(Sum(("all", ALL, ALL), tuple((name, r, ALL) for r in rows)))
    sums.append(Sum(("all", ALL, ALL), tuple(("all", ALL, c) for c in columns)))
    return counts, sums


@st.composite
def linked(draw: st.DrawFn) -> tuple[dict[Name, int], list[Sum[Name]]]:
    """The same people counted twice, by kind and by month, so that both tables share their last line."""
    columns = draw(st.integers(1, 4))
    people = draw(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), COUNT), min_size=1, max_size=12))
    by_kind = [[0] * columns for _ in range(4)]
    by_month = [[0] * columns for _ in range(3)]
    for kind, month, count in people:
        column = draw(st.integers(0, columns - 1))
        by_kind[kind][column] += count
        by_month[month][column] += count
    first, second = table("kind", by_kind), table("month", by_month)
    return first[0] | second[0], first[1] + second[1]


def worked_out(told: dict[Name, int | None], sums: list[Sum[Name]]) -> set[Name]:
    """What a reader with pencil and paper gets back: by elimination in fractions, written without the program's."""
    unknown = [name for name, count in told.items() if count is None]
    matrix: list[list[Fraction]] = []
    for known in sums:
        row = [Fraction((name in known.parts) - (name == known.total)) for name in unknown]
        matrix.append(row)
    pivot_row = 0
    for column in range(len(unknown)):
        found = next((r for r in range(pivot_row, len(matrix)) if matrix[r][column]), None)
        if found is None:
            continue
        matrix[pivot_row], matrix[found] = matrix[found], matrix[pivot_row]
        scale = matrix[pivot_row][column]
        matrix[pivot_row] = [value / scale for value in matrix[pivot_row]]
        for r, row in enumerate(matrix):
            if r != pivot_row and row[column]:
                matrix[r] = [a - row[column] * b for a, b in zip(row, matrix[pivot_row], strict=True)]
        pivot_row += 1
    alone = [[column for column, value in enumerate(row) if value] for row in matrix]
    return {unknown[columns[0]] for columns in alone if len(columns) == 1}


@pytest.mark.rule("A4")
@settings(max_examples=200, deadline=None)
@given(linked())
def test_nothing_can_be_subtracted_back(published: tuple[dict[Name, int], list[Sum[Name]]]) -> None:
    counts, sums = published
    told = leave_out_small(counts, sums)
    assert all(count is None or count == counts[name] for name, count in told.items())
    assert not any(count is not None and 0 < count < SMALL_BELOW for count in told.values())
    assert worked_out(told, sums) == set()


@pytest.mark.rule("A4")
@settings(max_examples=200, deadline=None)
@given(linked())
def test_what_was_left_out_of_a_line_together_is_no_small_count_either(
    published: tuple[dict[Name, int], list[Sum[Name]]],
) -> None:
    counts, sums = published
    told = leave_out_small(counts, sums)
    for known in sums:
        left_out = [part for part in known.parts if told[part] is None]
        if left_out and told[known.total] is not None:
            rest = sum(counts[part] for part in left_out)
            assert rest >= SMALL_BELOW
            assert rest > len(left_out)
        assert all(counts[part] for part in left_out)  # each could be one more or one fewer


def test_a_small_count_takes_neighbours_along_and_leaves_the_totals() -> None:
    counts, sums = table("kind", [[40, 5, 60], [30, 20, 50], [25, 35, 45]])
    told = leave_out_small(counts, sums)
    left_out = {name for name, count in told.items() if count is None}
    assert ("kind", 0, 1) in left_out
    assert len(left_out) <= 6
    assert all(told["all", ALL, column] for column in range(3))


def test_where_all_is_large_all_is_told() -> None:
    counts, sums = table("kind", [[40, 0], [11, 12]])
    assert leave_out_small(counts, sums) == counts


def test_an_agency_with_a_handful_of_people_is_told_nothing_but_zeros() -> None:
    counts, sums = table("kind", [[3, 0], [0, 0]])
    told = leave_out_small(counts, sums)
    assert set(told.values()) == {None, 0}

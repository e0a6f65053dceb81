"""Small cells of published counts are left out, with so many others that nothing can be subtracted back.

A count of fewer than 11 people may tell of one of them to whoever knows her. The threshold is that of the cell size
policy of the Centers for Medicare & Medicaid Services (no cell of 1 to 10, nor anything from which one follows); how
others are chosen, complementary suppression, is described in Statistical Policy Working Paper 22 of the Federal
Committee on Statistical Methodology, section on tables of counts.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

SMALL_BELOW = 11
"""A count below it is told as nothing; none at all is told, since it is nobody's."""
_PRIME = 2**61 - 1  # as a field to reckon in; what is told by no sum of ±1 here is told by none

Cell = TypeVar("Cell", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Sum(Generic[Cell]):
    """That the parts of a total add up to it."""

    total: Cell
    parts: tuple[Cell, ...]


def leave_out_small(counts: Mapping[Cell, int], sums: Sequence[Sum[Cell]]) -> dict[Cell, int | None]:
    """The counts that may be told; None where one is left out.

    What is left out is never 0, so that each could be a little more or less, and whoever reads all tables at once
    learns neither a count that was left out nor how many fewer than 11 were left out together.

    Args:
        counts: each count of everything that is published together, by a name of its own.
        sums: every equation between them that a reader knows; a count may stand in many.
    """
    hidden = {cell for cell, count in counts.items() if 0 < count < SMALL_BELOW}
    while more := _more_to_hide(counts, sums, hidden):
        hidden |= more
    return {cell: None if cell in hidden else count for cell, count in counts.items()}


def _more_to_hide(counts: Mapping[Cell, int], sums: Sequence[Sum[Cell]], hidden: set[Cell]) -> set[Cell]:
    """Where a count could be worked out, the smallest that stands in a sum with it."""
    for known in sums:
        left_out = [part for part in known.parts if part in hidden]
        rest = sum(counts[part] for part in left_out)
        if left_out and known.total not in hidden and (rest < SMALL_BELOW or rest == len(left_out)):
            return _smallest(counts, [known], hidden)
    # In the order of the counts, so that the same counts are told the same way by every process.
    for told in _worked_out(sums, [cell for cell in counts if cell in hidden]):
        beside = [known for known in sums if told == known.total or told in known.parts]
        return _smallest(counts, beside, hidden) or _smallest(counts, sums, hidden)
    return set()


def _smallest(counts: Mapping[Cell, int], sums: Iterable[Sum[Cell]], hidden: set[Cell]) -> set[Cell]:
    """The count to leave out next, a part before a total; empty where all that are more than 0 are left out."""
    parts = [part for known in sums for part in known.parts if counts[part] and part not in hidden]
    totals = [known.total for known in sums if counts[known.total] and known.total not in hidden]
    among = parts or totals
    return {min(among, key=lambda cell: counts[cell])} if among else set()


def _worked_out(sums: Sequence[Sum[Cell]], unknown: Sequence[Cell]) -> list[Cell]:
    """Those left out that follow from the sums: after elimination, alone in an equation."""
    place = {cell: column for column, cell in enumerate(unknown)}
    rows: list[dict[int, int]] = []
    for known in sums:
        row = {place[part]: 1 for part in known.parts if part in place}
        if known.total in place:
            row[place[known.total]] = _PRIME - 1
        _add_reduced(rows, row)
    return [unknown[next(iter(row))] for row in rows if len(row) == 1]


def _add_reduced(rows: list[dict[int, int]], row: dict[int, int]) -> None:
    """Add an equation to a reduced set of them, and keep it reduced: each first unknown stands in one alone."""
    for other in rows:
        first = next(iter(other))
        if first in row:
            row = _combined(row, other, row[first])
    if not row:
        return
    first, scale = next(iter(row)), pow(next(iter(row.values())), -1, _PRIME)
    row = {first: 1} | {column: value * scale % _PRIME for column, value in row.items() if column != first}
    for index, other in enumerate(rows):
        if first in other:
            rows[index] = _combined(other, row, other[first])
    rows.append(row)


def _combined(row: dict[int, int], other: dict[int, int], times: int) -> dict[int, int]:
    """`row` less `times` the other; what has become 0 is left away, and the first unknown stays first."""
    result = dict(row)
    for column, value in other.items():
        changed = (result.get(column, 0) - times * value) % _PRIME
        if changed:
            result[column] = changed
        else:
            result.pop(column, None)
    return result

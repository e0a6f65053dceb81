"""A row is told as it is, where it has all that is told."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import strawberry

from referralnet.api.shown import Shows


class Row(NamedTuple):
    name: str
    inner: int


@strawberry.type
class Named:
    name: str


@strawberry.type
class Counted:
    count: int


def test_a_row_is_told_by_itself() -> None:
    row, shows = Row("a", 1), Shows(Row, Named)
    told: object = shows.one(row)
    assert told is row
    assert [one.name for one in shows.all([row])] == ["a"]


def test_a_row_that_lacks_what_is_told_stops_the_start() -> None:
    with pytest.raises(TypeError, match=r"Counted tells what Row does not have: \['count'\]"):
        Shows(Row, Counted)
    with pytest.raises(TypeError, match="Counted"):
        Shows(Row, Named, (Row, Counted))

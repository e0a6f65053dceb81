"""Rows of a statement become named tuples with members of enums in them."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import pytest

from referralnet.database.rows import row_maker


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Painted(NamedTuple):
    name: str
    colour: Colour
    before: Colour | None
    width: int | None


class Framed(NamedTuple):
    picture: Painted
    year: int


make = row_maker(Painted)


def test_codes_are_members_and_other_values_stay_as_they_are() -> None:
    painted = make(("red", "blue", None, 3))
    assert painted == Painted("red", Colour.BLUE, None, 3)
    assert type(painted.colour) is Colour
    assert type(painted.name) is str
    assert make(["a", "red", "blue", None]).before is Colour.BLUE


@pytest.mark.parametrize("values", [("a", "green", None, 1), ("a", None, None, 1), ("a", "red", "", 1)])
def test_a_code_of_no_member_is_never_passed_on(values: tuple[object, ...]) -> None:
    with pytest.raises(KeyError):
        make(values)


def test_a_column_too_many_or_too_few_is_no_row() -> None:
    for values in (("a", "red", None), ("a", "red", None, 1, 2)):
        with pytest.raises(TypeError):
            make(values)


def test_a_row_within_a_row_takes_as_many_values_as_it_has_fields() -> None:
    assert row_maker(Framed)(("a", "red", None, 3, 1999)) == Framed(Painted("a", Colour.RED, None, 3), 1999)
    with pytest.raises(TypeError):
        row_maker(Framed)(("a", "red", None, 3))

"""Rows of a statement as named tuples: their columns in the order of its fields, codes as members of their enums."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from types import UnionType
from typing import Any, NamedTuple, TypeVar, get_args, get_type_hints

Row = TypeVar("Row", bound=NamedTuple)


def row_maker(of_type: type[Row]) -> Callable[[Sequence[Any]], Row]:
    """What makes a row of such a type from the values of its fields, in their order.

    A field whose type is an enum, or that or None, is given its code. Raises KeyError for a code that is none of them.
    """
    hints = get_type_hints(of_type)
    coded = [(at, codes) for at, name in enumerate(of_type._fields) if (codes := _codes(hints[name]))]

    def make(values: Sequence[Any]) -> Row:
        parts = list(values)
        for at, codes in coded:
            parts[at] = codes[parts[at]]
        return of_type._make(parts)

    return make


def _codes(hint: Any) -> Mapping[Any, Any]:
    """Members of an enum by their codes, and None by itself where it may be missing; nothing for any other type."""
    options = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    for option in options:
        if isinstance(option, type) and issubclass(option, Enum):
            members: dict[Any, Any] = {member.value: member for member in option}
            return members | ({None: None} if type(None) in options else {})
    return {}

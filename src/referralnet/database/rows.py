"""Rows of a statement as named tuples: their columns in the order of its fields, codes as members of their enums."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from types import UnionType
from typing import Any, NamedTuple, TypeVar, get_args, get_type_hints

Row = TypeVar("Row", bound=NamedTuple)


def row_maker(of_type: type[Row]) -> Callable[[Iterable[Any]], Row]:
    """What makes a row of such a type from the values of its fields, in their order.

    A field whose type is an enum, or that or None, is given its code; one that is such a row itself takes as many
    values as that has fields. Raises KeyError for a code that is none of them, and TypeError where there are too many
    values or too few.
    """
    named: dict[str, Any] = {"new": tuple.__new__}
    columns: list[str] = []
    written = _row(of_type, columns, named)
    made: Callable[..., Row] = eval(f"lambda {', '.join(columns)}: {written}", named)  # noqa: S307 (of our own types)
    return lambda values: made(*values)


def _row(of_type: Any, columns: list[str], named: dict[str, Any]) -> str:
    """An expression for a row of the next columns; written out, since to ask each value what it is takes longer."""
    hints, parts = get_type_hints(of_type), []
    for field in of_type._fields:
        hint = hints[field]
        if isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields"):
            parts.append(_row(hint, columns, named))
            continue
        columns.append(f"value{len(columns)}")
        codes = _codes(hint)
        parts.append(f"{_name(codes, named)}[{columns[-1]}]" if codes else columns[-1])
    return f"new({_name(of_type, named)}, ({', '.join(parts)},))"


def _name(value: Any, named: dict[str, Any]) -> str:
    name = f"given{len(named)}"
    named[name] = value
    return name


def _codes(hint: Any) -> Mapping[Any, Any]:
    """Members of an enum by their codes, and None by itself where it may be missing; nothing for any other type."""
    options = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    for option in options:
        if isinstance(option, type) and issubclass(option, Enum):
            members: dict[Any, Any] = {member.value: member for member in option}
            return members | ({None: None} if type(None) in options else {})
    return {}

"""Rows that the API tells as they are: what has every field of a type of the schema is shown by itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic, TypeVar, cast

from strawberry.types import get_object_definition

Row = TypeVar("Row")
Told = TypeVar("Told")


class Shows(Generic[Row, Told]):
    """How rows of one type are told as objects of another: by themselves, for to copy one takes longer than to read it.

    Of a row no more is told than the fields of that type.
    """

    def __init__(self, row: type[Row], told: type[Told], *parts: tuple[type, type]) -> None:
        """
        Args:
            row: a named tuple.
            told: a type of the schema.
            parts: what stands in them, a row's type and a told one each.

        Raises:
            TypeError: as the program starts: a row lacks a field that is told.
        """
        pairs: Any = ((row, told), *parts)
        for of_rows, of_schema in pairs:
            fields = {field.python_name for field in get_object_definition(of_schema, strict=True).fields}
            if missing := fields - set(of_rows._fields):
                raise TypeError(f"{of_schema.__name__} tells what {of_rows.__name__} does not have: {sorted(missing)}")

    def one(self, row: Row) -> Told:
        return cast("Told", row)

    def all(self, rows: Iterable[Row]) -> list[Told]:
        return cast("list[Told]", list(rows))

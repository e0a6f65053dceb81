"""Text that PostgreSQL cannot keep is bad input, told with its field, and not a crash further in (P3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import ArgumentNode, DocumentNode, GraphQLError, StringValueNode, Visitor, visit

_NUL = "\0"


class UnusableCharacter(GraphQLError):
    """A text holds the character U+0000, which no text can."""

    def __init__(self, field: str) -> None:
        super().__init__(f"`{field}` holds the character U+0000.", extensions={"code": "INVALID_INPUT", "field": field})


def refuse_nul(query: str, document: DocumentNode, variables: Mapping[str, Any]) -> None:
    """Raise UnusableCharacter where an argument's text or a variable holds a NUL."""
    for name, value in variables.items():
        if _holds_nul(value):
            raise UnusableCharacter(name)
    # The lexer refuses a bare NUL, so that only an escape can bring one; most documents have none to look through.
    if "\\u" in query:
        visit(document, _Strings())


class _Strings(Visitor):
    """Knows which argument the string it meets belongs to."""

    def __init__(self) -> None:
        super().__init__()
        self._argument = "variables"

    def enter_argument(self, node: ArgumentNode, *_where: Any) -> None:
        self._argument = node.name.value

    def enter_string_value(self, node: StringValueNode, *_where: Any) -> None:
        if _NUL in node.value:
            raise UnusableCharacter(self._argument)


def _holds_nul(value: Any) -> bool:
    # Without recursion: a body may nest deeper than Python does.
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, str):
            if _NUL in found:
                return True
        elif isinstance(found, dict):
            waiting += [*found.keys(), *found.values()]
        elif isinstance(found, list):
            waiting += found
    return False

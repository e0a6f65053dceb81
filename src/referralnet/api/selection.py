"""What the client asked for below a field, so that what it did not ask for is not read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from strawberry.types.nodes import SelectedField, Selection

from referralnet.api.context import Info


def asked_for(info: Info) -> frozenset[str]:
    """Names of the fields that stand anywhere below the field being resolved."""
    return frozenset(_names(info.selected_fields))


def _names(selections: Iterable[Selection]) -> Iterator[str]:
    for selection in selections:
        if isinstance(selection, SelectedField):
            yield selection.name
        yield from _names(selection.selections)

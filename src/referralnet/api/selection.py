"""What the client asked for below a field, so that what it did not ask for is not read."""

from __future__ import annotations

from collections.abc import Iterable

from strawberry.types.nodes import SelectedField, Selection

from referralnet.api.context import Info


def asks_for(info: Info, name: str) -> bool:
    """Whether a field called `name` stands anywhere below the field being resolved."""
    return _stands_in(name, info.selected_fields)


def _stands_in(name: str, selections: Iterable[Selection]) -> bool:
    return any(
        (isinstance(selection, SelectedField) and selection.name == name) or _stands_in(name, selection.selections)
        for selection in selections
    )

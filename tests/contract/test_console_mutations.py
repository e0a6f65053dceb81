"""What the API can change, a person can change on a page: by the same function of the area, or it is said why not."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from graphql import build_schema

import referralnet
from referralnet.published import path

SOURCE = Path(referralnet.__file__).parent
AREAS = (
    "referrals", "appointments", "messaging", "consent", "survivors", "directory", "identity", "audit", "partners",
)  # fmt: skip
WITHOUT_A_PAGE = {
    "stillTrue": "The capacity board says so by keeping the same count, which it shows beside the button.",
    "updateNeed": "Services that were asked read the need as it was. On the screen another need is recorded, and the"
    " first one closed as recorded in error.",
    "recordRelease": "On the screen it is proposed, read with her and then signed on paper or before a witness.",
}
"""Mutations that no page performs, and why."""


def mutations() -> list[str]:
    """Every mutation of the published schema."""
    schema = build_schema(path("schema", "referralnet.graphql").read_text("utf-8"))
    assert schema.mutation_type is not None
    return sorted(schema.mutation_type.fields)


def used_by(module: ModuleType, node: ast.AST) -> Iterator[str]:
    """The functions of areas that a piece of a module names."""
    for part in ast.walk(node):
        found: object = None
        if isinstance(part, ast.Name):
            found = getattr(module, part.id, None)
        elif isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
            found = getattr(getattr(module, part.value.id, None), part.attr, None)
        if inspect.isfunction(found) and found.__module__.startswith(tuple(f"referralnet.{area}." for area in AREAS)):
            yield f"{found.__module__}.{found.__name__}"


def modules(folder: str) -> Iterator[tuple[ModuleType, ast.Module]]:
    for file in sorted((SOURCE / folder).rglob("*.py")):
        name = ".".join(("referralnet", *file.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__")
        yield importlib.import_module(name), ast.parse(file.read_text("utf-8"))


@cache
def of_the_api() -> dict[str, set[str]]:
    """What each resolver calls to change something, by the name of its field: not what queries read by as well."""
    found: dict[str, set[str]] = defaultdict(set)
    reads: set[str] = set()
    for module, tree in modules("api"):
        for node in ast.walk(tree):
            if isinstance(node, ast.AsyncFunctionDef):
                first, *others = node.name.split("_")
                found[first + "".join(word.title() for word in others)] |= set(used_by(module, node))
            elif isinstance(node, ast.ClassDef) and node.name.endswith("Query"):
                reads |= set(used_by(module, node))
    return {name: calls - reads for name, calls in found.items()}


@cache
def of_the_console() -> frozenset[str]:
    """What the pages call."""
    return frozenset(one for module, tree in modules("console") for one in used_by(module, tree))


@pytest.mark.parametrize("mutation", mutations())
def test_what_the_api_can_change_has_a_page_or_a_reason(mutation: str) -> None:
    calls = of_the_api()[mutation]
    assert calls, "its resolver calls no area"
    if mutation in WITHOUT_A_PAGE:
        assert not calls & of_the_console(), "it has a page by now: take it off the list"
    else:
        assert calls & of_the_console(), f"no page does it: {sorted(calls)}"


def test_nothing_is_excused_that_is_no_mutation() -> None:
    assert set(WITHOUT_A_PAGE) <= set(mutations())

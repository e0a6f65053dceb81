"""How much one operation may ask for (P1): judged on the parsed document, in time linear in its length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
)
from strawberry.extensions import SchemaExtension

DEPTH_MAX = 10
FIELDS_MAX = 4000
ALIASES_MAX = 20
ROOT_FIELDS_MAX = 20
TOKENS_MAX = 1500
PAGE_SIZE_DEFAULT = 20
PAGE_SIZE_MAX = 100


class TooComplex(GraphQLError):
    """The operation asks for more than one request may."""

    def __init__(self, measure: str, limit: int) -> None:
        super().__init__(f"Too complex: at most {limit} {measure}.", extensions={"code": "TOO_COMPLEX"})


@dataclass(frozen=True, slots=True)
class Complexity:
    """What a selection asks for, with fragments spread out and pages multiplied."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0


class LimitComplexity(SchemaExtension):
    """Refuse an operation over the limits before it is validated, since validation itself takes time."""

    def on_validate(self) -> Iterator[None]:
        document = self.execution_context.graphql_document
        if document is not None:
            refuse_excess(document, self.execution_context.variables or {})
        yield


def refuse_excess(document: DocumentNode, variables: Mapping[str, Any]) -> None:
    """Raise TooComplex where any operation of the document is over a limit."""
    measuring = _Measuring(document, variables)
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            if len(definition.selection_set.selections) > ROOT_FIELDS_MAX:
                raise TooComplex("fields at the root", ROOT_FIELDS_MAX)
            found = measuring.selection_set(definition.selection_set)
            for amount, limit, measure in (
                (found.depth, DEPTH_MAX, "levels"),
                (found.aliases, ALIASES_MAX, "aliases"),
                (found.fields, FIELDS_MAX, "fields, each page counted in full"),
            ):
                if amount > limit:
                    raise TooComplex(measure, limit)


class _Measuring:
    """Measures each fragment once, so that fragments that spread fragments cannot blow the measuring up."""

    def __init__(self, document: DocumentNode, variables: Mapping[str, Any]) -> None:
        self._fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
        self._measured: dict[str, Complexity | None] = {}
        self._variables = variables

    def selection_set(self, selection_set: SelectionSetNode) -> Complexity:
        depth = fields = aliases = 0
        for selection in selection_set.selections:
            if isinstance(selection, FieldNode):
                found = self._field(selection)
            elif isinstance(selection, FragmentSpreadNode):
                found = self._fragment(selection.name.value)
            elif isinstance(selection, InlineFragmentNode):
                found = self.selection_set(selection.selection_set)
            else:
                raise TypeError(type(selection).__name__)
            depth, fields, aliases = max(depth, found.depth), fields + found.fields, aliases + found.aliases
        return Complexity(depth, fields, aliases)

    def _field(self, node: FieldNode) -> Complexity:
        below = self.selection_set(node.selection_set) if node.selection_set else Complexity()
        fields = 1 + below.fields * self._page_size(node)
        return Complexity(below.depth + 1, fields, below.aliases + (node.alias is not None))

    def _fragment(self, name: str) -> Complexity:
        if name not in self._measured:
            fragment = self._fragments.get(name)
            self._measured[name] = None
            self._measured[name] = self.selection_set(fragment.selection_set) if fragment else Complexity()
        found = self._measured[name]
        if found is None:
            raise GraphQLError(f"Fragment {name} contains itself.", extensions={"code": "BAD_USER_INPUT"})
        return found

    def _page_size(self, node: FieldNode) -> int:
        """How many times what stands below this field is asked for."""
        for argument in node.arguments or ():
            if argument.name.value == "first":
                value = argument.value
                if isinstance(value, IntValueNode):
                    return max(int(value.value), 1)
                given = self._variables.get(value.name.value) if isinstance(value, VariableNode) else None
                return max(given, 1) if isinstance(given, int) else PAGE_SIZE_DEFAULT
        return 1

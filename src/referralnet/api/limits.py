"""How much one operation may ask for (P1): judged on the parsed document, in time linear in its length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from graphql import (
    ASTValidationRule,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
)
from graphql.validation import ASTValidationContext
from graphql.validation.validate import ValidationAbortedError
from strawberry.extensions import SchemaExtension

from referralnet.api.characters import refuse_nul

DEPTH_MAX = 10
FIELDS_MAX = 4000
ALIASES_MAX = 20
ROOT_FIELDS_MAX = 20
DEFINITIONS_MAX = 30
SELECTIONS_MAX = 300
ARGUMENTS_MAX = 100
TOKENS_MAX = 1500
FAULTS_TOLD_MAX = 5
PAGE_SIZE_DEFAULT = 20
PAGE_SIZE_MAX = 100
# Tools ask for the schema fourteen levels deep; in production validation refuses these two altogether (P2).
_INTROSPECTION = frozenset({"__schema", "__type"})


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
        context = self.execution_context
        if context.graphql_document is not None:
            paged = paged_fields(context.schema._schema)  # noqa: SLF001 (Strawberry's extensions take it from there too)
            refuse_excess(context.graphql_document, context.variables or {}, paged)
            refuse_unnamed(context.graphql_document, context._provided_operation_name)  # noqa: SLF001 (the other fills it in)
            refuse_nul(context.query or "", context.graphql_document, context.variables or {})
        context.validation_rules = (_StopAfterFewFaults, *context.validation_rules)
        yield


class _StopAfterFewFaults(ASTValidationRule):
    """Telling a fault costs milliseconds, and a document can hold a thousand: tell the first few."""

    def __init__(self, context: ASTValidationContext) -> None:
        super().__init__(context)
        tell, told = context.on_error, 0

        def tell_first(error: GraphQLError) -> None:
            nonlocal told
            told += 1
            tell(error)
            if told >= FAULTS_TOLD_MAX:
                raise ValidationAbortedError("There may be more: these are the first.")

        context.on_error = tell_first  # type: ignore[method-assign]


def refuse_unnamed(document: DocumentNode, name: str | None) -> None:
    """Raise where a document has several operations and none of them is named (GraphQL specification, 6.1)."""
    operations = sum(isinstance(definition, OperationDefinitionNode) for definition in document.definitions)
    if name is None and operations > 1:
        raise GraphQLError("Name one operation of the document.", extensions={"code": "BAD_USER_INPUT"})


def refuse_excess(document: DocumentNode, variables: Mapping[str, Any], paged: frozenset[str] = frozenset()) -> None:
    """Raise TooComplex where any part of the document is over a limit, reached by an operation or not.

    Args:
        document: as parsed.
        variables: as sent.
        paged: names of fields that give a page of `PAGE_SIZE_DEFAULT` where no `first` is written.
    """
    if len(document.definitions) > DEFINITIONS_MAX:
        raise TooComplex("operations and fragments", DEFINITIONS_MAX)
    measuring = _Measuring(document, variables, paged)
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            if len(definition.selection_set.selections) > ROOT_FIELDS_MAX:
                raise TooComplex("fields at the root", ROOT_FIELDS_MAX)
            _refuse(measuring.selection_set(definition.selection_set))
        elif isinstance(definition, FragmentDefinitionNode):
            _refuse(measuring.fragment(definition.name.value))


def _refuse(found: Complexity) -> None:
    for amount, limit, measure in (
        (found.depth, DEPTH_MAX, "levels"),
        (found.aliases, ALIASES_MAX, "aliases"),
        (found.fields, FIELDS_MAX, "fields, each page counted in full"),
    ):
        if amount > limit:
            raise TooComplex(measure, limit)


@lru_cache(maxsize=4)
def paged_fields(schema: GraphQLSchema) -> frozenset[str]:
    """Names of the fields of any type that take `first`."""
    return frozenset(
        name
        for of_schema in schema.type_map.values()
        if isinstance(of_schema, GraphQLObjectType | GraphQLInterfaceType)
        for name, declared in of_schema.fields.items()
        if "first" in declared.args
    )


class _Measuring:
    """Measures each fragment once, so that fragments that spread fragments cannot blow the measuring up."""

    def __init__(self, document: DocumentNode, variables: Mapping[str, Any], paged: frozenset[str]) -> None:
        self._fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
        self._measured: dict[str, Complexity | None] = {}
        self._variables = variables
        self._paged = paged
        self._selections = self._arguments = 0
        self._defaults: dict[str, int] = {}
        for definition in document.definitions:
            if isinstance(definition, OperationDefinitionNode):
                for variable in definition.variable_definitions or ():
                    # The biggest counts where operations name a variable alike: a fragment is measured once for all.
                    name, size = variable.variable.name.value, self._written_size(variable.default_value)
                    self._defaults[name] = max(size, self._defaults.get(name, 1))

    def selection_set(self, selection_set: SelectionSetNode) -> Complexity:
        self._selections += len(selection_set.selections)
        if self._selections > SELECTIONS_MAX:
            # Validation compares fields with one another: twice as many take four times as long.
            raise TooComplex("fields written in a document", SELECTIONS_MAX)
        depth = fields = aliases = 0
        for selection in selection_set.selections:
            if isinstance(selection, FieldNode):
                found = self._field(selection)
            elif isinstance(selection, FragmentSpreadNode):
                found = self.fragment(selection.name.value)
            elif isinstance(selection, InlineFragmentNode):
                found = self.selection_set(selection.selection_set)
            else:
                raise TypeError(type(selection).__name__)
            depth, fields, aliases = max(depth, found.depth), fields + found.fields, aliases + found.aliases
        return Complexity(depth, fields, aliases)

    def fragment(self, name: str) -> Complexity:
        if name not in self._measured:
            fragment = self._fragments.get(name)
            self._measured[name] = None
            measured = self.selection_set(fragment.selection_set) if fragment else Complexity()
            if fragment and fragment.type_condition.name.value.startswith("__"):
                measured = replace(measured, depth=0)
            self._measured[name] = measured
        found = self._measured[name]
        if found is None:
            raise GraphQLError(f"Fragment {name} contains itself.", extensions={"code": "BAD_USER_INPUT"})
        return found

    def _field(self, node: FieldNode) -> Complexity:
        self._arguments += len(node.arguments or ())
        if self._arguments > ARGUMENTS_MAX:
            raise TooComplex("arguments written in a document", ARGUMENTS_MAX)
        below = self.selection_set(node.selection_set) if node.selection_set else Complexity()
        if node.name.value in _INTROSPECTION:
            return Complexity(1, below.fields, below.aliases)
        fields = 1 + below.fields * self._page_size(node)
        return Complexity(below.depth + 1, fields, below.aliases + (node.alias is not None))

    def _page_size(self, node: FieldNode) -> int:
        """How many times what stands below this field is asked for."""
        for argument in node.arguments or ():
            if argument.name.value == "first":
                return self._written_size(argument.value)
        return PAGE_SIZE_DEFAULT if node.name.value in self._paged else 1

    def _written_size(self, value: ValueNode | None) -> int:
        if isinstance(value, VariableNode):
            name = value.name.value
            given = self._variables.get(name)
            if isinstance(given, int):
                return max(given, 1)
            return self._defaults.get(name, PAGE_SIZE_DEFAULT)
        if isinstance(value, IntValueNode):
            # More digits than any page has would take time to read, or be refused by Python's own limit.
            return max(int(value.value[:12]), 1)
        return PAGE_SIZE_DEFAULT

"""What the client asked for below a field, so that what it did not ask for is not read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from graphql import FieldNode, FragmentDefinitionNode, FragmentSpreadNode, InlineFragmentNode, SelectionSetNode

from referralnet.api.context import Info


def asked_for(info: Info) -> frozenset[str]:
    """Names of the fields that stand anywhere below the field being resolved."""
    # As GraphQL has read them: Strawberry would make an object of each first.
    asked = info._raw_info  # noqa: SLF001 (there is no public way)
    return frozenset(name for node in asked.field_nodes for name in _names(node.selection_set, asked.fragments))


def _names(below: SelectionSetNode | None, fragments: Mapping[str, FragmentDefinitionNode]) -> Iterator[str]:
    for node in below.selections if below else ():
        if isinstance(node, FieldNode):
            yield node.name.value
        if isinstance(node, FragmentSpreadNode):
            yield from _names(fragments[node.name.value].selection_set, fragments)
        elif isinstance(node, FieldNode | InlineFragmentNode):
            yield from _names(node.selection_set, fragments)

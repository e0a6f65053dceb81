"""Answers made at once: what stands below a root field is plain attributes, so it is compiled once per document.

graphql-core completes a value field by field, asking each time what kind of field it is. Below our roots the answer is
always the same: an attribute of an object that the resolver made. So the first answer to a document compiles how each
of its roots is completed, and later answers call that. Roots are resolved by graphql-core as ever: arguments,
permissions, order and errors are its own. What a compiled root does not understand (a directive, a null where none may
be, a value of another type) it leaves alone: graphql-core then completes the value that was resolved already, and tells
what is wrong with it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from graphql import (
    GRAPHQL_MAX_INT,
    GRAPHQL_MIN_INT,
    FieldNode,
    GraphQLBoolean,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLString,
    GraphQLUnionType,
    Undefined,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)
from graphql.execution.collect_fields import FieldDetails
from graphql.pyutils import Path
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.schema.schema_converter import CustomGraphQLEnumType
from strawberry.types.field import StrawberryField

ROOTS_KEPT_MAX = 1024
"""Compiled roots kept: those of the documents that are kept parsed, a few each."""

_PLAIN = (str, int, float, bool)
# The scalar whose value is a part of the answer as it stands, whatever is in it: the codes of an event of the trail.
_JSON, _WHOLE = "JSON", (*_PLAIN, dict, list)
_AS_THEY_STAND: dict[GraphQLNamedType, type] = {GraphQLString: str, GraphQLBoolean: bool}
_WRITTEN = {"UUID": UUID, "DateTime": datetime}

Complete = Callable[[Any], Any]
Asked = list[FieldDetails]
"""All the places of a document that ask for one field under one name."""


class _Ordinary(Exception):
    """A value that graphql-core completes."""


class CompilingExecutor(StrawberryGraphQLCoreExecutionContext):
    """Completes what a root field resolved to by what was compiled for it, or as graphql-core does."""

    def complete_value(
        self,
        return_type: GraphQLOutputType,
        field_details_list: Asked,
        info: GraphQLResolveInfo[Any],
        path: Path,
        result: Any,
        position_context: Any,
    ) -> Any:
        # The type without its `!` comes by here as well, after the whole was left to graphql-core.
        if path.prev is None and return_type is info.return_type:
            try:
                return self._compiled(return_type, field_details_list, info, result)(result)
            except Exception:  # noqa: BLE001, S110 (graphql-core meets it again below, and tells it)
                pass
        return super().complete_value(return_type, field_details_list, info, path, result, position_context)

    def _compiled(
        self, return_type: GraphQLOutputType, asked: Asked, info: GraphQLResolveInfo[Any], result: Any
    ) -> Complete:
        if isinstance(return_type, GraphQLNonNull) and isinstance(return_type.of_type, GraphQLUnionType):
            # A refusal and what was asked for are read differently.
            return_type = _member_of(return_type.of_type, info, result)
        nodes = tuple(details.node for details in asked)
        found = _kept.find(nodes, return_type)
        if found is None:
            found = self._compile(return_type, asked)
            _kept.keep(nodes, return_type, found)
        return found

    def _compile(self, return_type: GraphQLOutputType, asked: Asked) -> Complete:
        location = asked[0].node.loc
        # What @skip and @include leave depends on the variables of each request.
        if location is None or "@" in location.source.body:
            return _leave
        try:
            return self._value(return_type, asked)
        except _Ordinary:
            return _leave

    def _value(self, of_type: GraphQLOutputType, asked: Asked) -> Complete:
        """How a value of this type is completed, where null is one of them or not."""
        written = _Written()
        return written.function("value", self._expression("value", of_type, asked, written))

    def _expression(self, read: str, of_type: GraphQLOutputType, asked: Asked, written: _Written) -> str:
        """The same, written out for what the expression `read` gives."""
        if is_non_null_type(of_type):
            return written.completed(read, of_type.of_type, self._some(of_type.of_type, asked))
        return f"None if (part := {read}) is None else {written.completed('part', of_type, self._some(of_type, asked))}"

    def _some(self, of_type: Any, asked: Asked) -> Complete:
        if is_list_type(of_type):
            written = _Written()
            item = self._expression("item", of_type.of_type, asked, written)
            return written.function("value", f"[{item} for item in {written.name(_sequence)}(value)]")
        if is_leaf_type(of_type):
            return _leaf(of_type)
        if isinstance(of_type, GraphQLObjectType) and of_type.is_type_of is None:
            return self._object(of_type, asked)
        raise _Ordinary

    def _object(self, of_type: GraphQLObjectType, asked: Asked) -> Complete:
        below = self.collect_subfields(of_type, asked)[0]
        written = _Written()
        fields = [f"{name!r}: {self._field(of_type, asked_below, written)}" for name, asked_below in below.items()]
        return written.function("value", f"{{{', '.join(fields)}}}")

    def _field(self, of_type: GraphQLObjectType, asked: Asked, written: _Written) -> str:
        name = asked[0].node.name.value
        if name == "__typename":
            return f"{written.name(of_type.name)} if not {written.name(_want_some)}(value) else None"
        declared = of_type.fields[name]
        source = declared.extensions.get("strawberry-definition")
        if not isinstance(source, StrawberryField) or not source.is_basic_field or declared.args:
            raise _Ordinary
        return self._expression(f"value.{source.python_name}", declared.type, asked, written)


class _Written:
    """A function written out, with the names that it uses: a call for each part of an answer would take longer than
    all that is done for it. Nothing of a request is in it but the names of its fields, as GraphQL has read them.
    """

    def __init__(self) -> None:
        self._named: dict[str, Any] = {}

    def name(self, value: Any) -> str:
        """What `value` is called here."""
        name = f"given{len(self._named)}"
        self._named[name] = value
        return name

    def completed(self, read: str, of_type: GraphQLOutputType, complete: Complete) -> str:
        """An expression for what was read of such a type, where it is not null.

        Values of the very type that is expected are what nearly all are: they stand as they are, or under their name.
        """
        otherwise = f"{self.name(complete)}(part)"
        if of_type in _AS_THEY_STAND:
            stands = self.name(_AS_THEY_STAND[of_type])
            return f"part if type(part := {read}) is {stands} else {otherwise}"
        if isinstance(of_type, CustomGraphQLEnumType):
            # By identity: the hash of a member is computed anew each time. A member lives as long as its enum.
            names = {id(member): of_type.coerce_output_value(member) for member in list[Any](of_type.wrapped_cls)}
            return f"{self.name(names)}.get(id(part := {read})) or {otherwise}"
        if of_type is GraphQLInt:
            fits = f"type(part := {read}) is int and {GRAPHQL_MIN_INT} <= part <= {GRAPHQL_MAX_INT}"
            return f"part if {fits} else {otherwise}"
        if isinstance(of_type, GraphQLScalarType) and of_type.name in _WRITTEN:
            kind, write = self.name(_WRITTEN[of_type.name]), self.name(of_type.coerce_output_value)
            return f"{write}(part) if isinstance(part := {read}, {kind}) else {otherwise}"
        return f"{self.name(complete)}({read})"

    def function(self, parameter: str, expression: str) -> Complete:
        """What gives the value of the expression for its parameter."""
        made: Complete = eval(f"lambda {parameter}: {expression}", self._named)  # noqa: S307 (of our own names)
        return made


class _Kept:
    """What was compiled, by the nodes that ask for it: a document that is kept parsed keeps its nodes."""

    def __init__(self) -> None:
        self._compiled: OrderedDict[tuple[int, ...], tuple[object, Complete]] = OrderedDict()

    def find(self, nodes: tuple[FieldNode, ...], of_type: GraphQLOutputType) -> Complete | None:
        key = _identity(nodes, of_type)
        if key not in self._compiled:
            return None
        self._compiled.move_to_end(key)
        return self._compiled[key][1]

    def keep(self, nodes: tuple[FieldNode, ...], of_type: GraphQLOutputType, complete: Complete) -> None:
        # The nodes and the type are held, so that no other object takes their identity.
        self._compiled[_identity(nodes, of_type)] = ((nodes, of_type), complete)
        if len(self._compiled) > ROOTS_KEPT_MAX:
            self._compiled.popitem(last=False)


_kept = _Kept()


def _identity(nodes: tuple[FieldNode, ...], of_type: GraphQLOutputType) -> tuple[int, ...]:
    """Comparing nodes by what they say would take as long as to read them."""
    return (id(of_type), *map(id, nodes))


def _member_of(union: GraphQLUnionType, info: GraphQLResolveInfo[Any], value: Any) -> GraphQLNonNull[Any]:
    if union.resolve_type is None:
        raise _Ordinary
    member = info.schema.type_map[str(union.resolve_type(value, info, union))]
    if member not in union.types:
        raise _Ordinary
    return _some_of(member)


@lru_cache(maxsize=ROOTS_KEPT_MAX)
def _some_of(member: GraphQLNamedType) -> GraphQLNonNull[Any]:
    return GraphQLNonNull(member)


def _want_some(value: Any) -> None:
    """Many scalars would write whatever they are given: "None", or the message of an exception."""
    if value is None or value is Undefined or isinstance(value, Exception):
        raise _Ordinary


def _sequence(value: Any) -> list[Any] | tuple[Any, ...]:
    if type(value) is list or type(value) is tuple:
        return value
    raise _Ordinary


def _leaf(of_type: GraphQLLeafType) -> Complete:
    """How a scalar or the value of an enum is completed; what is no plain JSON value is left to graphql-core."""
    plain = _WHOLE if of_type.name == _JSON else _PLAIN
    return lambda value: _coerced(of_type, value, plain)


def _coerced(of_type: GraphQLLeafType, value: Any, plain: tuple[type, ...] = _PLAIN) -> Any:
    _want_some(value)
    coerced = of_type.coerce_output_value(value)
    if type(coerced) in plain:
        return coerced
    raise _Ordinary


def _leave(_value: Any) -> Any:
    raise _Ordinary

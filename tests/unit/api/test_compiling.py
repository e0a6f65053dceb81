"""A compiled answer is the answer of graphql-core, for any operation of the schema and any data, whole or broken."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, date, datetime
from functools import cache
from typing import Any
from uuid import UUID

import pytest
import strawberry
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLUnionType,
    Undefined,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext as Ordinary

from referralnet.api.compiling import CompilingExecutor
from referralnet.api.schema import build_schema

FAULTS: tuple[Any, ...] = (
    None,
    Undefined,
    object(),
    ValueError("a fault"),
    "no number",
    2**40,
    [],
    {"a": 1},
    (),
    b"bytes",
    1.5,
)
DEEPEST = 5
LEAVES: dict[str, Any] = {
    "String": "a text \u00e9",
    "ID": "an id",
    "Int": 7,
    "Float": 2.5,
    "Boolean": True,
    "UUID": UUID(int=5),
    "DateTime": datetime(2026, 11, 26, 12, tzinfo=UTC),
    "Date": date(2026, 11, 26),
    "JSON": {"a": [1, None]},
}


class Making:
    """One operation of the schema with the data it meets, drawn by chance."""

    def __init__(self, schema: strawberry.Schema, chance: random.Random, *, faults: float) -> None:
        self.schema, self.chance, self.faults = schema, chance, faults
        self.fragments: list[str] = []

    def operation(self, kind: str, fields: dict[str, GraphQLField]) -> str:
        asked = self.chance.sample(sorted(fields), k=self.chance.randint(1, 3))
        selections = []
        for at, name in enumerate(asked):
            # Asked twice under one name: both places count.
            places = range(self.chance.choice((1, 1, 2)))
            selections += [f"a{at}: {name} {self.below(fields[name].type, 0)}" for _ in places]
        return "\n".join((f"{kind} {{ {' '.join(selections)} }}", *self.fragments))

    def below(self, of_type: Any, depth: int) -> str:
        while isinstance(of_type, GraphQLList | GraphQLNonNull):
            of_type = of_type.of_type
        if isinstance(of_type, GraphQLUnionType):
            members = [f"... on {member.name} {self.below(member, depth)}" for member in of_type.types]
            return "{ __typename " + " ".join(members) + " }"
        return self.selections(of_type, depth) if isinstance(of_type, GraphQLObjectType) else ""

    def selections(self, of_type: GraphQLObjectType, depth: int) -> str:
        number = self.chance.randint(1, 6)
        written = ["__typename"] if self.chance.random() < 0.3 or depth == DEEPEST else []
        if depth < DEEPEST:
            names = self.chance.sample(sorted(of_type.fields), k=min(number, len(of_type.fields)))
            written += [self.field(of_type, name, depth) for name in names]
        return "{ " + " ".join(written) + " }"

    def field(self, of_type: GraphQLObjectType, name: str, depth: int) -> str:
        below = self.below(of_type.fields[name].type, depth + 1)
        alias = self.chance.choice(("", "", f"{name}_of_{of_type.name}_{depth}_{len(self.fragments)}: "))
        field = f"{alias}{name} {below}"
        how = self.chance.random()
        if how < 0.1:
            return f"... on {of_type.name} {{ {field} }}"
        if how < 0.2:
            self.fragments.append(f"fragment F{len(self.fragments)} on {of_type.name} {{ {field} }}")
            return f"...F{len(self.fragments) - 1}"
        if how < 0.23 and not below:
            return f"{field} @include(if: {self.chance.choice(('true', 'false'))})"
        return field

    def value(self, of_type: Any, depth: int = 0) -> Any:
        if self.chance.random() < self.faults:
            return self.chance.choice(FAULTS)
        if isinstance(of_type, GraphQLNonNull):
            return self.some(of_type.of_type, depth)
        return None if self.chance.random() < 0.2 else self.some(of_type, depth)

    def some(self, of_type: Any, depth: int) -> Any:
        if isinstance(of_type, GraphQLList):
            number = self.chance.randint(0, 2) if depth <= DEEPEST else 0
            return self.chance.choice((list, tuple))(self.value(of_type.of_type, depth + 1) for _ in range(number))
        if isinstance(of_type, GraphQLUnionType):
            return self.some(self.chance.choice(of_type.types), depth)
        if isinstance(of_type, GraphQLEnumType):
            return self.chance.choice([value.value for value in of_type.values.values()])
        return self.made(of_type, depth) if isinstance(of_type, GraphQLObjectType) else LEAVES[of_type.name]

    def made(self, of_type: GraphQLObjectType, depth: int) -> Any:
        made_of = of_type.extensions["strawberry-definition"].origin
        made = object.__new__(made_of)
        for field in of_type.fields.values():
            name = field.extensions["strawberry-definition"].python_name
            object.__setattr__(made, name, self.value(field.type, depth + 1))
        return made


@cache
def schemas() -> tuple[strawberry.Schema, strawberry.Schema]:
    """Both ways of answering, with roots that take no arguments."""
    both = build_schema(introspection=True), build_schema(introspection=True, compiled=False)
    for schema in both:
        for root in roots(schema).values():
            for field in root.values():
                field.args = {}
    return both


def roots(schema: strawberry.Schema) -> dict[str, dict[str, GraphQLField]]:
    inner = schema._schema
    assert inner.query_type is not None
    assert inner.mutation_type is not None
    return {"query": inner.query_type.fields, "mutation": inner.mutation_type.fields}


async def answer(schema: strawberry.Schema, document: str, data: dict[str, Any]) -> tuple[Any, Any]:
    for fields in roots(schema).values():
        for name, field in fields.items():
            field.resolve = lambda _source, _info, name=name: data[name]
    result = await schema.execute(document)
    return result.data, [error.formatted for error in result.errors or ()]


def make(chance: random.Random, *, faults: float) -> tuple[str, dict[str, Any]]:
    compiled, _ = schemas()
    kind = chance.choice(("query", "mutation"))
    fields = {name: field for name, field in roots(compiled)[kind].items() if not name.startswith("_")}
    making = Making(compiled, chance, faults=faults)
    document = making.operation(kind, fields)
    return document, {name: making.value(field.type) for name, field in fields.items()}


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**64), faults=st.sampled_from((0.0, 0.01, 0.1)))
def test_a_compiled_answer_is_the_ordinary_one(seed: int, faults: float) -> None:
    document, data = make(random.Random(seed), faults=faults)
    compiled, ordinary = schemas()
    wanted = asyncio.run(answer(ordinary, document, data))
    assert asyncio.run(answer(compiled, document, data)) == wanted
    assert asyncio.run(answer(compiled, document, data)) == wanted, "and so it is the second time"


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The fields that graphql-core was left to complete."""
    found: list[str] = []
    complete = Ordinary.complete_value

    def noting(self: Any, of_type: Any, asked: Any, info: Any, *rest: Any) -> Any:
        found.append(info.field_name)
        return complete(self, of_type, asked, info, *rest)

    monkeypatch.setattr(Ordinary, "complete_value", noting)
    return found


@pytest.mark.parametrize("seed", range(20))
def test_whole_data_is_never_left_to_graphql_core(left: list[str], seed: int) -> None:
    document, data = make(random.Random(seed), faults=0.0)
    if "@" not in document:
        asyncio.run(answer(schemas()[0], document, data))
        assert left == []


@strawberry.type
class Leaves:
    text: str
    number: int
    ratio: float
    yes: bool
    key: strawberry.ID
    id: UUID
    at: datetime
    day: date


@strawberry.type
class FaultyQuery:
    fault: strawberry.Private[Any]
    times: strawberry.Private[list[str]]

    @strawberry.field
    def leaves(self) -> Leaves:
        self.times.append("leaves")
        return Leaves(**dict.fromkeys(LEAF_NAMES, self.fault))

    @strawberry.field
    def fault_itself(self) -> Leaves:
        return self.fault  # type: ignore[no-any-return]


LEAF_NAMES = ("text", "number", "ratio", "yes", "key", "id", "at", "day")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
@pytest.mark.parametrize("asked", [*LEAF_NAMES, "__typename"])
def test_what_is_no_value_is_told_as_graphql_core_tells_it_and_resolved_once(asked: str, fault: Any) -> None:
    document = f"{{ leaves {{ {asked} }} faultItself {{ {asked} }} }}"
    told = []
    for executor in (CompilingExecutor, Ordinary):
        query = FaultyQuery(fault=fault, times=[])
        schema = strawberry.Schema(FaultyQuery, execution_context_class=executor)
        result = asyncio.run(schema.execute(document, root_value=query))
        told.append((result.data, [error.formatted for error in result.errors or ()], query.times))
    assert told[0] == told[1]
    assert told[0][2] == ["leaves"]

"""The probe through GraphQL: every field of every object, found by walking the schema, and what refusals tell."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import orjson
from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)

from referralnet.api.context import Resources
from referralnet.api.endpoint import GraphQLEndpoint, Operation
from referralnet.api.schema import build_schema
from referralnet.database.acting import AgencyKind, Member, Role
from tests.factories.http import example_value
from tests.probe.findings import Report, learns
from tests.probe.oracle import DUTIES, Actor, Case, Thing, may_learn
from tests.probe.told import ARGUMENTS, FIELDS, LISTS, LOOKUPS, NAME_CASES, NAME_STAFF, TYPES
from tests.probe.world import AGENCIES, Token, World

PAGE = 40
_DEPTH_MAX = 7
_INCIDENT = re.compile(rb"Quote [0-9a-f-]{36}")


@dataclass(frozen=True)
class Question:
    """One root field with everything below it, as a document."""

    name: str
    field: GraphQLField
    document: str


class GraphProbe:
    """Asks as a member whose request was let in, even where she has been disabled since."""

    def __init__(self, world: World, resources: Resources, report: Report) -> None:
        schema = build_schema(introspection=False)
        self._world, self._report = world, report
        self._endpoint = GraphQLEndpoint(schema, resources)
        self._schema: GraphQLSchema = schema._schema
        self._missing: dict[tuple[str, str], bytes] = {}
        self._opened: set[tuple[str, UUID]] = set()
        self.questions = {name: _question(name, field) for name, field in _roots(self._schema.query_type)}
        self.mutations = {
            name: _question(name, field)
            for name, field in _roots(self._schema.mutation_type)
            if _names_rows(field) and "idempotencyKey" in field.args
        }

    def unknown(self) -> list[str]:
        """What the schema has and told.py says nothing of."""
        reached = {name for question in self.questions.values() for name in _types(question.field)}
        asked = {
            f"{name}({argument})"
            for name, question in self.questions.items()
            for argument, declared in question.field.args.items()
            if is_required_argument(declared)
            and is_leaf_type(get_named_type(declared.type))
            and argument not in ARGUMENTS
            and _tells_of_cases(question.field)
        }
        return sorted((reached - TYPES.keys()) | asked)

    async def look_up(self, actor: Actor, case: Case, name: str) -> None:
        """Ask about one thing by its id: told what is the actor's, and of all else as of what does not exist."""
        known_as, thing = LOOKUPS[name]
        wanted = self._world.ids[case.number].get(known_as)
        if wanted is None:
            return
        self._report.cases += 1
        question = self.questions[name]
        answer = await self.ask_by_id(actor, name, wanted)
        self.judge(actor, question, answer)
        if not self._is_theirs(actor, case, thing):
            if self._plain(answer) != await self._of_nothing(actor, question):
                self._report.tell(actor, case, f"{name}(), answered {answer}")
        elif actor.roles & DUTIES.get(name, set()) and not (answer.get("data") or {}).get(name):
            if (actor.name, wanted) not in self._opened:
                self._report.withheld(actor, Token(thing, case), f"{name}: {answer}")
        elif thing is Thing.OPENED:
            self._opened.add((actor.name, wanted))  # U1: with this code it is opened once

    @staticmethod
    def _is_theirs(actor: Actor, case: Case, thing: Thing) -> bool:
        if thing is Thing.OPENED:
            return any(may_learn(actor, case, thing, category) for category in case.released)
        if thing is Thing.NOTE:  # a party knows that there is a referral, and is told why it reads no note
            return may_learn(actor, case, Thing.REFERRAL)
        return may_learn(actor, case, thing) and (thing is not Thing.TEXTS or case.accepted)

    async def _of_nothing(self, actor: Actor, question: Question) -> bytes:
        """The answer for an id that nothing has, remembered: it may depend on who asks, and on nothing else."""
        key = (actor.name, question.name)
        if key not in self._missing:
            self._missing[key] = self._plain(await self.ask_by_id(actor, question.name, uuid4()))
        return self._missing[key]

    async def list_all(self, actor: Actor, name: str) -> None:
        """Turn every page of a list: what is listed is the actor's own, and so is what the pages say of themselves."""
        question, expected = self.questions[name], self.expected(actor, name)
        listed: list[str] = []
        variables: dict[str, Any] = {"first": PAGE if "after" in question.field.args else 100}
        while True:
            answer = await self._ask(actor, question, variables)
            self.judge(actor, question, answer)
            page = (answer.get("data") or {}).get(name)
            if page is None or isinstance(page, list):
                listed += [entry["id"] for entry in page or ()]
                break
            listed += [edge["node"]["id"] for edge in page["edges"]]
            if page["pageInfo"]["hasNextPage"] != (len(expected) > len(listed)):
                self._report.tell(actor, self._world.cases[0], f"the page info of {name}")
            if not page["pageInfo"]["hasNextPage"]:
                break
            variables["after"] = page["pageInfo"]["endCursor"]
        self._report.cases += len(self._world.cases)
        for missing in expected - set(listed):
            self._report.withheld(actor, self._world.tokens[missing], name)
        for more in set(listed) - expected:
            self._report.leak(actor, self._world.tokens[more], name)

    def expected(self, actor: Actor, name: str) -> set[str]:
        """What a list is to hold for an actor."""
        ids = {
            str(self._world.ids[case.number][known_as]): case
            for known_as, side in LISTS[name].items()
            for case in self._world.cases
            if known_as in self._world.ids[case.number] and getattr(case, side) == actor.agency
        }
        return {
            listed
            for listed, case in ids.items()
            if actor.roles & DUTIES[name] and may_learn(actor, case, self._world.tokens[listed].thing)
        }

    async def count_all(self, actor: Actor) -> None:
        """Numbers tell as much as lists: how many tasks wait is how many of them the member may know of."""
        answer = await self._ask(actor, self.questions["worklistCounts"], {})
        counted = ((answer.get("data") or {}).get("worklistCounts") or {"agency": 0})["agency"]
        self._report.cases += 1
        if counted != len(self.expected(actor, "worklist")):
            self._report.tell(actor, self._world.cases[0], f"worklistCounts, {counted} tasks")

    async def ask_all(self, actor: Actor) -> None:
        """Every question that takes no id, for whatever canary its answer may hold."""
        for name, question in self.questions.items():
            if name not in LISTS and not any(argument in ARGUMENTS for argument in question.field.args):
                variables = {
                    argument: example(declared)
                    for argument, declared in question.field.args.items()
                    if is_required_argument(declared)
                }
                self._report.cases += 1
                self.judge(actor, question, await self._ask(actor, question, variables))

    async def change(self, actor: Actor, case: Case, name: str) -> None:
        """Ask to change what is not the actor's: the same refusal as for what does not exist, and nothing changed.

        The key of the request is one that the source has used.
        """
        question = self.mutations[name]
        ids = self._world.ids[case.number]
        named = [(ARGUMENTS[argument], argument) for argument in _row_arguments(question.field)]
        if any(known_as not in ids or may_learn(actor, case, thing) for (known_as, thing), _ in named):
            return
        if actor.agency in (case.source, case.target) and actor.works:
            return  # a party's own step would change the world under the other questions
        self._report.cases += 1
        told = []
        for given in ({argument: str(ids[known_as]) for (known_as, _), argument in named}, {}):
            key = f"zq{case.number:05d}request" if given else f"zq{uuid4().hex}"
            variables = {"idempotencyKey": key} | {
                argument: _filled(declared, argument, given)
                for argument, declared in question.field.args.items()
                if is_required_argument(declared) and argument != "idempotencyKey"
            }
            told.append(await self._ask(actor, question, variables))
        self.judge(actor, question, told[0])
        if self._plain(told[0]) != self._plain(told[1]):
            self._report.tell(actor, case, f"{name}(), answered {told[0]}")

    async def ask_by_id(self, actor: Actor, name: str, wanted: UUID) -> dict[str, Any]:
        """What a question answers for one id, whoever's it is."""
        question = self.questions[name]
        return await self._ask(actor, question, _variables(question.field, wanted))

    async def _ask(self, actor: Actor, question: Question, variables: Mapping[str, Any]) -> dict[str, Any]:
        operation = Operation(question.document, {**variables}, None)
        try:
            return await self._endpoint.execute(operation, self.member(actor))
        except Exception as crash:  # noqa: BLE001 (the route tells a crash by an incident's number alone)
            return {"errors": [{"message": f"crashed: {type(crash).__name__}"}]}

    def member(self, actor: Actor) -> Member:
        """The actor as the program knows her, disabled or not."""
        return Member(
            self._world.member_ids[actor.name],
            self._world.agency_ids[actor.agency],
            AgencyKind(AGENCIES[actor.agency]),
            frozenset(Role(role) for role in actor.roles),
            self._world.session_ids[actor.name],
            self._world.now if actor.fresh else None,
        )

    @staticmethod
    def _plain(answer: dict[str, Any]) -> bytes:
        return _INCIDENT.sub(b"Quote", orjson.dumps(answer, default=str))

    def judge(self, actor: Actor, question: Question, answer: dict[str, Any]) -> None:
        """Every value that was told, by what its field tells; and every canary, wherever it stands."""
        written = orjson.dumps(answer, default=str).decode()
        for _, token in self._world.tokens_in(written):
            if question.name in NAME_CASES and token.thing not in {Thing.SOURCE_TRAIL, Thing.TARGET_TRAIL}:
                continue
            if not learns(actor, token) and not (token.thing is Thing.STAFF and question.name in NAME_STAFF):
                self._report.leak(actor, token, f"{question.name} in GraphQL")
        for case in self._world.cases_by_moment(written):
            if question.name in NAME_CASES:
                continue
            if not any(may_learn(actor, case, thing) for thing in (Thing.RECORD, Thing.REFERRAL)):
                self._report.leak(actor, Token(Thing.REFERRAL, case), f"a moment in {question.name} in GraphQL")
        value = (answer.get("data") or {}).get(question.name)
        self._judge_value(actor, question, get_named_type(question.field.type), value, None, "")

    def _judge_value(
        self, actor: Actor, question: Question, kind: Any, value: Any, of: Case | None, category: str
    ) -> None:
        if isinstance(value, list):
            for entry in value:
                self._judge_value(actor, question, kind, entry, of, category)
            return
        if not isinstance(value, dict):
            return
        if isinstance(kind, GraphQLUnionType):
            kind = self._schema.type_map[value["__typename"]]
        token = self._world.tokens.get(str(value.get("id")))
        of = token.case if token is not None and token.case is not None else of
        category = str(value.get("category", category)).lower()
        for name, told in value.items():
            if name == "__typename" or told is None:
                continue
            below = get_named_type(kind.fields[name].type)
            if not is_leaf_type(below):
                self._judge_value(actor, question, below, told, of, category)
                continue
            self._report.compared += 1
            place = f"{kind.name}.{name}"
            thing = FIELDS.get(place, TYPES.get(kind.name))
            if thing is not None and of is not None and not may_learn(actor, of, thing, category):
                self._report.leak(actor, Token(thing, of, category), f"{place} in {question.name}")


def _roots(kind: GraphQLObjectType | None) -> Iterator[tuple[str, GraphQLField]]:
    assert kind is not None
    yield from kind.fields.items()


def _question(name: str, field: GraphQLField) -> Question:
    operation = "mutation" if "idempotencyKey" in field.args else "query"
    given = {
        argument: declared
        for argument, declared in field.args.items()
        if is_required_argument(declared) or argument in ("first", "after")
    }
    declared = ", ".join(f"${argument}: {of.type}" for argument, of in given.items())
    passed = ", ".join(f"{argument}: ${argument}" for argument in given)
    below = _selection(get_named_type(field.type), 1)
    document = f"{operation}{f'({declared})' if declared else ''} {{ {name}{f'({passed})' if passed else ''}{below} }}"
    return Question(name, field, document.replace("$first: Int!", f"$first: Int! = {PAGE}"))


def _selection(kind: Any, depth: int) -> str:
    if is_leaf_type(kind):
        return ""
    if isinstance(kind, GraphQLUnionType):
        return " { __typename " + " ".join(f"... on {one.name}{_selection(one, depth)}" for one in kind.types) + " }"
    fields = " ".join(
        f"{name}{_selection(get_named_type(field.type), depth + 1)}"
        for name, field in kind.fields.items()
        if depth < _DEPTH_MAX and not any(is_required_argument(argument) for argument in field.args.values())
    )
    return f" {{ {fields} }}"


def _types(field: GraphQLField, seen: frozenset[str] = frozenset()) -> set[str]:
    kind = get_named_type(field.type)
    members = kind.types if isinstance(kind, GraphQLUnionType) else (kind,)
    found: set[str] = set()
    for member in members:
        if isinstance(member, GraphQLObjectType) and member.name not in seen:
            found.add(member.name)
            for below in member.fields.values():
                found |= _types(below, seen | found)
    return found


def _tells_of_cases(field: GraphQLField) -> bool:
    return any(TYPES.get(name) is not None for name in _types(field))


def _row_arguments(field: GraphQLField) -> list[str]:
    """The arguments that name rows of cases, those inside of inputs too."""
    found = [argument for argument in field.args if argument in ARGUMENTS]
    for declared in field.args.values():
        kind = get_named_type(declared.type)
        if isinstance(kind, GraphQLInputObjectType):
            found += [name for name in kind.fields if name in ARGUMENTS]
    return found


def _names_rows(field: GraphQLField) -> bool:
    return bool(_row_arguments(field))


def _variables(field: GraphQLField, wanted: UUID) -> dict[str, Any]:
    return {name: str(wanted) for name in field.args if name in ARGUMENTS}


def _filled(declared: GraphQLArgument | Any, name: str, given: Mapping[str, str]) -> Any:
    if name in ARGUMENTS:
        return given.get(name, str(uuid4()))
    kind = declared.type.of_type if isinstance(declared.type, GraphQLNonNull) else declared.type
    if isinstance(kind, GraphQLInputObjectType):
        return {
            field: _filled(below, field, given)
            for field, below in kind.fields.items()
            if isinstance(below.type, GraphQLNonNull)
        }
    return example(declared)


def example(declared: GraphQLArgument | Any) -> Any:
    """A value that the type takes, as JSON."""
    written = example_value(declared)
    named = get_named_type(declared.type)
    try:
        return orjson.loads(written)
    except orjson.JSONDecodeError:
        if isinstance(named, GraphQLInputObjectType):
            return {n: example(f) for n, f in named.fields.items() if isinstance(f.type, GraphQLNonNull)}
        return [written.strip("[]")] if written.startswith("[") else written

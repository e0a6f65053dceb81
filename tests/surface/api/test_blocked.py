"""Over the API a blocked person is answered as for what does not exist: the same bytes, in the same time (C12, C6)."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from graphql import GraphQLSchema, get_named_type
from graphql.type import GraphQLField, GraphQLInputObjectType

from referralnet.api.context import Resources
from referralnet.api.schema import build_schema
from referralnet.clock import SystemClock
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.settings import Settings
from tests.factories.blocks import Watched, block_colleague, ids_of_hers, make_watched, make_whole_case, set_block
from tests.factories.http import EXAMPLES, Client, example_call, serve
from tests.factories.identity import MadeMember
from tests.factories.referrals import Look, Sent, make_network
from tests.integration.referrals.conftest import look

__all__ = ["look"]
ASKED, NEW_KEY = EXAMPLES["UUID"].strip('"'), EXAMPLES["String"].strip('"')
# Times of pairs, in turn: the machine is shared, so only pairs can be compared.
PAIRS = 300


@pytest_asyncio.fixture(scope="module")
async def watched(owner: Database, keyring: Keyring) -> Watched:
    return await make_watched(owner, keyring, await make_network(owner))


@pytest_asyncio.fixture(scope="module")
async def client(app: Database, keyring: Keyring) -> AsyncIterator[Client]:
    async with serve(Resources(app, keyring, SystemClock(), Settings())) as client:
        yield client


@pytest_asyncio.fixture
async def case(app: Database, watched: Watched, keyring: Keyring, look: Look) -> Sent:
    return await make_whole_case(app, watched, keyring, look)


def takes_an_id(field: GraphQLField) -> bool:
    """Whether some argument is a UUID, or has one inside."""

    def has(kind: Any) -> bool:
        named = get_named_type(kind)
        if isinstance(named, GraphQLInputObjectType):
            return any(has(inner.type) for inner in named.fields.values())
        return str(named) == "UUID"

    return any(has(argument.type) for argument in field.args.values())


def calls() -> dict[str, str]:
    """An operation for each root field that takes an id; every id in it is ASKED."""
    schema: GraphQLSchema = build_schema(introspection=False)._schema
    found = {}
    for kind, root in (("query", schema.query_type), ("mutation", schema.mutation_type)):
        assert root is not None
        for name, field in root.fields.items():
            if takes_an_id(field):
                shown = "{ __typename ... on Refused { code message field } }" if kind == "mutation" else None
                call = example_call(name, field)
                found[name] = f"{kind} {{ {call.replace('{ __typename }', shown) if shown else call} }}"
    return found


CALLS = calls()
KEYS = itertools.count()


async def answer(client: Client, who: MadeMember, call: str, asked: UUID) -> tuple[int, bytes]:
    query = call.replace(ASKED, str(asked)).replace(NEW_KEY, f"a key of its own {next(KEYS)}", 1)
    response = await client.http.post("/graphql", json={"query": query}, headers=who.headers)
    return response.status_code, response.content.replace(str(asked).encode(), b"...")


@pytest.mark.rule("C12", "C6")
@pytest.mark.parametrize("whom", ["colleague", "officer", "whole agency"])
async def test_whatever_is_asked_the_blocked_are_answered_as_for_what_does_not_exist(
    app: Database, client: Client, watched: Watched, case: Sent, look: Look, whom: str
) -> None:
    """Every field that takes an id, for the id of each thing of hers."""
    assert len(CALLS) > 25
    if whom == "colleague":
        who, _ = watched.colleague, await block_colleague(app, watched, case.survivor_id)
    else:
        who, member = watched.officer, watched.officer.login if whom == "officer" else None
        await set_block(app, watched, case.survivor_id, agency_id=watched.target_id, member=member)
    hers = await ids_of_hers(look, case.survivor_id)
    assert len(hers) > 8
    for name, call in CALLS.items():
        missing = await answer(client, who, call, uuid4())
        told = {await answer(client, who, call, asked) for asked in hers}
        assert told == {missing}, name


async def seconds(client: Client, who: MadeMember, call: str, asked: UUID) -> float:
    began = time.perf_counter()
    await answer(client, who, call, asked)
    return time.perf_counter() - began


@pytest.mark.slow
@pytest.mark.rule("C12")
@pytest.mark.parametrize(
    ("whom", "name", "of"),
    [
        ("colleague", "survivorIdentity", "survivor_id"),
        ("colleague", "referral", "id"),
        ("officer", "referral", "id"),
        ("officer", "disclosure", "id"),
        ("officer", "acceptReferral", "id"),
    ],
)
async def test_the_blocked_are_answered_in_the_time_of_what_does_not_exist(
    app: Database, client: Client, watched: Watched, case: Sent, whom: str, name: str, of: str
) -> None:
    """The median of the differences of pairs, against the median answer: within a tenth, which no network shows."""
    if whom == "colleague":
        who, _ = watched.colleague, await block_colleague(app, watched, case.survivor_id)
    else:
        who = watched.officer
        await set_block(app, watched, case.survivor_id, agency_id=watched.target_id, member=who.login)
    # One id of each: documents are kept once parsed, so a new id each time would be the slower for that alone.
    blocked, nobodys = getattr(case, of), uuid4()
    times: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(PAIRS):
        for hers in (True, False) if turn % 2 else (False, True):
            times[hers].append(await seconds(client, who, CALLS[name], blocked if hers else nobodys))
    differences = [one - other for one, other in zip(times[True], times[False], strict=True)]
    missing = statistics.median(times[False])
    print(  # noqa: T201 (the figure is what the rule wants to be shown)
        f"{whom} {name}: missing {missing * 1000:.2f} ms, blocked {statistics.median(differences) * 1e6:+.0f} us"
        f" ({statistics.median(differences) / missing:+.1%})"
    )
    assert abs(statistics.median(differences)) < missing / 10

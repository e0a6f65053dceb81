"""Hostile operations are refused before they cost anything, and honest ones are not (P1)."""

from __future__ import annotations

import gc
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from graphql import get_introspection_query, parse

from referralnet.api.context import Resources
from referralnet.api.limits import (
    ALIASES_MAX,
    ARGUMENTS_MAX,
    DEFINITIONS_MAX,
    DEPTH_MAX,
    FAULTS_TOLD_MAX,
    FIELDS_MAX,
    PAGE_SIZE_DEFAULT,
    ROOT_FIELDS_MAX,
    SELECTIONS_MAX,
    TooComplex,
    refuse_excess,
)
from referralnet.clock import FixedClock
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.published import path
from referralnet.settings import Settings
from tests.factories.http import Client, serve
from tests.factories.identity import CLOCK_STARTS_AT


def doubling(fragments: int, last: str) -> str:
    """Fragments that each spread the next one twice."""
    return "".join(f"fragment f{i} on Agency {{ ...f{i + 1} ...f{i + 1} }} " for i in range(fragments)) + (
        f"fragment f{fragments} on Agency {{ {last} }}"
    )


HOSTILE = {
    "a thousand levels": "{" + "me{" * 740 + "id" + "}" * 741,
    "levels of inline fragments": "{agencies" + "{...on Agency" * 300 + "{name}" + "}" * 301,
    "a list in a list in a list": "{worklist(first:" + "[" * 700 + "]" * 700 + "){id}}",
    "a type of lists of lists": "query($a:" + "[" * 700 + "Int" + "]" * 700 + "){me{memberId}}",
    "two hundred aliases": "{" + " ".join(f"a{i}:me{{memberId}}" for i in range(200)) + "}",
    "nested aliases": "{agencies{" + " ".join(f"a{i}:name" for i in range(200)) + "}}",
    "one field a thousand times": "{agencies{" + "name " * 1400 + "}}",
    "one field with arguments, often": "{agencies{" + "name(a:1) " * 200 + "}}",
    "one field in many inline fragments": "{agencies{" + "...{name} " * 350 + "}}",
    "a thousand unknown fields": "{agencies{" + " ".join(f"nam{i}" for i in range(1400)) + "}}",
    "a fragment that nothing reaches": "{me{memberId}} fragment f on Agency{" + "name " * 1400 + "}",
    "fragments that double": "{agencies{...f0}} " + doubling(25, "name"),
    "fragments that double to nothing known": "{agencies{...f0}} " + doubling(25, "...unknown"),
    "fragments that double, unreached": "{me{memberId}} " + doubling(25, "name"),
    "a hundred fragments": "{agencies{...f0}} " + doubling(100, "name"),
    "every pair of fragments compared": "{agencies{" + " ".join(f"...f{i}" for i in range(29)) + "}}"
    + "".join(f"fragment f{i} on Agency{{{'name ' * 11}}}" for i in range(29)),
    "a fragment within itself": "{...a} fragment a on Query{me{memberId} ...a}",
    "fragments within each other": "{agencies{...a}} fragment a on Agency{...b} fragment b on Agency{...a}",
    "fragments within each other, unreached": "{me{memberId}} fragment a on Agency{...b} fragment b on Agency{...a}",
    "sixty thousand tokens": "{" + "a " * 30_000 + "}",
    "a hundred operations": " ".join(f"query q{i}{{me{{memberId}}}}" for i in range(100)),
    "a page of a hundred thousand": "{worklist(first:100000){id}}",
    "a page of more digits than a number has": "{worklist(first:" + "9" * 6000 + "){id}}",
    "a page size by default of a variable": "query($n:Int!=100000){worklist(first:$n){id}}",
    "unknown directives": "{agencies{name" + "@a" * 735 + "}}",
    "one directive many times": "{agencies{name" + "@skip(if:false)" * 200 + "}}",
    "an object of many fields": "{worklist(first:{" + "a:1 " * 480 + "}){id}}",
    "a long list": "{worklist(first:[" + "1 " * 1400 + "]){id}}",
    "unused variables": "query(" + " ".join(f"$v{i}:Int" for i in range(350)) + "){me{memberId}}",
    "one argument many times": "{worklist(" + "first:1 " * 400 + "){id}}",
    "a name of sixty thousand letters": "{" + "a" * 60_000 + "}",
}  # fmt: skip


@pytest_asyncio.fixture(scope="module")
async def client(keyring: Keyring) -> AsyncIterator[Client]:
    """Without a database: what is hostile never gets so far."""
    nowhere = Database("postgresql+asyncpg://referralnet_app@/nowhere?host=/nonexistent", pooled=False)
    async with serve(Resources(nowhere, keyring, FixedClock(CLOCK_STARTS_AT), Settings())) as client:
        yield client


@pytest.fixture
def heap_left_alone() -> Iterator[None]:
    """To go through all that thousands of tests have left behind takes a second, and is none of the program's doing."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.rule("P1")
@pytest.mark.usefixtures("heap_left_alone")
@pytest.mark.parametrize("attack", HOSTILE)
async def test_a_hostile_operation_is_refused_at_once(client: Client, attack: str) -> None:
    await client.ask("{ warm }")
    began = time.process_time()
    answer = await client.ask(HOSTILE[attack])
    # Twenty times the rule's 50 ms, so that a busy machine fails no test.
    assert time.process_time() - began < 1
    assert set(answer.codes) <= {"TOO_COMPLEX", "BAD_USER_INPUT"}
    assert 1 <= len(answer.codes) <= FAULTS_TOLD_MAX + 1
    assert "data" not in answer.body


@pytest.mark.rule("P1")
@pytest.mark.parametrize(
    ("within", "over", "measure"),
    [
        ("{me" + "{a" * (DEPTH_MAX - 1) + "}" * DEPTH_MAX, "{me" + "{a" * DEPTH_MAX + "}" * (DEPTH_MAX + 1), "levels"),
        ("{" + "x:a " * ROOT_FIELDS_MAX + "}", "{" + "a " * (ROOT_FIELDS_MAX + 1) + "}", "fields at the root"),
        ("{a{" + "x:b " * ALIASES_MAX + "}}", "{a{" + "x:b " * (ALIASES_MAX + 1) + "}}", "aliases"),
        ("{a{" + "b " * (SELECTIONS_MAX - 1) + "}}", "{a{" + "b " * SELECTIONS_MAX + "}}", "fields written"),
        ("{a{" + "b(c:1) " * ARGUMENTS_MAX + "}}", "{a{" + "b(c:1) " * (ARGUMENTS_MAX + 1) + "}}", "arguments"),
        ("query q{a} " * DEFINITIONS_MAX, "query q{a} " * (DEFINITIONS_MAX + 1), "operations and fragments"),
        (f"{{a(first:{FIELDS_MAX - 1}){{b}}}}", f"{{a(first:{FIELDS_MAX}){{b}}}}", "fields, each page"),
    ],
)
def test_a_limit_is_where_it_says(within: str, over: str, measure: str) -> None:
    refuse_excess(parse(within), {})
    with pytest.raises(TooComplex, match=measure):
        refuse_excess(parse(over), {})


@pytest.mark.rule("P1")
@pytest.mark.parametrize(
    ("document", "variables"),
    [
        ("{a(first:70){b{c(first:70){d}}}}", {}),
        ("query($n:Int!){a(first:$n){b(first:$n){c}}}", {"n": 70}),
        ("query($n:Int!=70){a(first:$n){b(first:$n){c}}}", {}),
        ("query($n:Int!=70){...f} fragment f on Query{a(first:$n){b(first:$n){c}}}", {}),
        ("query x($n:Int!=1){...f} query y($n:Int!=70){...f} fragment f on Query{a(first:$n){b(first:$n){c}}}", {}),
        ("{paged{paged{paged{b}}}}", {}),
    ],
)
def test_pages_within_pages_count_in_full_however_their_size_is_given(document: str, variables: dict[str, int]) -> None:
    assert PAGE_SIZE_DEFAULT**3 > FIELDS_MAX
    with pytest.raises(TooComplex, match="each page counted in full"):
        refuse_excess(parse(document), variables, frozenset({"paged"}))


def test_a_fragment_spread_often_is_counted_as_often() -> None:
    spread = "{" + "a{...f} " * 10 + "} fragment f on A {" + "b " * 200 + "}"
    refuse_excess(parse(spread), {})
    with pytest.raises(TooComplex):
        refuse_excess(parse(spread.replace("a{", "a(first:3){")), {})


@pytest.mark.rule("P1")
@pytest.mark.parametrize("within", ["b " * 301, "b{" * 10 + "c" + "}" * 10, "x:b " * 21])
def test_a_fragment_is_bounded_though_no_operation_reaches_it(within: str) -> None:
    """Validation looks at it all the same."""
    with pytest.raises(TooComplex):
        refuse_excess(parse(f"{{a}} fragment f on A {{{within}}}"), {})


async def test_tools_can_read_the_schema_where_that_is_on(keyring: Keyring) -> None:
    nowhere = Database("postgresql+asyncpg://referralnet_app@/nowhere?host=/nonexistent", pooled=False)
    resources = Resources(nowhere, keyring, FixedClock(CLOCK_STARTS_AT), Settings())
    async with serve(resources, introspection=True) as client:
        answer = await client.ask(get_introspection_query())
    assert answer.data["__schema"]["queryType"]["name"] == "Query"


def published_operations() -> list[Path]:
    return sorted(path("schema", "operations").glob("*.graphql"))


@pytest.mark.parametrize("file", published_operations(), ids=lambda file: file.name)
async def test_every_published_operation_is_within_the_limits(client: Client, file: Path) -> None:
    answer = await client.ask(file.read_text("utf-8"))
    assert set(answer.codes) <= {"UNAUTHENTICATED", "BAD_USER_INPUT"}
    assert "TOO_COMPLEX" not in answer.codes

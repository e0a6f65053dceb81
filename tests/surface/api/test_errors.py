"""What goes wrong is told by code and field, and neither the answer nor the log says more than that."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
import structlog
from sqlalchemy import text

from referralnet.api.context import Resources
from referralnet.clock import FixedClock
from referralnet.database.acting import Operator, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.identity import agencies
from referralnet.logging import configure_logging
from referralnet.settings import Settings
from tests.factories.http import Answer, Client, serve
from tests.factories.identity import CLOCK_STARTS_AT, MadeMember, make_agency, make_member

CANARY = "CANARY-Ines-Morales"


@pytest_asyncio.fixture(scope="module")
async def member(owner: Database, keyring: Keyring) -> MadeMember:
    return await make_member(owner, keyring, await make_agency(owner), [Role.COORDINATOR, Role.INTAKE])


@pytest_asyncio.fixture(scope="module")
async def client(app: Database, keyring: Keyring) -> AsyncIterator[Client]:
    async with serve(Resources(app, keyring, FixedClock(CLOCK_STARTS_AT), Settings())) as client:
        yield client


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """All that this process logs, as in production but talkative."""
    written, handlers = io.StringIO(), logging.getLogger().handlers[:]
    monkeypatch.setattr(sys, "stderr", written)
    configure_logging("debug")
    yield written
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers


def break_agencies(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    async def crash(_session: object) -> list[Any]:
        raise error

    monkeypatch.setattr(agencies, "list_agencies", crash)


def assert_is_told_as_incident(answer: Answer, log: str) -> None:
    """A crash: one error, an incident's number that the log has too, and no word of what it was."""
    (error,) = answer.body["errors"]
    assert error["extensions"] == {"code": "INTERNAL"}
    incident = error["message"].removeprefix("Something went wrong on our side. Quote ").partition(" ")[0]
    assert str(UUID(incident)) == incident
    (line,) = [json.loads(line) for line in log.splitlines() if incident in line]
    assert line["error"]
    assert line["frames"]
    assert CANARY not in log
    assert CANARY not in json.dumps(answer.body)
    assert "Traceback" not in json.dumps(answer.body) + log
    assert "data" not in answer.body or not answer.body["data"]


@pytest.mark.rule("P2")
async def test_a_crash_is_told_by_its_number_alone(
    client: Client, member: MadeMember, logged: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_agencies(monkeypatch, RuntimeError(f"row of {CANARY}"))
    answer = await client.ask(f'{{ a: agencies {{ name }} }} # "{CANARY}"', headers=member.headers)
    assert_is_told_as_incident(answer, logged.getvalue())


@pytest.mark.rule("P2")
async def test_a_crash_before_anything_is_executed_is_told_the_same_way(
    client: Client, member: MadeMember, logged: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(*_args: object, **_options: object) -> None:
        raise OSError(f"connection of {CANARY}")

    monkeypatch.setattr("referralnet.api.endpoint.find_member", crash)
    answer = await client.ask("{ me { memberId } }", headers=member.headers)
    assert answer.status == 500
    assert_is_told_as_incident(answer, logged.getvalue())


async def test_after_a_crash_nothing_that_was_read_is_shown(
    client: Client, member: MadeMember, logged: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its audit row was rolled back with the transaction they share."""
    break_agencies(monkeypatch, RuntimeError())
    answer = await client.ask(
        "{ worklist { edges { cursor } } me { memberId } agencies { name } }", headers=member.headers
    )
    assert answer.codes == ["INTERNAL"]
    assert "data" not in answer.body


@pytest.mark.rule("P2")
@pytest.mark.parametrize(
    "query",
    [
        f'{{ survivorIdentity(survivorId: "{CANARY}") {{ id }} }}',
        f'{{ searchServices(search: {{words: "{CANARY}", nothing: 1}}) {{ pageInfo {{ endCursor }} }} }}',
        f'{{ worklist(first: "{CANARY}") {{ edges {{ cursor }} }} }}',
        "{ me { memberId } ",
        f'mutation {{ signIn(login: "{CANARY}", password: "{CANARY}") {{ ... on Refused {{ code }} }} }}',
        f'mutation {{ stepUp(code: "{CANARY}") {{ ... on Refused {{ code }} }} }}',
        f'{{ inbox(after: "{CANARY}") {{ pageInfo {{ endCursor }} }} }}',
    ],
)  # fmt: skip
async def test_nothing_that_a_client_wrote_stands_in_the_log(
    client: Client, member: MadeMember, logged: io.StringIO, query: str
) -> None:
    await client.ask(query + f" # {CANARY}", headers=member.headers)
    variables = {"id": CANARY}
    await client.ask("query($id: UUID!) { referral(referralId: $id) { id } }", variables, headers=member.headers)
    structlog.get_logger("test").info("written")
    assert "written" in logged.getvalue()
    assert CANARY not in logged.getvalue()


@pytest.mark.rule("P2")
@pytest.mark.parametrize(
    "query",
    [
        "{ agencie { name } }",
        "{ agencies { nam } }",
        "{ agencies { name(lange: 1) } }",
        "{ worklist(frist: 1) { edges { cursor } } }",
        "query($a: Agenci) { me { memberId } }",
        "{ inbox(status: REQUESTE) { edges { cursor } } }",
        "{ searchServices(search: {word: 1}) { edges { cursor } } }",
        "{ me }",
        "{ me { ... on Mee { memberId } } }",
        "{ me { memberId @skipp(if: true) } }",
    ],
)
async def test_nobody_is_helped_to_guess_the_schema(client: Client, query: str) -> None:
    answer = await client.ask(query)
    assert set(answer.codes) == {"BAD_USER_INPUT"}
    assert "Did you mean" not in json.dumps(answer.body)


@pytest.mark.rule("P2")
@pytest.mark.parametrize("query", ["{ __schema { types { name } } }", '{ __type(name: "Query") { name } }'])
async def test_the_schema_is_not_told_in_production(client: Client, member: MadeMember, query: str) -> None:
    answer = await client.ask(query, headers=member.headers)
    assert set(answer.codes) == {"BAD_USER_INPUT"}
    assert "data" not in answer.body or answer.body["data"] is None


@pytest.mark.rule("P3")
@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("{ worklist(first: 0) { edges { cursor } } }", "INVALID_INPUT", "first"),
        ("{ worklist(first: -1) { edges { cursor } } }", "INVALID_INPUT", "first"),
        ("{ worklist(first: 101) { edges { cursor } } }", "INVALID_INPUT", "first"),
        ('{ inbox(after: "nonsense") { edges { cursor } } }', "INVALID_INPUT", "after"),
        ('{ inbox(after: "bnVsbA==") { edges { cursor } } }', "INVALID_INPUT", "after"),
        ('mutation { signIn(login: "a\\u0000b", password: "x") { __typename } }', "INVALID_INPUT", "login"),
        ('mutation { stepUp(code: "12345678\\u{0}") { __typename } }', "INVALID_INPUT", "code"),
    ],
)  # fmt: skip
async def test_bad_input_is_told_with_its_field(
    client: Client, member: MadeMember, query: str, code: str, field: str
) -> None:
    answer = await client.ask(query, headers=member.headers)
    (error,) = answer.body["errors"]
    assert error["extensions"] == {"code": code, "field": field}


@pytest.mark.rule("P3")
@pytest.mark.parametrize("value", ["\0", {"a": ["\0"]}, ["\0"], {"\0": 1}])
async def test_a_variable_that_no_text_can_hold_is_told_with_its_name(client: Client, value: object) -> None:
    query = "mutation($login: String!) { signIn(login: $login, password: $login) { __typename } }"
    answer = await client.ask(query, {"login": value})
    assert answer.body["errors"][0]["extensions"] == {"code": "INVALID_INPUT", "field": "login"}


@pytest.mark.rule("P3")
@pytest.mark.parametrize(
    "value", [None, True, 1e400, -1, 2**31, 10**30, "1", "", [], {}, "\ufffe", "x" * 40_000, {"a": {"b": []}}]
)
@pytest.mark.parametrize(
    "query",
    [
        "query($value: Int!) { worklist(first: $value) { edges { cursor } } }",
        "query($value: UUID!) { referral(referralId: $value) { id } }",
        "query($value: String!) { inbox(after: $value) { edges { cursor } } }",
        "query($value: ReferralStatus!) { inbox(status: $value) { edges { cursor } } }",
        "mutation($value: String!) { stepUp(code: $value) { __typename } }",
        "mutation($value: String!) { signIn(login: $value, password: $value) { __typename } }",
    ],
)
async def test_no_value_of_a_variable_makes_it_crash(
    client: Client, member: MadeMember, query: str, value: object
) -> None:
    content = json.dumps({"query": query, "variables": {"value": value}}).replace("Infinity", "1e400")
    answer = await client.http.post(
        "/graphql", content=content, headers={"content-type": "application/json", **member.headers}
    )
    codes = {error["extensions"]["code"] for error in answer.json().get("errors", ())}
    assert "INTERNAL" not in codes
    assert answer.status_code in {200, 400}


async def test_an_operation_that_takes_too_long_is_given_up(
    app: Database, keyring: Keyring, member: MadeMember, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def sleep(session: Any) -> list[Any]:
        await session.execute(text("select pg_sleep(20)"))
        return []

    monkeypatch.setattr(agencies, "list_agencies", sleep)
    settings = Settings(request_seconds_max=0.3)
    async with serve(Resources(app, keyring, FixedClock(CLOCK_STARTS_AT), settings)) as hurried:
        answer = await hurried.ask("{ agencies { name } }", headers=member.headers)
    assert answer.codes == ["TIMED_OUT"]
    assert "data" not in answer.body


async def test_whoever_is_refused_is_written_to_the_trail(
    client: Client, owner: Database, keyring: Keyring, member: MadeMember
) -> None:
    auditor = await make_member(owner, keyring, member.actor.agency_id, [Role.AUDITOR])
    assert (await client.ask("{ worklist { edges { cursor } } }", headers=auditor.headers)).codes == ["NOT_PERMITTED"]
    mutation = (
        'mutation { closeTask(idempotencyKey: "12345678", taskId: "6f0f1b3e-5d0e-4f8e-9c53-0a1b2c3d4e5f")'
        " { ... on Refused { code } } }"
    )
    assert (await client.ask(mutation, headers=auditor.headers)).data == {"closeTask": {"code": "NOT_PERMITTED"}}
    async with owner.transaction(Operator()) as session:
        rows = await session.execute(
            text("select detail from audit_event where member_id = :id and action = 'attempt_refused' order by at"),
            {"id": auditor.actor.member_id},
        )
        assert [row.detail for row in rows] == [
            {"operation": "worklist", "code": "NOT_PERMITTED"},
            {"operation": "closeTask", "code": "NOT_PERMITTED"},
        ]

"""The route as a client meets it: POST and JSON alone, one operation, nobody served without signing in."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio
from graphql import GraphQLField, GraphQLObjectType

from referralnet.api.context import Resources
from referralnet.api.endpoint import BODY_BYTES_MAX
from referralnet.api.schema import build_schema
from referralnet.app import build_app
from referralnet.clock import FixedClock
from referralnet.database.acting import AgencyKind, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.settings import Settings
from tests.factories.http import Client, example_call, serve
from tests.factories.identity import CLOCK_STARTS_AT, MadeMember, make_agency, make_member

SCHEMA = build_schema(introspection=True)._schema
assert isinstance(SCHEMA.query_type, GraphQLObjectType)
assert isinstance(SCHEMA.mutation_type, GraphQLObjectType)
QUERIES: dict[str, GraphQLField] = SCHEMA.query_type.fields
MUTATIONS: dict[str, GraphQLField] = SCHEMA.mutation_type.fields
WITHOUT_TOKEN = {"signIn"}
# They end or open something of the session itself; doing so twice is doing it once, or is refused by the code.
WITHOUT_IDEMPOTENCY_KEY = {"signIn", "signOut", "stepUp"}
# What somebody without a part in any case may still ask: of the directory, and of the wording and timing of texts.
OPEN_TO_ALL_ROLES = {
    "me",
    "agencies",
    "searchServices",
    "searchFacets",
    "suggestNames",
    "checkLabel",
    "previewTexts",
    "textPolicy",
    "answerDeadlines",
}
# Their own work, which names no case: the network admin's is the network, the auditor's the trail and what was counted.
OWN_WORK = {
    Role.NETWORK_ADMIN: {
        "duplicates",
        "decideDuplicate",
        "networkAgencies",
        "addAgency",
        "setAgencyActive",
        "keepAnswerDeadlines",
        "appointFirstAdmin",
        "directoryRequests",
        "directoryImports",
        "importReport",
        "undoDirectoryImport",
        "alarms",
        "closeAlarm",
    },
    Role.AUDITOR: {"trail", "trailState", "checkTrail", "measures"},
}


@pytest_asyncio.fixture(scope="module")
async def resources(app: Database, keyring: Keyring) -> Resources:
    return Resources(app, keyring, FixedClock(CLOCK_STARTS_AT), Settings())


@pytest_asyncio.fixture(scope="module")
async def client(resources: Resources) -> AsyncIterator[Client]:
    async with serve(resources) as client:
        yield client


@pytest_asyncio.fixture(scope="module")
async def members(owner: Database, keyring: Keyring) -> dict[Role, MadeMember]:
    agency_id = await make_agency(owner, kind=AgencyKind.NETWORK_OPERATOR)
    return {role: await make_member(owner, keyring, agency_id, [role]) for role in Role}


async def test_the_application_answers_nothing_but_post(resources: Resources) -> None:
    application = build_app(
        Resources(resources.database, resources.keyring, resources.clock, Settings(environment="development"))
    )
    transport = httpx2.ASGITransport(app=application)
    async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as http:
        for method in ("GET", "PUT", "DELETE", "PATCH"):
            answer = await http.request(method, "/graphql", params={"query": "{ me { memberId } }"})
            assert answer.status_code == 405


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_a_form_that_any_page_could_post_is_refused(client: Client, content_type: str) -> None:
    answer = await client.http.post(
        "/graphql", content=b'{"query": "{ me { memberId } }"}', headers={"content-type": content_type}
    )
    assert answer.status_code == 415
    assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.rule("P3")
@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"null", b'"{ me }"', b"[]", b"{}", b'{"query": ""}', b'{"query": 1}', b'{"query": null}', b"\xff",
        b'{"query": "{ me { memberId } }", "variables": [1]}', b'{"query": "{ me { memberId } }", "operationName": 1}',
        b'{"query": "\\ud800"}', b"[" * 5000, b'{"query": "{me{memberId}}", "variables": ' + b'{"a":' * 5000,
    ],
)  # fmt: skip
async def test_what_is_no_operation_is_refused_as_bad_input(client: Client, body: bytes) -> None:
    answer = await client.http.post("/graphql", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    assert "data" not in answer.json()


@pytest.mark.rule("P1")
async def test_several_operations_in_one_request_are_refused(client: Client) -> None:
    batch = json.dumps([{"query": "{ me { memberId } }"}] * 2)
    answer = await client.http.post("/graphql", content=batch, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert "no batching" in answer.json()["errors"][0]["message"]


@pytest.mark.rule("P1")
async def test_a_body_over_the_limit_is_refused_whether_or_not_it_tells_its_length(client: Client) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(BODY_BYTES_MAX // 1024 + 1):
            yield b" " * 1024

    headers = {"content-type": "application/json"}
    for content in (b" " * (BODY_BYTES_MAX + 1), chunks()):
        answer = await client.http.post("/graphql", content=content, headers=headers)
        assert answer.status_code == 413
    just_enough = b'{"query": "{ __typename }"}'.ljust(BODY_BYTES_MAX)
    assert (await client.http.post("/graphql", content=just_enough, headers=headers)).status_code == 200


@pytest.mark.rule("A1")
@pytest.mark.parametrize("name", QUERIES)
async def test_no_query_is_answered_without_signing_in(client: Client, name: str) -> None:
    answer = await client.ask("{ " + example_call(name, QUERIES[name]) + " }")
    assert answer.codes == ["UNAUTHENTICATED"]
    assert not (answer.body.get("data") or {}).get(name)


@pytest.mark.rule("A1")
@pytest.mark.parametrize("name", sorted(MUTATIONS.keys() - WITHOUT_TOKEN))
async def test_no_mutation_is_performed_without_signing_in(client: Client, name: str) -> None:
    answer = await client.ask("mutation { " + example_call(name, MUTATIONS[name]) + " }")
    assert answer.codes == ["UNAUTHENTICATED"]
    assert not answer.body.get("data")


@pytest.mark.rule("R7")
@pytest.mark.parametrize("name", sorted(MUTATIONS.keys() - WITHOUT_IDEMPOTENCY_KEY))
def test_every_mutation_takes_an_idempotency_key(name: str) -> None:
    assert str(MUTATIONS[name].args["idempotencyKey"].type) == "String!"


@pytest.mark.rule("R7")
@pytest.mark.parametrize("name", sorted(MUTATIONS.keys() - WITHOUT_IDEMPOTENCY_KEY))
async def test_no_mutation_is_performed_with_a_key_too_short_to_be_one(
    client: Client, members: dict[Role, MadeMember], name: str
) -> None:
    """The key is looked at, and not only asked for: whoever may perform it is told what is wrong with the key."""
    codes = set()
    for member in members.values():
        call = example_call(name, MUTATIONS[name], {"idempotencyKey": '"short"'})
        query = "mutation { " + call.replace("__typename", "... on Refused { code field }") + " }"
        told = (await client.ask(query, headers=member.headers)).data[name]
        codes.add((told["code"], told["field"]))
    assert codes == {("NOT_PERMITTED", None), ("INVALID_INPUT", "idempotencyKey")}


@pytest.mark.rule("A4")
@pytest.mark.parametrize("role", [Role.NETWORK_ADMIN, Role.AUDITOR])
async def test_network_admins_and_auditors_are_told_nothing_of_cases(
    client: Client, members: dict[Role, MadeMember], role: Role
) -> None:
    answered = set()
    for name, field in QUERIES.items():
        answer = await client.ask("{ " + example_call(name, field) + " }", headers=members[role].headers)
        if answer.codes != ["NOT_PERMITTED"]:
            answered.add(name)
    assert answered - OPEN_TO_ALL_ROLES - OWN_WORK[role] == set()


@pytest.mark.rule("A4")
@pytest.mark.parametrize("role", [Role.NETWORK_ADMIN, Role.AUDITOR])
async def test_network_admins_and_auditors_change_no_case(
    client: Client, members: dict[Role, MadeMember], role: Role
) -> None:
    for name in MUTATIONS.keys() - WITHOUT_IDEMPOTENCY_KEY - OWN_WORK[role]:
        call = example_call(name, MUTATIONS[name]).replace("__typename", "... on Refused { code }")
        answer = await client.ask("mutation { " + call + " }", headers=members[role].headers)
        assert answer.data[name] == {"code": "NOT_PERMITTED"}, name


@pytest.mark.parametrize(
    "authorization", ["Bearer", "Bearer ", "Bearer wrong", "Basic {token}", "{token}", "Token {token}"]
)
async def test_a_header_that_is_no_bearer_token_of_ours_signs_nobody_in(
    client: Client, members: dict[Role, MadeMember], authorization: str
) -> None:
    header = authorization.format(token=members[Role.COORDINATOR].token)
    answer = await client.ask("{ me { memberId } }", headers={"authorization": header})
    assert answer.codes == ["UNAUTHENTICATED"]


@pytest.mark.rule("A6")
async def test_a_cookie_signs_nobody_in_here(client: Client, members: dict[Role, MadeMember]) -> None:
    """Or any page in the member's browser could speak for them."""
    cookie = f"referralnet_session={members[Role.COORDINATOR].token}"
    assert (await client.ask("{ me { memberId } }", headers={"cookie": cookie})).codes == ["UNAUTHENTICATED"]


async def test_an_answer_is_stored_by_nobody_on_the_way(client: Client) -> None:
    answer = await client.http.post("/graphql", json={"query": "{ __typename }"})
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"


async def test_of_several_operations_the_named_one_is_executed(client: Client) -> None:
    document = "query a { __typename } query b { wrong: __typename }"
    named = await client.http.post("/graphql", json={"query": document, "operationName": "b"})
    assert named.json() == {"data": {"wrong": "Query"}}
    unknown = await client.http.post("/graphql", json={"query": document, "operationName": "c"})
    assert unknown.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_of_several_operations_none_is_executed_unless_one_is_named(client: Client) -> None:
    answer = await client.http.post("/graphql", json={"query": "query a { me { memberId } } query b { me { roles } }"})
    (error,) = answer.json()["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "Name one operation" in error["message"]


async def test_one_field_that_is_refused_does_not_trip_its_neighbours(
    client: Client, members: dict[Role, MadeMember]
) -> None:
    headers = {"authorization": f"Bearer {members[Role.COORDINATOR].token}"}
    missing = "6f0f1b3e-5d0e-4f8e-9c53-0a1b2c3d4e5f"
    fields = "\n".join(f"r{n}: agencies {{ name }}" for n in range(8))
    answer = await client.ask(f'{{ referral(referralId: "{missing}") {{ id }} {fields} }}', headers=headers)
    assert answer.codes == ["NOT_FOUND"]
    again = await client.ask("{ agencies { name } }", headers=headers)
    assert again.data["agencies"]

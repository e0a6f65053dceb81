"""No answer of the API tells a hidden place to a member of another agency or to the network's admin (D1, D2, D3)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from graphql import GraphQLNamedType, GraphQLObjectType, get_named_type
from sqlalchemy import text

from referralnet.api.context import Resources
from referralnet.api.directory import DirectoryQuery
from referralnet.api.directory_search import DirectorySearchQuery
from referralnet.api.duplicates import DuplicateQuery
from referralnet.api.listings import ListingQuery
from referralnet.api.matching import MatchingQuery
from referralnet.api.schema import build_schema
from referralnet.clock import FixedClock
from referralnet.database.acting import Operator, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.settings import Settings
from tests.factories.directory import EVENING, import_example, import_folder
from tests.factories.hsds import CANARIES, STREET, ZIP, canaries_in, write_canaries
from tests.factories.http import Client, serve
from tests.factories.identity import MadeMember, make_agency, make_member
from tests.factories.survivors import make_survivor, new_need

SECRETS = (*CANARIES, "555-0191", "555-0192", "5550191", "5550192")
"""What hangs on the house: street, ZIP code, point, its telephones, and a word in every note, name and label."""
QUESTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"words": "Quiet Beds"},
    {"words": STREET},
    {"words": ZIP},
    {"words": "canary"},
    {"words": "canari red door"},
    {"zipCode": "61104"},
    {"zipCode": "61104", "withinKilometers": 25.0},
    {"zipCode": "61104", "withinKilometers": 300.0, "availableTonight": True},
    {"areas": ["county:IL/winnebago"]},
    {"categories": ["emergency_shelter"], "languages": ["es"], "accessibility": ["step_free"], "onlyStated": True},
    {"acceptingNow": True, "openNow": True, "costs": ["free"], "householdSize": 2, "gender": "women", "age": 30},
    {"eligibilityWords": "canary"},
    {"areas": [ZIP]},
    {"zipCode": ZIP},
    {"costs": [STREET]},
)
WRONG = 2
"""How many of them cannot be asked: their refusals are read as well."""
TYPED = ("Quiet Be", "Plain Har", STREET, ZIP, "canary", "cana", "Canary house", "42.19", "815-555-0191", "canri")


@pytest_asyncio.fixture(scope="module")
async def hidden(owner: Database, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Ids of a shelter whose every row that hangs on its house has a canary; its public texts tell its street."""
    folder = tmp_path_factory.mktemp("packages") / "canaries"
    await import_example(owner)
    await import_folder(owner, write_canaries(folder))
    async with owner.transaction(Operator()) as session:
        found = await session.scalar(text("select id from service where name = 'Quiet Beds'"))
    return {"service": str(found)}


@pytest_asyncio.fixture(scope="module")
async def client(app: Database, keyring: Keyring, hidden: dict[str, str]) -> AsyncIterator[Client]:
    async with serve(Resources(app, keyring, FixedClock(EVENING), Settings())) as client:
        yield client


@pytest_asyncio.fixture(params=["stranger", "network admin", "nobody"])
async def headers(request: pytest.FixtureRequest, owner: Database, keyring: Keyring) -> dict[str, str]:
    if request.param == "nobody":
        return {}
    # In every role that an agency gives, so that what is asked for keepers is answered and not refused.
    roles = [Role.NETWORK_ADMIN] if request.param == "network admin" else list(Role)[:3]
    member = await make_member(owner, keyring, await make_agency(owner), roles, now=EVENING)
    return member.headers


def everything(kind: GraphQLNamedType) -> str:
    """All that can be selected of a type, to the bottom."""
    if not isinstance(kind, GraphQLObjectType):
        return "{ __typename }" if hasattr(kind, "types") else ""
    return (
        "{ "
        + " ".join(f"{name} {everything(get_named_type(field.type))}" for name, field in kind.fields.items())
        + " }"
    )


def calls(hidden: dict[str, str], need_id: str) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """For each field of the directory: its arguments as GraphQL writes them, and variables."""
    questions = [("search: $search", {"search": question}) for question in QUESTIONS]
    return {
        "searchServices": [("search: $search, first: 20", variables) for _, variables in questions],
        "searchFacets": questions,
        "suggestNames": [("typed: $typed", {"typed": typed}) for typed in TYPED],
        "unitCounts": [("", {})],
        "ownListings": [("", {})],
        "listing": [("serviceId: $id", {"id": hidden["service"]})],
        "duplicates": [("", {})],
        "matchNeed": [("needId: $id, first: 100", {"id": need_id})],
    }


DECLARED = {"search": "$search: ServiceSearchInput!", "typed": "$typed: String!", "id": "$id: UUID!"}


async def every_answer(client: Client, headers: dict[str, str], hidden: dict[str, str], need_id: str) -> dict[str, str]:
    """What is answered, or why not, to each call; errors too."""
    query_type = build_schema(introspection=True)._schema.query_type
    assert query_type is not None
    answers = {}
    for name, asked in calls(hidden, need_id).items():
        selected = everything(get_named_type(query_type.fields[name].type))
        for arguments, variables in asked:
            declared = ", ".join(DECLARED[variable] for variable in variables)
            head = f"query({declared})" if declared else "query"
            call = f"{name}({arguments})" if arguments else name
            query = f"{head} {{ {call} {selected} }}"
            answer = await client.ask(query, variables, headers=headers)
            answers[f"{name} {variables}"] = str(answer.body)
    return answers


def sung(told: str) -> list[str]:
    return [*canaries_in(told), *(secret for secret in SECRETS if secret in told)]


def test_every_field_of_the_directory_is_asked() -> None:
    kinds = (DirectoryQuery, DirectorySearchQuery, DuplicateQuery, ListingQuery, MatchingQuery)
    definitions: list[Any] = [vars(kind)["__strawberry_definition__"] for kind in kinds]
    fields = {field.python_name for definition in definitions for field in definition.fields}
    asked = {
        "".join(f"_{sign.lower()}" if sign.isupper() else sign for sign in name) for name in calls({"service": ""}, "")
    }
    assert fields == asked


@pytest.mark.rule("D1", "D3")
async def test_no_canary_of_a_hidden_place_is_in_any_answer_of_the_api(
    client: Client, hidden: dict[str, str], headers: dict[str, str]
) -> None:
    need_id = "6f0f1b3e-5d0e-4f8e-9c53-0a1b2c3d4e5f"
    answers = await every_answer(client, headers, hidden, need_id)
    assert {asked: sung(told) for asked, told in answers.items() if sung(told)} == {}
    refused = [asked for asked, told in answers.items() if asked.startswith("search") and "errors" in told]
    assert len(refused) == (2 * WRONG if headers else 2 * len(QUESTIONS))
    assert any("Quiet Beds" in told for told in answers.values()) is bool(headers)


@pytest.mark.rule("D1", "D3")
async def test_no_canary_of_a_hidden_place_is_in_a_match(
    client: Client, app: Database, owner: Database, keyring: Keyring, hidden: dict[str, str]
) -> None:
    asker: MadeMember = await make_member(owner, keyring, await make_agency(owner), [Role.COORDINATOR], now=EVENING)
    survivor_id = await make_survivor(
        app, asker.actor, keyring, need=new_need(service_type="emergency_shelter", region="611")
    )
    async with app.transaction(asker.actor) as session:
        need = text("select id from need where survivor_id = :id")
        need_id = str(await session.scalar(need, {"id": survivor_id}))
    answers = await every_answer(client, asker.headers, hidden, need_id)
    told = answers[f"matchNeed {{'id': '{need_id}'}}"]
    assert "Quiet Beds" in told
    assert sung(told) == []


NAMES = """query($search: ServiceSearchInput!) {
    searchServices(search: $search, first: 20) { edges { node {
        serviceName description eligibilityDescription } } } }"""


@pytest.mark.rule("D1")
async def test_a_text_that_tells_the_street_is_withheld_and_finds_nothing(
    client: Client, owner: Database, keyring: Keyring, hidden: dict[str, str]
) -> None:
    member = await make_member(owner, keyring, await make_agency(owner), [Role.COORDINATOR], now=EVENING)

    async def found(words: str) -> dict[str, tuple[str | None, str | None]]:
        answer = await client.ask(NAMES, {"search": {"words": words}}, headers=member.headers)
        nodes = [edge["node"] for edge in answer.data["searchServices"]["edges"]]
        return {node["serviceName"]: (node["description"], node["eligibilityDescription"]) for node in nodes}

    assert (await found("Quiet Beds"))["Quiet Beds"] == (None, None)
    assert (await found("Lantern House"))["Tonight at Lantern House"][0] is not None
    for words in (STREET, ZIP, "Ring ask"):
        assert not {"Quiet Beds", "Open Kitchen"} & set(await found(words))

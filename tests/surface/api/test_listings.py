"""A listing is changed over the API once for each key, and of two versions the later is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from referralnet.api.context import Resources
from referralnet.clock import FixedClock
from referralnet.database.acting import Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.settings import Settings
from tests.factories.http import Client, serve
from tests.factories.identity import CLOCK_STARTS_AT, MadeMember, make_member
from tests.factories.listings import ListingKeeper, make_listing

UPDATE = """
mutation($key: String!, $id: UUID!, $version: Int!, $change: ListingInput!) {
  updateListing(idempotencyKey: $key, serviceId: $id, version: $version, change: $change) {
    ... on Done { id } ... on Refused { code field }
  }
}
"""
STILL_TRUE = """
mutation($key: String!, $id: UUID!) {
  stillTrue(idempotencyKey: $key, capacityId: $id) { ... on Done { id } ... on Refused { code field } }
}
"""
READ = """
query($id: UUID!) {
  listing(serviceId: $id) {
    version name status languages phone
    capacity { capacityId unit available isFresh confirmedAt } own { part }
    changes { fieldName replacementValue memberName }
  }
  ownListings { serviceId }
}
"""


@pytest_asyncio.fixture(scope="module")
async def client(app: Database, keyring: Keyring) -> AsyncIterator[Client]:
    async with serve(Resources(app, keyring, FixedClock(CLOCK_STARTS_AT), Settings())) as client:
        yield client


@pytest_asyncio.fixture
async def kept(owner: Database, keyring: Keyring, tmp_path: Path) -> ListingKeeper:
    return await make_listing(owner, keyring, tmp_path, f"House {uuid4().hex[:8]}")


@pytest_asyncio.fixture
async def admin(owner: Database, keyring: Keyring, kept: ListingKeeper) -> MadeMember:
    return await make_member(owner, keyring, kept.agency_id, [Role.AGENCY_ADMIN])


async def update(
    client: Client, member: MadeMember, kept: ListingKeeper, change: dict[str, Any], *, key: str = "", version: int = 0
) -> dict[str, Any]:
    variables = {"key": key or uuid4().hex, "id": str(kept.service_id), "version": version, "change": change}
    told: dict[str, Any] = (await client.ask(UPDATE, variables, headers=member.headers)).data["updateListing"]
    return told


async def read(client: Client, member: MadeMember, kept: ListingKeeper) -> dict[str, Any]:
    return (await client.ask(READ, {"id": str(kept.service_id)}, headers=member.headers)).data


@pytest.mark.rule("R7")
async def test_a_change_sent_twice_is_one_change(client: Client, admin: MadeMember, kept: ListingKeeper) -> None:
    change = {"name": "Quiet rooms", "languages": ["es"], "phone": {"number": "815 555 0199"}}
    for _ in range(2):
        assert await update(client, admin, kept, change, key="the-same-key") == {"id": str(kept.service_id)}
    answer = await read(client, admin, kept)
    listing = answer["listing"]
    assert answer["ownListings"] == [{"serviceId": str(kept.service_id)}]
    assert (listing["version"], listing["name"], listing["phone"]) == (1, "Quiet rooms", "+1 815-555-0199")
    assert {part["part"] for part in listing["own"]} == {"name", "languages", "phone"}
    assert sorted(change["fieldName"] for change in listing["changes"]) == ["languages", "name", "phone"]
    other = await update(client, admin, kept, {"name": "Loud rooms"}, key="the-same-key")
    assert other["code"] == "IDEMPOTENCY_KEY_REUSED"


async def test_of_two_versions_the_later_is_refused(client: Client, admin: MadeMember, kept: ListingKeeper) -> None:
    assert "id" in await update(client, admin, kept, {"name": "First"})
    assert await update(client, admin, kept, {"name": "Second"}) == {"code": "LISTING_CHANGED", "field": "version"}
    assert (await read(client, admin, kept))["listing"]["name"] == "First"


async def test_a_refusal_names_the_field_as_the_client_wrote_it(
    client: Client, admin: MadeMember, kept: ListingKeeper
) -> None:
    told = await update(client, admin, kept, {"eligibilityDescription": "x" * 2001})
    assert told == {"code": "INVALID_INPUT", "field": "eligibilityDescription"}


async def test_still_true_confirms_the_count_as_it_stands(
    client: Client, admin: MadeMember, kept: ListingKeeper
) -> None:
    (before,) = (await read(client, admin, kept))["listing"]["capacity"]
    variables = {"key": uuid4().hex, "id": before["capacityId"]}
    told = (await client.ask(STILL_TRUE, variables, headers=admin.headers)).data["stillTrue"]
    assert told == {"id": before["capacityId"]}
    (after,) = (await read(client, admin, kept))["listing"]["capacity"]
    assert after["available"] == before["available"]
    assert after["confirmedAt"] != before["confirmedAt"]


@pytest.mark.rule("A1")
async def test_another_agency_confirms_no_count_and_reads_no_listing(
    client: Client, owner: Database, keyring: Keyring, admin: MadeMember, kept: ListingKeeper, tmp_path: Path
) -> None:
    other = await make_listing(owner, keyring, tmp_path, f"Other {uuid4().hex[:8]}")
    stranger = await make_member(owner, keyring, other.agency_id, [Role.AGENCY_ADMIN])
    (unit,) = (await read(client, admin, kept))["listing"]["capacity"]
    variables = {"key": uuid4().hex, "id": unit["capacityId"]}
    told = (await client.ask(STILL_TRUE, variables, headers=stranger.headers)).data["stillTrue"]
    assert told == {"code": "NOT_FOUND", "field": "capacityId"}
    alone = "query($id: UUID!) { listing(serviceId: $id) { version } }"
    answer = await client.ask(alone, {"id": str(kept.service_id)}, headers=stranger.headers)
    assert answer.codes == ["NOT_FOUND"]


async def test_all_is_still_true_is_said_by_whoever_answers_for_the_words_and_makes_nothing_ones_own(
    client: Client, owner: Database, keyring: Keyring, admin: MadeMember, kept: ListingKeeper
) -> None:
    intake = await make_member(owner, keyring, kept.agency_id, [Role.INTAKE])
    assert (await update(client, intake, kept, {"assured": True}))["code"] == "NOT_PERMITTED"
    assert (await update(client, admin, kept, {}))["code"] == "INVALID_INPUT"
    assert "id" in await update(client, admin, kept, {"assured": True})
    document = "query($id: UUID!) { listing(serviceId: $id) { version assuredDate own { part } changes { action } } }"
    answer = await client.ask(document, {"id": str(kept.service_id)}, headers=admin.headers)
    today = CLOCK_STARTS_AT.date().isoformat()
    assert answer.data["listing"] == {"version": 1, "assuredDate": today, "own": [], "changes": []}

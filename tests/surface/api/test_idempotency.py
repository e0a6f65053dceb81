"""A mutation that is sent twice has one effect and one answer (R7)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from sqlalchemy import text

from referralnet.api.context import Resources
from referralnet.clock import FixedClock
from referralnet.database.acting import Custodian, Operator
from referralnet.database.transactions import Database
from referralnet.encryption.held_keyring import HeldKeyring
from referralnet.encryption.keyring import Keyring
from referralnet.identity.tasks import open_task
from referralnet.settings import Settings
from tests.factories.http import Client, serve
from tests.factories.identity import CLOCK_STARTS_AT, MadeMember, make_agency, make_member

CLOSE = """
mutation($key: String!, $id: UUID!) {
  closeTask(idempotencyKey: $key, taskId: $id) { ... on Done { id } ... on Refused { code field } }
}
"""
RECORD = """
mutation($key: String!, $name: String!) {
  recordSurvivor(idempotencyKey: $key, survivor: {givenName: $name, familyName: "-"}) {
    ... on Done { id } ... on Refused { code field }
  }
}
"""


@pytest_asyncio.fixture(scope="module")
async def member(owner: Database, keyring: Keyring) -> MadeMember:
    return await make_member(owner, keyring, await make_agency(owner))


@pytest_asyncio.fixture(scope="module")
async def client(app: Database, keyring: Keyring) -> AsyncIterator[Client]:
    async with serve(Resources(app, keyring, FixedClock(CLOCK_STARTS_AT), Settings())) as client:
        yield client


async def put_task(app: Database, worker: Database, member: MadeMember) -> UUID:
    kind = f"planted_{uuid4().hex}"
    async with worker.transaction(Custodian(member.actor.agency_id)) as session:
        await open_task(
            session, agency_id=member.actor.agency_id, kind=kind, subject_kind="member",
            subject_id=member.actor.member_id, now=CLOCK_STARTS_AT,
        )  # fmt: skip
    async with app.transaction(member.actor) as session:
        found = await session.scalar(text("select id from task where kind = :kind"), {"kind": kind})
    assert isinstance(found, UUID)
    return found


async def count(owner: Database, statement: str, **values: object) -> int:
    async with owner.transaction(Operator()) as session:
        return await session.scalar(text(statement), values) or 0


async def close(client: Client, member: MadeMember, key: str, task_id: UUID) -> dict[str, Any]:
    answer = await client.ask(CLOSE, {"key": key, "id": str(task_id)}, headers=member.headers)
    closed: dict[str, Any] = answer.data["closeTask"]
    return closed


@pytest.mark.rule("R7")
async def test_the_same_request_again_gets_the_same_answer_and_changes_nothing(
    app: Database, owner: Database, worker: Database, client: Client, member: MadeMember
) -> None:
    task_id = await put_task(app, worker, member)
    answers = [await close(client, member, "first-click", task_id) for _ in range(3)]
    assert answers == [{"id": str(task_id)}] * 3
    assert await count(owner, "select count(*) from audit_event where subject_id = :id", id=task_id) == 1


@pytest.mark.rule("R7")
async def test_the_same_request_ten_times_at_once_has_one_effect(
    app: Database, owner: Database, worker: Database, client: Client, member: MadeMember
) -> None:
    task_id = await put_task(app, worker, member)
    answers = await asyncio.gather(*(close(client, member, "double-click", task_id) for _ in range(10)))
    assert answers == [{"id": str(task_id)}] * 10
    assert await count(owner, "select count(*) from audit_event where subject_id = :id", id=task_id) == 1


@pytest.mark.rule("R7")
async def test_the_same_key_with_other_content_or_another_mutation_is_refused(
    app: Database, worker: Database, client: Client, member: MadeMember
) -> None:
    one, other = await put_task(app, worker, member), await put_task(app, worker, member)
    assert await close(client, member, "used-already", one) == {"id": str(one)}
    reused = {"code": "IDEMPOTENCY_KEY_REUSED", "field": "idempotencyKey"}
    assert await close(client, member, "used-already", other) == reused
    answer = await client.ask(RECORD, {"key": "used-already", "name": "Inés"}, headers=member.headers)
    assert answer.data["recordSurvivor"] == reused
    assert await close(client, member, "another-key", other) == {"id": str(other)}


@pytest.mark.rule("R7")
async def test_a_refused_request_may_be_repeated_when_its_cause_is_gone(
    app: Database, worker: Database, client: Client, member: MadeMember
) -> None:
    task_id = await put_task(app, worker, member)
    async with app.transaction(member.actor) as session:
        await session.execute(text("update task set done_at = now() where id = :id"), {"id": task_id})
    assert await close(client, member, "try-again", task_id) == {"code": "NOT_FOUND", "field": "taskId"}
    async with app.transaction(member.actor) as session:
        await session.execute(text("update task set done_at = null where id = :id"), {"id": task_id})
    assert await close(client, member, "try-again", task_id) == {"id": str(task_id)}


@pytest.mark.rule("R7")
async def test_colleagues_may_choose_the_same_key(
    app: Database, owner: Database, worker: Database, keyring: Keyring, client: Client, member: MadeMember
) -> None:
    colleague = await make_member(owner, keyring, member.actor.agency_id)
    one, other = await put_task(app, worker, member), await put_task(app, worker, member)
    assert await close(client, member, "same-choice", one) == {"id": str(one)}
    assert await close(client, colleague, "same-choice", other) == {"id": str(other)}


@pytest.mark.rule("C5")
async def test_what_is_kept_of_a_request_says_nothing_of_its_content(
    app: Database, client: Client, member: MadeMember, keyring: Keyring
) -> None:
    """A survivor's name is part of the content: neither it nor a plain hash of it is stored."""
    answer = await client.ask(RECORD, {"key": "record-her", "name": "Canary"}, headers=member.headers)
    survivor_id = answer.data["recordSurvivor"]["id"]
    again = await client.ask(RECORD, {"key": "record-her", "name": "Canary"}, headers=member.headers)
    assert again.data["recordSurvivor"] == {"id": survivor_id}
    async with app.transaction(member.actor) as session:
        rows = await session.execute(
            text("select content_hash, row_to_json(kept)::text as kept from idempotency_key as kept")
        )
        hashes = {row.content_hash for row in rows if "anary" not in row.kept}
    assert len({len(found) for found in hashes}) == 1
    other_ring = Resources(app, HeldKeyring.generate(), FixedClock(CLOCK_STARTS_AT), Settings())
    async with serve(other_ring) as elsewhere:
        answer = await elsewhere.ask(RECORD, {"key": "record-her", "name": "Canary"}, headers=member.headers)
    assert answer.data["recordSurvivor"]["code"] == "IDEMPOTENCY_KEY_REUSED"

"""A request that is repeated with its key has one effect and one answer (R7)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from sqlalchemy import select

from referralnet.clock import FixedClock
from referralnet.database.acting import Member
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput
from referralnet.identity.idempotency import IdempotencyKey, IdempotencyKeyReused, find_result, keep_result
from referralnet.jobs import forget_keys
from tests.factories.identity import make_agency, make_member
from tests.factories.work import make_work

CONTENT = b"1" * 32


@pytest_asyncio.fixture(scope="module")
async def member(owner: Database, keyring: Keyring) -> Member:
    return (await make_member(owner, keyring, await make_agency(owner))).actor


async def request(
    app: Database, member: Member, key: str, *, mutation: str = "send", content: bytes = CONTENT, crash: bool = False
) -> tuple[UUID, bool]:
    """What the request made, and whether it made it just now."""
    async with app.transaction(member) as session:
        found = await find_result(session, key, mutation, content)
        if found is not None:
            return found, False
        made = uuid4()
        await keep_result(session, member, key, mutation=mutation, content_hash=content, result_id=made)
        if crash:
            raise RuntimeError
        return made, True


@pytest.mark.rule("R7")
async def test_a_repeated_request_finds_what_the_first_made(app: Database, member: Member) -> None:
    made, new = await request(app, member, "repeated-key")
    assert new
    assert await request(app, member, "repeated-key") == (made, False)


@pytest.mark.rule("R7")
async def test_requests_at_the_same_moment_have_one_effect(app: Database, member: Member) -> None:
    results = await asyncio.gather(*(request(app, member, "double-click") for _ in range(8)))
    assert len({made for made, _ in results}) == 1
    assert sum(new for _, new in results) == 1


@pytest.mark.rule("R7")
async def test_a_second_request_in_flight_waits_for_the_first_and_takes_its_answer(
    app: Database, member: Member
) -> None:
    async with app.transaction(member) as session:
        assert await find_result(session, "in-flight", "send", CONTENT) is None
        second = asyncio.create_task(request(app, member, "in-flight"))
        await asyncio.sleep(0.3)
        assert not second.done()
        made = uuid4()
        await keep_result(session, member, "in-flight", mutation="send", content_hash=CONTENT, result_id=made)
    assert await second == (made, False)


@pytest.mark.rule("R7")
@pytest.mark.parametrize("other", [{"content": b"2" * 32}, {"mutation": "withdraw"}])
async def test_a_key_used_again_for_something_else_is_refused(
    app: Database, member: Member, other: dict[str, str]
) -> None:
    key = f"key-for-{next(iter(other))}"
    await request(app, member, key)
    with pytest.raises(IdempotencyKeyReused) as caught:
        await request(app, member, key, **other)  # type: ignore[arg-type]
    assert caught.value.field == "idempotency_key"


@pytest.mark.rule("R7")
async def test_a_key_is_kept_for_a_day_and_then_forgotten(
    app: Database, worker: Database, keyring: Keyring, member: Member
) -> None:
    made, _ = await request(app, member, "kept-for-a-day")
    async with app.transaction(member) as session:
        kept = select(IdempotencyKey.created_at).where(IdempotencyKey.key == "kept-for-a-day")
        created_at = await session.scalar(kept)
    assert created_at is not None
    clock = FixedClock(created_at + timedelta(hours=24, microseconds=-1))
    work = make_work(worker, keyring, clock)
    await forget_keys.run(work)
    assert await request(app, member, "kept-for-a-day") == (made, False)
    clock.advance(timedelta(microseconds=1))
    assert await forget_keys.run(work) >= 1
    again, new = await request(app, member, "kept-for-a-day")
    assert new
    assert again != made


async def test_a_request_that_failed_may_be_tried_again_with_its_key(app: Database, member: Member) -> None:
    with pytest.raises(RuntimeError):
        await request(app, member, "crashed-key", crash=True)
    assert (await request(app, member, "crashed-key"))[1]


async def test_two_members_may_choose_the_same_key(
    app: Database, owner: Database, keyring: Keyring, member: Member
) -> None:
    colleague = (await make_member(owner, keyring, member.agency_id)).actor
    first, _ = await request(app, member, "same-choice")
    second, new = await request(app, colleague, "same-choice")
    assert new
    assert first != second


@pytest.mark.parametrize("key", ["", "1234567", "x" * 129])
async def test_a_key_too_short_or_too_long_is_refused_with_its_field(app: Database, member: Member, key: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await request(app, member, key)
    assert caught.value.field == "idempotency_key"

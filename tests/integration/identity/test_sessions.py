"""Sessions live on the server: they end when idle, after their time, and the moment somebody ends them."""

from __future__ import annotations

from datetime import timedelta

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referralnet.clock import FixedClock
from referralnet.database.acting import Member, Operator, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.identity.sessions import SessionKind, find_member, open_session, revoke
from tests.factories.identity import MadeMember, make_agency, make_member

IDLE = timedelta(minutes=30)
API_IDLE = timedelta(hours=72)
HALF_DAY = timedelta(hours=12)


@pytest_asyncio.fixture
async def made(owner: Database, keyring: Keyring, clock: FixedClock) -> MadeMember:
    return await make_member(
        owner, keyring, await make_agency(owner), now=clock.now(), session_kind=SessionKind.BROWSER
    )


async def find(app: Database, token: str, clock: FixedClock) -> Member | None:
    """As at the edge: whoever is found is using the session."""
    async with app.alone() as asking:
        return await find_member(asking, token, idle=IDLE, api_idle=API_IDLE, now=clock.now())


async def open_for(app: Database, made: MadeMember, kind: SessionKind, lifetime: timedelta, clock: FixedClock) -> str:
    async with app.transaction(made.actor) as session:
        opened = await open_session(session, made.actor.member_id, kind, lifetime=lifetime, now=clock.now())
    return opened.token


@pytest.mark.rule("A6")
async def test_half_an_hour_unused_ends_a_browser_session(app: Database, made: MadeMember, clock: FixedClock) -> None:
    clock.advance(IDLE - timedelta(seconds=1))
    assert await find(app, made.token, clock) == made.actor
    clock.advance(IDLE)
    assert await find(app, made.token, clock) is None


@pytest.mark.rule("A6")
async def test_use_keeps_a_session_open_and_twelve_hours_end_it_all_the_same(
    app: Database, made: MadeMember, clock: FixedClock
) -> None:
    token = await open_for(app, made, SessionKind.BROWSER, HALF_DAY, clock)
    actor = await find(app, token, clock)
    assert actor is not None
    for _ in range(35):
        clock.advance(timedelta(minutes=20))
        assert await find(app, token, clock) == actor
    clock.advance(timedelta(minutes=20))
    assert await find(app, token, clock) is None


@pytest.mark.rule("A6")
async def test_a_look_that_is_no_use_keeps_no_session_open(app: Database, made: MadeMember, clock: FixedClock) -> None:
    for _ in range(3):
        clock.advance(timedelta(minutes=9))
        async with app.alone() as asking:
            looked = await find_member(asking, made.token, idle=IDLE, api_idle=API_IDLE, now=clock.now(), in_use=False)
        assert looked == made.actor
    clock.advance(timedelta(minutes=3))
    assert await find(app, made.token, clock) is None


@pytest.mark.rule("A6")
async def test_a_programs_token_outlives_a_weekend_and_ends_when_nobody_uses_it(
    app: Database, made: MadeMember, clock: FixedClock
) -> None:
    token = await open_for(app, made, SessionKind.API, timedelta(days=30), clock)
    clock.advance(API_IDLE - timedelta(seconds=1))
    assert await find(app, token, clock) is not None
    clock.advance(API_IDLE)
    assert await find(app, token, clock) is None


@pytest.mark.rule("A6")
async def test_a_programs_token_ends_by_its_date_however_often_it_is_used(
    app: Database, made: MadeMember, clock: FixedClock
) -> None:
    token = await open_for(app, made, SessionKind.API, timedelta(days=30), clock)
    for _ in range(14):
        clock.advance(timedelta(days=2))
        actor = await find(app, token, clock)
        assert actor is not None
    clock.advance(timedelta(days=2))
    assert await find(app, token, clock) is None


@pytest.mark.rule("A6")
@pytest.mark.parametrize(
    ("kind", "lifetime"), [(SessionKind.BROWSER, timedelta(hours=12)), (SessionKind.API, timedelta(days=90))]
)
async def test_the_database_refuses_a_session_that_would_last_longer(
    app: Database, made: MadeMember, clock: FixedClock, kind: SessionKind, lifetime: timedelta
) -> None:
    await open_for(app, made, kind, lifetime, clock)
    with pytest.raises(DBAPIError, match="member_session_ends"):
        await open_for(app, made, kind, lifetime + timedelta(seconds=1), clock)


@pytest.mark.rule("A6")
async def test_a_session_that_was_ended_speaks_for_nobody_and_the_others_go_on(
    app: Database, owner: Database, made: MadeMember, clock: FixedClock
) -> None:
    other = await open_for(app, made, SessionKind.BROWSER, HALF_DAY, clock)
    async with app.transaction(made.actor) as session:
        await revoke(session, made.actor, now=clock.now())
    assert await find(app, made.token, clock) is None
    assert await find(app, other, clock) is not None
    async with owner.transaction(Operator()) as session:
        actions = await session.scalars(
            text("select action from audit_event where subject_id = :id"), {"id": made.actor.session_id}
        )
        assert list(actions) == ["signed_out"]


@pytest.mark.parametrize("token", ["", "x", "\N{SNOWMAN}", "a" * 10_000])
async def test_a_made_up_token_speaks_for_nobody(app: Database, token: str, clock: FixedClock) -> None:
    assert await find(app, token, clock) is None


@pytest.mark.rule("A3")
async def test_disabling_a_member_or_closing_an_agency_ends_open_sessions(
    app: Database, owner: Database, keyring: Keyring, clock: FixedClock
) -> None:
    for statement in (
        "update member set disabled_at = now() where id = :member",
        "update agency set active = false where id = (select agency_id from member where id = :member)",
    ):
        made = await make_member(owner, keyring, await make_agency(owner), now=clock.now())
        assert await find(app, made.token, clock) is not None
        async with owner.transaction(Operator()) as session:
            await session.execute(text(statement), {"member": made.actor.member_id})
        assert await find(app, made.token, clock) is None


@pytest.mark.rule("A3")
async def test_a_changed_role_is_the_role_of_the_next_request(
    app: Database, owner: Database, made: MadeMember, clock: FixedClock
) -> None:
    async with owner.transaction(Operator()) as session:
        await session.execute(
            text("update member set roles = '{auditor}' where id = :id"), {"id": made.actor.member_id}
        )
    found = await find(app, made.token, clock)
    assert found is not None
    assert found.roles == {Role.AUDITOR}


async def test_a_member_sees_and_ends_own_sessions_alone(
    app: Database, owner: Database, keyring: Keyring, made: MadeMember
) -> None:
    colleague = await make_member(owner, keyring, made.actor.agency_id)
    async with app.transaction(made.actor) as session:
        assert list(await session.scalars(text("select id from member_session"))) == [made.actor.session_id]
        ended = await session.execute(text("update member_session set revoked_at = now() returning id"))
        assert [row.id for row in ended] == [made.actor.session_id]
    async with owner.transaction(Operator()) as session:
        revoked = await session.scalar(
            text("select revoked_at from member_session where id = :id"), {"id": colleague.actor.session_id}
        )
    assert revoked is None


async def test_reading_does_not_write_at_every_request(
    app: Database, owner: Database, made: MadeMember, clock: FixedClock
) -> None:
    began = clock.now()
    seen = []
    for seconds in (30, 30, 31):
        clock.advance(timedelta(seconds=seconds))
        await find(app, made.token, clock)
        async with owner.transaction(Operator()) as session:
            at = text("select last_seen_at from member_session where id = :id")
            seen.append(await session.scalar(at, {"id": made.actor.session_id}))
    assert seen == [began, began, began + timedelta(seconds=91)]

"""Auditors read their own agency's trail, by time, by whom and by what; and are told how its chain stands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from referralnet.audit.chain import seal_trail
from referralnet.audit.checking import check_chain, plan_checks, waiting_checks
from referralnet.audit.recording import Action, record
from referralnet.audit.searching import READINGS, TrailSearch, ask_for_check, export_trail, search_trail, trail_state
from referralnet.database.acting import Dispatcher, Member, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from tests.databases import DatabaseUrls
from tests.factories.identity import make_agency, make_member
from tests.factories.messaging import superuser


async def staff(owner: Database, keyring: Keyring) -> tuple[Member, Member]:
    """An auditor and a coordinator of one agency."""
    agency_id = await make_agency(owner)
    both = [await make_member(owner, keyring, agency_id, (role,)) for role in (Role.AUDITOR, Role.COORDINATOR)]
    return both[0].actor, both[1].actor


async def acts(app: Database, actor: Member, *actions: Action) -> None:
    for action in actions:
        async with app.transaction(actor) as session:
            await record(session, action, "survivor", uuid4(), categories=["needs"])


@pytest.mark.rule("U3")
async def test_the_trail_is_turned_page_by_page_and_narrowed(app: Database, owner: Database, keyring: Keyring) -> None:
    auditor, coordinator = await staff(owner, keyring)
    await acts(app, coordinator, *[Action.SURVIVOR_RECORDED] * 5, Action.SURVIVOR_REVEALED)
    async with app.transaction(auditor) as session:
        found, after = [], None
        while page := await search_trail(session, TrailSearch(), after=after, first=4):
            found += page
            after = page[-1].position
        assert len({row.id for row in found}) == 6
        assert [row.at for row in found] == sorted((row.at for row in found), reverse=True)
        readings = await search_trail(session, TrailSearch(actions=READINGS), first=10)
        assert [row.action for row in readings] == ["survivor_revealed"]
        by_another = TrailSearch(member_id=auditor.member_id)
        assert await search_trail(session, by_another, first=10) == []
        later = TrailSearch(since=datetime.now(UTC) + timedelta(days=1))
        assert await search_trail(session, later, first=10) == []


@pytest.mark.rule("A1")
async def test_nobody_else_reads_it_and_no_auditor_that_of_another_agency(
    app: Database, owner: Database, keyring: Keyring
) -> None:
    auditor, coordinator = await staff(owner, keyring)
    stranger, _ = await staff(owner, keyring)
    await acts(app, coordinator, Action.SURVIVOR_REVEALED)
    for actor, seen in ((auditor, 1), (coordinator, 0), (stranger, 0)):
        async with app.transaction(actor) as session:
            assert len(await search_trail(session, TrailSearch(), first=10)) == seen
            assert (await trail_state(session) is not None) is (actor is not coordinator)


async def test_what_is_taken_along_stands_in_the_trail_itself(app: Database, owner: Database, keyring: Keyring) -> None:
    auditor, coordinator = await staff(owner, keyring)
    await acts(app, coordinator, Action.SURVIVOR_REVEALED)
    async with app.transaction(auditor) as session:
        serial, rows = await export_trail(session, TrailSearch())
    assert len(rows) == 1
    async with app.transaction(auditor) as session:
        (newest, *_) = await search_trail(session, TrailSearch(), first=1)
    assert (newest.action, newest.subject_id, newest.detail["rows"]) == ("trail_exported", serial, 1)


@pytest.mark.rule("U2")
async def test_an_auditor_sees_how_far_the_chain_reaches_and_where_it_breaks(
    app: Database, owner: Database, worker: Database, keyring: Keyring, database_urls: DatabaseUrls
) -> None:
    auditor, coordinator = await staff(owner, keyring)
    await acts(app, coordinator, *[Action.SURVIVOR_RECORDED] * 3)
    now = datetime.now(UTC)
    async with app.transaction(auditor) as session:
        state = await trail_state(session)
        assert state is not None
        assert (state.events, state.links, state.checked_at) == (3, 0, None)
    async with worker.transaction(Dispatcher()) as session:
        while await seal_trail(session):
            pass
    assert await checked(app, worker, auditor, now) == (5, None)  # and that she asked for it, twice
    async with superuser(database_urls) as db:
        await db.execute("alter table audit_event disable trigger append_only")
        edited = "update audit_event set action = 'signed_in' where agency_id = $1 and action = 'survivor_recorded'"
        await db.execute(edited, auditor.agency_id)
        await db.execute("alter table audit_event enable trigger append_only")
    assert await checked(app, worker, auditor, now + timedelta(seconds=1)) == (0, 1)


async def checked(app: Database, worker: Database, auditor: Member, now: datetime) -> tuple[int | None, int | None]:
    for _ in range(2):  # asked twice it is made once
        async with app.transaction(auditor) as session:
            await ask_for_check(session, auditor.agency_id, auditor.member_id, now=now)
    async with worker.transaction(Dispatcher()) as session:
        while await seal_trail(session):
            pass
        for waiting in await waiting_checks(session):
            await check_chain(session, waiting.id, now=now)
    async with app.transaction(auditor) as session:
        state = await trail_state(session)
    assert state is not None
    assert (state.asked_at, state.checked_at) == (None, now)
    return state.checked_links, state.broken_at


@pytest.mark.rule("U2")
async def test_each_chain_is_checked_once_a_day(owner: Database, worker: Database, keyring: Keyring) -> None:
    auditor, _ = await staff(owner, keyring)
    now = datetime.now(UTC)
    for later, planned in ((0, 1), (23, 1), (25, 2)):
        async with worker.transaction(Dispatcher()) as session:
            await plan_checks(session, every=timedelta(days=1), now=now + timedelta(hours=later))
            for waiting in await waiting_checks(session):
                await check_chain(session, waiting.id, now=now + timedelta(hours=later))
            made = text("select count(*) from trail_check where agency_id = :id")
            assert await session.scalar(made, {"id": auditor.agency_id}) == planned


MUCH = """
    insert into audit_event (agency_id, member_id, action, subject_kind, subject_id, at)
    select case when n % 2 = 0 then $1::uuid else gen_random_uuid() end, case when n % 6 = 0 then $2::uuid else $3 end,
           (array['signed_in', 'task_closed', 'survivor_revealed'])[1 + n / 6 % 3],
           (array['survivor', 'member'])[1 + n % 5 / 4], gen_random_uuid(), now() - n * interval '1 minute'
      from generate_series(1, 20000) n
"""


READ_SO_FAR = "select idx_tup_fetch from pg_stat_xact_user_tables where relname = 'audit_event'"


async def test_a_page_of_a_long_trail_reads_no_more_events_than_it_could_show(
    app: Database, owner: Database, keyring: Keyring, database_urls: DatabaseUrls
) -> None:
    auditor, coordinator = await staff(owner, keyring)
    async with superuser(database_urls) as db:
        await db.execute(MUCH, auditor.agency_id, coordinator.member_id, auditor.member_id)
        await db.execute("vacuum analyze audit_event")
    signed_in, readings = (Action.SIGNED_IN,), READINGS
    for search in (
        TrailSearch(),
        TrailSearch(actions=signed_in),
        TrailSearch(actions=readings),
        TrailSearch(member_id=coordinator.member_id),
        TrailSearch(member_id=coordinator.member_id, actions=readings),
        TrailSearch(member_id=auditor.member_id, actions=signed_in),
        TrailSearch(subject_kind="member"),
    ):
        async with app.transaction(auditor) as session:
            before = await session.scalar(text(READ_SO_FAR))
            await search_trail(session, search, first=50)
            read = await session.scalar(text(READ_SO_FAR)) - before
            assert 50 <= read <= 50 * max(len(search.actions), 1), search
            assert await session.scalar(text("show enable_bitmapscan")) == "on", "nothing else is planned so"

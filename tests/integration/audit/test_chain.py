"""The chain over the trail: sealed in order behind any number of writers, and every way to tamper with it is found."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from sqlalchemy import text

from referralnet.audit.chain import BrokenLink, seal_trail
from referralnet.audit.recording import Action, record
from referralnet.database.acting import Custodian, Dispatcher, Operator
from tests.databases import Server
from tests.factories.identity import make_agency
from tests.factories.rows import connect_as_superuser
from tests.factories.trail import Trail, fresh_trail


async def test_every_agency_has_a_chain_of_its_own_that_holds(postgres: Server) -> None:
    async with fresh_trail(postgres) as (trail, one):
        other = await make_agency(trail.owner)
        await trail.write(one, 3)
        await trail.write(other, 2)
        assert await trail.waiting() == 5
        assert await trail.seal() == 5
        assert await trail.waiting() == 0
        assert await trail.verify() == (5, [])
        async with trail.owner.transaction(Operator()) as session:
            rows = await session.execute(text("select agency_id, position from audit_link order by position"))
            positions = sorted((row.agency_id, row.position) for row in rows)
    assert positions == sorted([(one, 1), (one, 2), (one, 3), (other, 1), (other, 2)])


async def test_a_later_sealing_goes_on_where_the_last_one_ended(postgres: Server) -> None:
    async with fresh_trail(postgres) as (trail, agency):
        await trail.write(agency, 5)
        assert [await trail.seal(events_max=2) for _ in range(4)] == [2, 2, 1, 0]
        await trail.write(agency)
        assert await trail.seal() == 1
        assert await trail.verify() == (6, [])
        async with trail.owner.transaction(Operator()) as session:
            numbers = await session.scalars(
                text("select detail ->> 'number' from audit_link join audit_event on id = event_id order by position")
            )
            assert list(numbers) == ["0", "1", "2", "3", "4", "0"]


@pytest.mark.rule("U2")
async def test_writers_and_sealers_at_the_same_moment_leave_one_whole_chain(postgres: Server) -> None:
    async with fresh_trail(postgres) as (trail, agency):
        other = await make_agency(trail.owner)
        steps = [trail.write(one, 5) for one in (agency, other) for _ in range(10)] + [trail.seal(7) for _ in range(20)]
        await asyncio.gather(*steps)
        while await trail.seal():
            pass
        assert await trail.waiting() == 0
        assert await trail.verify() == (100, [])


async def test_a_writer_does_not_wait_for_the_sealer(postgres: Server) -> None:
    async with fresh_trail(postgres) as (trail, agency):
        await trail.write(agency, 2)
        async with trail.worker.transaction(Dispatcher()) as session:
            assert await seal_trail(session) == 2
            await asyncio.wait_for(trail.write(agency), timeout=10)
            assert await trail.seal() == 0  # one sealer at a time
        assert await trail.seal() == 1
        assert await trail.verify() == (3, [])


@pytest.mark.rule("U2")
async def test_an_event_whose_transaction_ends_late_is_linked_behind_those_that_came_after_it(postgres: Server) -> None:
    async with fresh_trail(postgres) as (trail, agency):
        async with trail.worker.transaction(Custodian(agency)) as late:
            await record(late, Action.TEXT_SENT, "text_message", uuid4())
            await late.flush()
            await trail.write(agency, 2)
            assert await trail.seal() == 2
        assert await trail.seal() == 1
        assert await trail.seal() == 0
        assert await trail.waiting() == 0
        assert await trail.verify() == (3, [])


async def test_what_stands_in_chains_is_not_read_to_link_what_is_new(postgres: Server) -> None:
    async with fresh_trail(postgres) as (trail, agency):
        await trail.write(agency, 3)
        await trail.seal()
        await trail.tamper(
            "insert into audit_event (agency_id, action, subject_kind, subject_id)"
            f" select '{agency}', 'text_sent', 'text_message', gen_random_uuid() from generate_series(1, 5000)",
            "insert into audit_link (agency_id, position, event_id, hash) select agency_id, 3 + row_number() over (),"
            " id, hash from audit_event, (select hash from audit_link limit 1) one"
            " where not exists (select from audit_link where event_id = id)",
        )
        await trail.tamper("analyze audit_event", "analyze audit_link", "analyze audit_waiting")
        await trail.write(agency, 3)
        await trail.worker.engine.dispose()
        before = await rows_read(trail)
        assert await trail.seal() == 3
        await trail.worker.engine.dispose()
        assert 3 <= await rows_read(trail, more_than=before) - before < 100
        assert await trail.waiting() == 0


async def rows_read(trail: Trail, more_than: int = 0) -> int:
    """Of events and links. A server process tells of them at the latest when it ends."""
    db = await connect_as_superuser(trail.urls)
    try:
        while True:
            count: int = await db.fetchval(
                "select sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) from pg_stat_user_tables"
                " where relname in ('audit_event', 'audit_link')"
            )
            workers = await db.fetchval("select count(*) from pg_stat_activity where usename = 'referralnet_worker'"
                                        " and datname = current_database()")  # fmt: skip
            if not workers and count >= more_than:
                return count
            await db.execute("select pg_stat_clear_snapshot()")
            await asyncio.sleep(0.01)
    finally:
        await db.close()


EDITS = {
    "an action": "update audit_event set action = 'x' where id = (select event_id from audit_link where position = 3)",
    "a member": "update audit_event set member_id = gen_random_uuid()"
    " where id = (select event_id from audit_link where position = 3)",
    "a time": "update audit_event set at = at - interval '1 microsecond'"
    " where id = (select event_id from audit_link where position = 3)",
    "a subject": "update audit_event set subject_id = gen_random_uuid()"
    " where id = (select event_id from audit_link where position = 3)",
    "a detail": "update audit_event set detail = '{}' where id = (select event_id from audit_link where position = 3)",
    "a hash": r"update audit_link set hash = '\x00' where position = 3",
    "the order": "update audit_link set event_id = case position"
    " when 3 then (select event_id from audit_link where position = 4)"
    " else (select event_id from audit_link where position = 3) end where position in (3, 4)",
}


@pytest.mark.rule("U2")
@pytest.mark.parametrize("edited", EDITS)
async def test_an_edit_is_found_where_it_was_made(postgres: Server, edited: str) -> None:
    async with fresh_trail(postgres) as (trail, agency):
        await trail.write(agency, 5)
        await trail.seal()
        await trail.tamper("alter table audit_link drop constraint audit_link_event_id_key", EDITS[edited])
        assert await trail.verify() == (2, [BrokenLink(agency, 3, "the event or a link was edited")])


@pytest.mark.rule("U2")
async def test_a_deleted_event_and_a_missing_link_are_found(postgres: Server) -> None:
    async with fresh_trail(postgres) as (trail, agency):
        other = await make_agency(trail.owner)
        await trail.write(agency, 4)
        await trail.write(other, 4)
        await trail.seal()
        await trail.tamper(
            f"delete from audit_event where id ="
            f" (select event_id from audit_link where position = 2 and agency_id = '{agency}')",
            f"delete from audit_link where position = 3 and agency_id = '{other}'",
        )
        held, broken = await trail.verify()
    assert held == 3
    assert sorted(broken, key=lambda found: found.position) == [
        BrokenLink(agency, 2, "the event is missing"),
        BrokenLink(other, 3, "a link is missing"),
    ]


@pytest.mark.rule("U2")
async def test_an_event_removed_with_its_link_and_the_rest_moved_up_is_found(postgres: Server) -> None:
    async with fresh_trail(postgres) as (trail, agency):
        await trail.write(agency, 5)
        await trail.seal()
        await trail.tamper(
            "delete from audit_event where id = (select event_id from audit_link where position = 2)",
            "delete from audit_link where position = 2",
            "update audit_link set position = position - 1 where position = 3",
            "update audit_link set position = position - 1 where position = 4",
            "update audit_link set position = position - 1 where position = 5",
        )
        assert await trail.verify() == (1, [BrokenLink(agency, 2, "the event or a link was edited")])


@pytest.mark.rule("U2")
async def test_the_first_links_of_a_chain_cannot_be_cut_off(postgres: Server) -> None:
    async with fresh_trail(postgres) as (trail, agency):
        await trail.write(agency, 3)
        await trail.seal()
        await trail.tamper(
            "delete from audit_event where id = (select event_id from audit_link where position = 1)",
            "delete from audit_link where position = 1",
        )
        assert await trail.verify() == (0, [BrokenLink(agency, 1, "a link is missing")])

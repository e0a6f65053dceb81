"""Texts that have gone, however many, do not slow down those that are to go: no look reads their tables whole."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from referralnet.clock import FixedClock
from referralnet.database.acting import Custodian
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.jobs import (
    apply_callbacks,
    ask_about_texts,
    erase_texts,
    forget_callbacks,
    plan_texts,
    read_inbound,
    reconfirm_contacts,
    replan_texts,
    send_texts,
    settle_unknown,
    sweep_leases,
    watch_carrier,
)
from referralnet.jobs.work import Work
from referralnet.messaging.cancelling import cancel_texts
from referralnet.messaging.carriers import Ambiguous, Report, Written
from referralnet.messaging.outbox import Turn
from referralnet.messaging.reading import list_texts, list_texts_to
from referralnet.messaging.receiving import keep_callback, keep_inbound
from referralnet.messaging.sending import Sender, send_text
from referralnet.messaging.tables import TextState
from tests.factories.messaging import Case, superuser
from tests.integration.messaging.conftest import Desk, RememberingCarrier

PAST = 20_000
LIVING = """select count(*) from pg_stat_activity
    where usename = $1 and datname = current_database() and backend_start > $2"""
BIG = ("text_message", "carrier_callback", "inbound_text", "notice")
# As they stand once nothing can arrive about them any more, a year ago.
FILL = (
    """insert into text_message (id, agency_id, survivor_id, subject_id, kind, priority, due_at, claimable_at,
         send_before, occurrence, state, state_at, fence, attempts, carrier_sid, created_at, erased_at,
         carrier_erased_at, told_at)
       select gen_random_uuid(), $2, gen_random_uuid(), gen_random_uuid(), 'appointment_reminder', 1, past, past,
         past + interval '1 hour', '{}', case when number % 50 = 0 then 'unknown' else 'delivered' end, past, 1, 1,
         gen_random_uuid()::text, past, past, past, past
       from generate_series(1, $1::int) number, lateral (select now() - interval '1 year' - number * interval '1 minute'
         as past) moment""",
    """insert into carrier_callback (id, text_id, carrier_sid, status, received_at, handled_at)
       select gen_random_uuid(), gen_random_uuid(), gen_random_uuid()::text, 'delivered', now(), now()
       from generate_series(1, $1::int) number where $2::uuid is not null""",
    """insert into inbound_text (id, carrier_sid, received_at, handled_at, carrier_erased_at)
       select gen_random_uuid(), gen_random_uuid()::text, now() - interval '1 year', now() - interval '1 year', now()
       from generate_series(1, $1::int) number where $2::uuid is not null""",
    """insert into notice (id, agency_id, referral_id, kind, occurrence, created_at, handled_at)
       select gen_random_uuid(), $2, gen_random_uuid(), 'referral_news', '{}', now(), now()
       from generate_series(1, $1::int) number""",
)


@pytest.fixture
async def case(desk: Desk, arrange: Callable[..., Awaitable[Case]]) -> Case:
    """A survivor with texts that are due, among very many that have gone."""
    made = await arrange()
    async with superuser(desk.urls) as db:
        if not await db.fetchval("select exists (select from text_message where erased_at is not null)"):
            for fill in FILL:
                await db.execute(fill, PAST, made.agency_id)
        await db.execute(f"analyze {', '.join(BIG)}")
    await desk.tell(made)
    return made


async def read_whole(desk: Desk, role: str, look: Callable[[Database], Awaitable[object]]) -> dict[str, int]:
    """How often each big table was read from end to end while connections of a role of their own did something."""
    async with superuser(desk.urls) as db:
        before = await _counted(db)
        database = Database(getattr(desk.urls, role))
        await look(database)
        await database.close()
        # A server process tells what it read at the latest when it ends.
        while await db.fetchval(LIVING, f"referralnet_{role}", before["at"]):  # noqa: ASYNC110 (another process ends)
            await asyncio.sleep(0.01)
        after = await _counted(db)
    return {table: after[table] - before[table] for table in BIG if after[table] != before[table]}


async def _counted(db: Any) -> dict[str, Any]:
    await db.execute("select pg_stat_clear_snapshot()")
    rows = await db.fetch("select relname, seq_scan from pg_stat_user_tables where relname = any($1)", list(BIG))
    return {row["relname"]: row["seq_scan"] for row in rows} | {"at": await db.fetchval("select clock_timestamp()")}


async def test_no_look_of_the_worker_reads_what_has_gone(
    desk: Desk, case: Case, carrier: RememberingCarrier, keyring: Keyring, clock: FixedClock
) -> None:
    async with desk.app.transaction(case.coordinator) as session:
        report = Report("SMx", TextState.DELIVERED, None)
        await keep_callback(session, text_id=case.referral_id, report=report, now=clock.now())
        await keep_inbound(session, keyring, Written("IN", case.phone, "1"), now=clock.now())

    async def work_through(database: Database) -> None:
        sender = Sender(database, carrier, keyring, clock, "http://127.0.0.1:1")
        work = Work(sender, texts_at_once=2, text_unlisted_seconds=900)
        assert await plan_texts.run(work)
        carrier.fails_with = Ambiguous()
        await send_text(sender, Turn(case.agency_id, 1, 1))
        carrier.fails_with = None
        for job in (
            send_texts, sweep_leases, settle_unknown, apply_callbacks, read_inbound, replan_texts, reconfirm_contacts,
            watch_carrier, forget_callbacks, erase_texts,
        ):  # fmt: skip
            await job.run(work)
        clock.advance(timedelta(days=8))
        for job in (sweep_leases, settle_unknown, ask_about_texts, erase_texts):
            await job.run(work)
        async with database.transaction(Custodian(case.agency_id)) as session:
            await cancel_texts(session, survivor_id=case.survivor_id, reason="consent_withdrawn", now=clock.now())

    assert await read_whole(desk, "worker", work_through) == {}
    assert await desk.texts(case), "or nothing was looked at"


async def test_what_became_of_the_texts_of_one_case_is_read_by_an_index(desk: Desk, case: Case) -> None:
    async def read(database: Database) -> None:
        async with database.transaction(case.coordinator) as session:
            await list_texts(session, case.referral_id)
            await list_texts_to(session, case.survivor_id)
            await cancel_texts(session, subject_id=case.referral_id, reason="superseded", now=desk.clock.now())

    assert await read_whole(desk, "app", read) == {}


async def test_a_read_of_the_whole_table_would_be_found(desk: Desk, case: Case) -> None:
    async def count(database: Database) -> None:
        async with database.transaction(Custodian(case.agency_id)) as session:
            await session.execute(text("select count(*) from text_message where attempts = 7"))

    assert await read_whole(desk, "worker", count) == {"text_message": 1}


async def test_reports_of_the_carrier_are_forgotten_when_they_are_old(desk: Desk, sender: Sender) -> None:
    await desk.alter("delete from carrier_callback")
    for handled_at in (None, desk.clock.now() - timedelta(days=29), desk.clock.now() - timedelta(days=31)):
        await desk.alter(
            "insert into carrier_callback (id, text_id, carrier_sid, status, received_at, handled_at)"
            " values (gen_random_uuid(), gen_random_uuid(), gen_random_uuid()::text, 'sent', $1, $2)",
            desk.clock.now(), handled_at,
        )  # fmt: skip
    assert await forget_callbacks.run(Work(sender, texts_at_once=1, text_unlisted_seconds=900)) == 1
    assert len(await desk.look("select from carrier_callback")) == 2


async def test_what_waits_is_cleaned_up_behind_however_large_its_table_has_grown(desk: Desk) -> None:
    """Once a vacuum is done as the table asks for it, a look reads as little as before."""
    for table in (*BIG, "task"):
        (row,) = await desk.look("select coalesce(array_to_string(reloptions, ' '), '') as options from pg_class"
                                 " where oid = $1::regclass", table)  # fmt: skip
        options = dict(option.split("=") for option in row["options"].split())
        assert float(options["autovacuum_vacuum_scale_factor"]) == 0, table
        assert 0 < int(options["autovacuum_vacuum_threshold"]) <= 100_000, table
        assert options["vacuum_index_cleanup"] in ("on", "true"), table

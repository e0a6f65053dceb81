"""A worker that is cut off from its database stops sending, and nothing is doubled when it comes back (M5)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from referralnet.database.transactions import Database
from referralnet.encryption.held_keyring import HeldKeyring
from referralnet.jobs import sweep_leases
from tests.databases import DatabaseUrls, Server
from tests.factories.messaging import superuser
from tests.factories.work import make_work
from tests.faults.arranging import Nursery, let_go, make_due_texts, settle, worker_settings
from tests.faults.local_carrier import LocalCarrier
from tests.faults.silent_proxy import silent_proxy
from tests.faults.test_worker_kills import Report, look

TEXTS = 60
STOPS_WITHIN_SECONDS = 10
LOOKED_FOR_SECONDS = 4


async def taken(carrier: LocalCarrier, count: int) -> None:
    while carrier.counts.total() < count:  # noqa: ASYNC110 (another process sends)
        await asyncio.sleep(0.01)


@pytest.mark.slow
@pytest.mark.rule("M5")
async def test_a_worker_that_is_cut_off_sends_nothing_more_and_doubles_nothing_when_it_comes_back(
    postgres: Server, database_urls: DatabaseUrls, worker: Database, keyring: HeldKeyring,
    local_carrier: LocalCarrier, tmp_path: Path,
) -> None:  # fmt: skip
    local_carrier.seconds_max = 0.3
    await make_due_texts(database_urls, worker, keyring, survivors=2, texts_each=TEXTS // 2, within=timedelta(hours=1))
    async with silent_proxy(postgres.sockets) as proxy:
        url = make_url(database_urls.worker).set(query={"host": proxy.sockets})
        settings = worker_settings(database_urls, keyring, local_carrier.base_url) | {
            "database_worker_url": url.render_as_string(hide_password=False), "database_command_timeout_seconds": "3",
        }  # fmt: skip
        nursery = Nursery(settings, tmp_path / "workers.log")
        try:
            nursery.start_worker()
            await let_go(database_urls, TEXTS)
            await taken(local_carrier, TEXTS // 6)
            proxy.fall_silent()
            await asyncio.sleep(STOPS_WITHIN_SECONDS)
            stopped_at = local_carrier.counts.total()
            await asyncio.sleep(LOOKED_FOR_SECONDS)
            assert local_carrier.counts.total() == stopped_at < TEXTS
            proxy.heal()
            await settle(database_urls, worker, keyring, local_carrier.base_url)
        finally:
            nursery.close()
    report = Report()
    await look(database_urls, local_carrier, report)
    assert (report.lost, report.doubled) == ([], [])
    assert set(report.states) <= {"accepted", "sent", "failed"}, report.states
    assert report.states["accepted"] > stopped_at, "it went on by itself"


@pytest.mark.rule("M5")
async def test_a_text_that_somebody_cut_off_holds_keeps_no_other_from_being_seen(
    database_urls: DatabaseUrls, worker: Database, keyring: HeldKeyring, capsys: pytest.CaptureFixture[str]
) -> None:
    await make_due_texts(database_urls, worker, keyring, survivors=1, texts_each=2, within=timedelta(seconds=0))
    work = make_work(worker, keyring)
    state = "select state from text_message where id = $1"
    async with superuser(database_urls) as db, superuser(database_urls) as cut_off:
        rows = await db.fetch(
            "update text_message set state = 'claimed', attempts = 1, lease_until = now() - interval '1 s'"
            " where state = 'scheduled' returning id"
        )
        held, other = (row["id"] for row in rows)
        async with cut_off.transaction():
            await cut_off.execute("select from text_message where id = $1 for update", held)
            await sweep_leases.run(work)
            assert "one_of_many_failed" not in "".join(capsys.readouterr()), "it did not wait for its turn in vain"
            assert [await db.fetchval(state, each) for each in (held, other)] == ["claimed", "unknown"]
        await sweep_leases.run(work)
        assert await db.fetchval(state, held) == "unknown"
        assert await db.fetchval("select count(*) from task where subject_id = any($1)", [held, other]) == 2

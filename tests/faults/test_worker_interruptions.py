"""What a worker survives, and how it stops: connections cut under it, new rows, SIGTERM."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from referralnet.database.transactions import Database
from referralnet.encryption.held_keyring import HeldKeyring
from tests.databases import DatabaseUrls
from tests.factories.messaging import superuser
from tests.faults.arranging import Nursery, make_due_texts, settle, worker_settings
from tests.faults.local_carrier import LocalCarrier

# The carrier's timeout, and what a machine that is busy with other things takes to write down what became of it.
DRAINED_SECONDS_MAX = 20
LISTENING = """
    select count(*) from pg_stat_activity
    where usename = 'referralnet_worker' and datname = current_database() and query ilike 'listen%'
"""
CUT_ALL = """
    select count(pg_terminate_backend(pid)) from pg_stat_activity
    where usename = 'referralnet_worker' and datname = current_database()
"""


async def states(urls: DatabaseUrls) -> Counter[str]:
    async with superuser(urls) as db:
        rows = await db.fetch("select state, count(*) as count from text_message group by state")
    return Counter({row["state"]: row["count"] for row in rows})


@pytest.mark.slow
@pytest.mark.rule("M5")
async def test_a_worker_whose_connections_are_cut_again_and_again_goes_on_and_doubles_nothing(
    database_urls: DatabaseUrls, worker: Database, keyring: HeldKeyring, local_carrier: LocalCarrier, tmp_path: Path
) -> None:
    await make_due_texts(database_urls, worker, keyring, survivors=2, texts_each=30, within=timedelta(seconds=5))
    nursery = Nursery(worker_settings(database_urls, keyring, local_carrier.base_url), tmp_path / "workers.log")
    try:
        nursery.start_worker()
        cut = 0
        async with superuser(database_urls) as db:
            for _ in range(15):
                await asyncio.sleep(0.3)
                cut += await db.fetchval(CUT_ALL)
        await worker.engine.dispose()
        await settle(database_urls, worker, keyring, local_carrier.base_url)
        assert psutil.pid_exists(nursery.living[0])
    finally:
        nursery.close()
    assert cut > 15
    assert set(await states(database_urls)) <= {"accepted", "sent", "failed"}
    assert max(local_carrier.counts.values()) == 1
    async with superuser(database_urls) as db:
        failed = {row["id"] for row in await db.fetch("select id from text_message where state = 'failed'")}
        told = {row["subject_id"] for row in await db.fetch("select subject_id from task where done_at is null")}
    assert failed <= told
    assert not failed & set(local_carrier.counts)


@pytest.mark.slow
async def test_sigterm_finishes_the_texts_in_hand_and_takes_no_more(
    database_urls: DatabaseUrls, worker: Database, keyring: HeldKeyring, local_carrier: LocalCarrier, tmp_path: Path
) -> None:
    local_carrier.seconds_max = 0.5
    async with superuser(database_urls) as db:
        await db.execute("delete from text_message")
    await make_due_texts(database_urls, worker, keyring, survivors=2, texts_each=50, within=timedelta(seconds=0.01))
    nursery = Nursery(worker_settings(database_urls, keyring, local_carrier.base_url), tmp_path / "workers.log")
    try:
        nursery.start_worker()
        while local_carrier.counts.total() < 8:  # noqa: ASYNC110 (another process counts)
            await asyncio.sleep(0.05)
        process = psutil.Process(nursery.living[0])
        os.kill(process.pid, signal.SIGTERM)
        async with asyncio.timeout(10):
            while process.is_running():  # noqa: ASYNC110 (another process ends)
                await asyncio.sleep(0.05)
    finally:
        nursery.close()
    after = await states(database_urls)
    assert after["claimed"] == after["unknown"] == 0
    assert after["accepted"] == local_carrier.counts.total() < 100
    assert after["scheduled"] == 100 - after["accepted"]


@pytest.mark.slow
@pytest.mark.rule("M5")
async def test_three_workers_told_to_stop_with_a_full_queue_leave_nothing_in_hand_and_the_fourth_goes_on(
    database_urls: DatabaseUrls, worker: Database, keyring: HeldKeyring, local_carrier: LocalCarrier, tmp_path: Path
) -> None:
    local_carrier.seconds_max = 0.5
    async with superuser(database_urls) as db:
        await db.execute("delete from text_message")
    settings = worker_settings(database_urls, keyring, local_carrier.base_url)
    workers = [_start_by_command(settings, tmp_path / f"{number}.log") for number in range(4)]
    try:
        async with superuser(database_urls) as db:
            while await db.fetchval(LISTENING) < 4:  # noqa: ASYNC110 (other processes start)
                await asyncio.sleep(0.1)
        await make_due_texts(database_urls, worker, keyring, survivors=4, texts_each=50, within=timedelta(seconds=0.01))
        while local_carrier.counts.total() < 20:  # noqa: ASYNC110 (other processes count)
            await asyncio.sleep(0.05)
        for told in workers[:3]:
            told.send_signal(signal.SIGTERM)
        ended = [await asyncio.wait_for(asyncio.to_thread(told.wait), DRAINED_SECONDS_MAX) for told in workers[:3]]
        after = await states(database_urls)
        assert ended == [0, 0, 0]
        assert after["claimed"] <= int(settings["texts_at_once"]), "what the fourth has in hand, and nothing beside it"
        assert after["scheduled"] > 0, "there was more to do"
        async with asyncio.timeout(120):
            while (await states(database_urls))["accepted"] < 200:  # noqa: ASYNC110 (another process sends)
                await asyncio.sleep(0.2)
        assert workers[3].poll() is None
        workers[3].send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(asyncio.to_thread(workers[3].wait), DRAINED_SECONDS_MAX) == 0
    finally:
        for process in workers:
            process.kill()
            process.wait()
    assert await states(database_urls) == {"accepted": 200}
    assert set(local_carrier.counts.values()) == {1}


def _start_by_command(settings: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    """A worker as an operator starts it."""
    environment = {**os.environ, **{f"REFERRALNET_{name.upper()}": value for name, value in settings.items()}}
    with log.open("wb") as said:
        command = [str(Path(sys.executable).with_name("referralnet")), "worker"]
        return subprocess.Popen(command, env=environment, stderr=said)

"""Two hundred kills -9 of real worker processes while five hundred texts are due: none lost, none doubled (M5)."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from referralnet.database.transactions import Database
from referralnet.encryption.held_keyring import HeldKeyring
from tests.databases import DatabaseUrls
from tests.factories.messaging import superuser
from tests.faults.arranging import Nursery, let_go, make_due_texts, settle, worker_settings
from tests.faults.local_carrier import LocalCarrier

KILLS = 200
TEXTS = 500
SURVIVORS = 10
WORKERS = 3
IN_FLIGHT_SECONDS_MAX = 1.5


async def under_way(carrier: LocalCarrier) -> None:
    """A random moment of a call that is under way, so that kills hit texts in flight on a slow machine as well."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(IN_FLIGHT_SECONDS_MAX):
            while not carrier.in_flight:  # noqa: ASYNC110 (another process calls)
                await asyncio.sleep(0.005)
    await asyncio.sleep(random.uniform(0, carrier.seconds_max * 1.5))


@pytest.mark.slow
@pytest.mark.rule("M5")
async def test_two_hundred_kills_lose_no_text_and_double_none(
    database_urls: DatabaseUrls,
    worker: Database,
    keyring: HeldKeyring,
    local_carrier: LocalCarrier,
    tmp_path: Path,
) -> None:
    await make_due_texts(
        database_urls, worker, keyring, survivors=SURVIVORS, texts_each=TEXTS // SURVIVORS, within=timedelta(hours=1)
    )
    nursery = Nursery(worker_settings(database_urls, keyring, local_carrier.base_url), tmp_path / "workers.log")
    try:
        for _ in range(WORKERS):
            nursery.start_worker()
        for _ in range(KILLS):
            await let_go(database_urls, -(-TEXTS // KILLS))
            await under_way(local_carrier)
            nursery.kill_one()
            nursery.start_worker()
        await settle(database_urls, worker, keyring, local_carrier.base_url)
    finally:
        nursery.close()

    async with superuser(database_urls) as db:
        rows = await db.fetch("select id, state, told_at is not null as told from text_message")
        with_task: set[UUID] = {row["subject_id"] for row in await db.fetch("select subject_id from task")}
        open_task: set[UUID] = {
            row["subject_id"] for row in await db.fetch("select subject_id from task where done_at is null")
        }
    assert len(rows) == TEXTS
    doubled = [row["id"] for row in rows if local_carrier.counts[row["id"]] > 1]
    # Lost: nobody sent it and nobody knows; or we say it is with the carrier and it is not.
    lost = [
        row["id"] for row in rows
        if (local_carrier.counts[row["id"]] == 0 and row["id"] not in open_task)
        or (row["told"] and row["id"] not in with_task)
    ]  # fmt: skip
    states = Counter(row["state"] for row in rows)
    interrupted = sum(row["told"] for row in rows)
    print(  # noqa: T201 (the figure is what the test is for)
        f"\n{KILLS} kills, {TEXTS} texts: {len(lost)} lost, {len(doubled)} doubled; {interrupted} were in a killed"
        f" worker's hands; {dict(states)}; the carrier took {local_carrier.counts.total()}"
    )
    assert doubled == []
    assert lost == []
    assert set(states) <= {"accepted", "sent", "delivered", "failed"}, states
    assert states["failed"] == sum(local_carrier.counts[row["id"]] == 0 for row in rows)
    assert states["sent"] > 0, "kills must have hit texts that the carrier had taken, or the test shows nothing"
    assert states["failed"] > 0, "and texts that it had not"

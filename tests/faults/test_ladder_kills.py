"""kill -9 of real workers while answers are overdue: every step of every ladder is taken once (R6)."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from pathlib import Path

import pytest

from referralnet.database.transactions import Database
from referralnet.encryption.held_keyring import HeldKeyring
from tests.databases import DatabaseUrls
from tests.factories.messaging import superuser
from tests.factories.referrals import make_network, present, send
from tests.faults.arranging import Nursery, worker_settings
from tests.faults.local_carrier import LocalCarrier

KILLS, WORKERS, SENT_PER_KILL, SECONDS_MAX = 20, 3, 6, 60
TAKEN = """select subject_id, detail->>'step' as step, count(*) from audit_event where action = 'answer_awaited'
    group by 1, 2"""


@pytest.mark.slow
@pytest.mark.rule("R6")
async def test_twenty_kills_leave_every_step_taken_once(
    database_urls: DatabaseUrls,
    owner: Database,
    app: Database,
    keyring: HeldKeyring,
    local_carrier: LocalCarrier,
    tmp_path: Path,
) -> None:
    network = await make_network(owner)
    nursery = Nursery(worker_settings(database_urls, keyring, local_carrier.base_url), tmp_path / "workers.log")
    try:
        for number in range(KILLS):
            for each in range(SENT_PER_KILL):
                # Half of them are three steps late, and half are over.
                hours = (3.9, 5)[each % 2]
                await send(app, network, keyring, now=present() - timedelta(hours=hours))
            for _ in range(WORKERS if number == 0 else 1):
                nursery.start_worker()
            await asyncio.sleep(random.uniform(0, 0.4))
            nursery.kill_one()
        nursery.start_worker()
        async with asyncio.timeout(SECONDS_MAX), superuser(database_urls) as db:
            while await db.fetchval("select count(*) from ladder_step where due_at < now()"):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    finally:
        nursery.close()
    async with superuser(database_urls) as db:
        taken = await db.fetch(TAKEN)
        expired = await db.fetch("select referral_id, count(*) from referral_event where event = 'expire' group by 1")
        counted = await db.fetch("select kind, count(*) from task where kind like 'answer%' group by 1")
    tasks = {row["kind"]: row["count"] for row in counted}
    half = KILLS * SENT_PER_KILL // 2
    assert (len(taken), {row["count"] for row in taken}) == (3 * half, {1})
    assert (len(expired), {row["count"] for row in expired}) == (half, {1})
    assert [tasks[kind] for kind in ("answer_reminder", "answer_late_for_admin", "answer_nearly_due")] == [half] * 3

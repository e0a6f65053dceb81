"""kill -9 of real workers while plans ask for their next service: each is asked once, with one disclosure (R6, C1)."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from referralnet.database.transactions import Database
from referralnet.encryption.held_keyring import HeldKeyring
from referralnet.referrals.answering import reject
from referralnet.referrals.lifecycle import RejectReason
from tests.databases import DatabaseUrls
from tests.factories.messaging import superuser
from tests.factories.referrals import present, run
from tests.factories.routing import make_choices, route
from tests.faults.arranging import Nursery, worker_settings
from tests.faults.local_carrier import LocalCarrier

PLANS = 80
KILLS = 40
WORKERS = 2
SECONDS_MAX = 60
OPEN = "select count(*) from routing_plan where look_at is not null"


@pytest.mark.slow
@pytest.mark.rule("R6")
async def test_forty_kills_leave_every_plan_with_one_next_service(
    database_urls: DatabaseUrls,
    owner: Database,
    app: Database,
    keyring: HeldKeyring,
    local_carrier: LocalCarrier,
    tmp_path: Path,
) -> None:
    choices = await make_choices(owner, shelters=3)
    plans = [await route(app, choices, keyring) for _ in range(PLANS)]
    async with superuser(database_urls) as db:
        asked = [row["referral_id"] for row in await db.fetch(
            "select referral_id from routing_choice where referral_id is not null")]  # fmt: skip
    nursery = Nursery(worker_settings(database_urls, keyring, local_carrier.base_url), tmp_path / "workers.log")
    try:
        for _ in range(WORKERS):
            nursery.start_worker()
        per_kill = -(-PLANS // KILLS)
        for number in range(KILLS):
            for referral_id in asked[number * per_kill : (number + 1) * per_kill]:
                await run(app, choices.home.intake, reject, referral_id, reason=RejectReason.NO_CAPACITY, now=present())
            await asyncio.sleep(random.uniform(0, 0.05))
            nursery.kill_one()
            nursery.start_worker()
        async with asyncio.timeout(SECONDS_MAX), superuser(database_urls) as db:
            while await db.fetchval(OPEN):  # noqa: ASYNC110 (other processes work)
                await asyncio.sleep(0.1)
    finally:
        nursery.close()
    async with superuser(database_urls) as db:
        stories = await db.fetch(
            """
            select plan_id, array_agg(referral.status order by position) as statuses, count(disclosure.id) as told
            from routing_choice choice left join referral on referral.id = choice.referral_id
              left join disclosure on disclosure.referral_id = referral.id
            group by plan_id
            """
        )
        strays = await db.fetchval(
            "select count(*) from referral where id not in (select referral_id from routing_choice"
            " where referral_id is not null)"
        )
        tasks = await db.fetchval("select count(*) from task where kind = 'choose_next_service' and done_at is null")
    assert len(stories) == len(plans)
    assert {(*row["statuses"], row["told"]) for row in stories} == {("rejected", "requested", None, 2)}
    assert (strays, tasks) == (0, 0)

"""kill -9 of real workers while a partner is told: every event arrives, and what comes twice has the same id."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from referralnet.database.transactions import Database
from referralnet.encryption.held_keyring import HeldKeyring
from referralnet.partners.endpoints import EventKind, register
from tests.databases import DatabaseUrls
from tests.factories.messaging import superuser
from tests.factories.partner import play_partner
from tests.factories.referrals import make_network, present, run, send
from tests.faults.arranging import Nursery, worker_settings
from tests.faults.local_carrier import LocalCarrier
from tests.integration.partners.conftest import admin_of

KILLS, WORKERS, SENT_PER_KILL, SECONDS_MAX = 10, 2, 4, 60
IN_DEVELOPMENT = {"environment": "development", "webhook_private_addresses": "true"}


@pytest.mark.slow
async def test_ten_kills_leave_every_event_told(
    database_urls: DatabaseUrls,
    owner: Database,
    app: Database,
    keyring: HeldKeyring,
    local_carrier: LocalCarrier,
    tmp_path: Path,
) -> None:
    network = await make_network(owner)
    admin = await admin_of(owner, network.intake.agency_id, network.intake.agency_kind)
    settings = worker_settings(database_urls, keyring, local_carrier.base_url) | IN_DEVELOPMENT
    nursery = Nursery(settings, tmp_path / "workers.log")
    try:
        async with play_partner() as partner, superuser(database_urls) as db:
            partner.slow_seconds = 0.02
            kinds = (EventKind.REFERRAL_CHANGED,)
            await run(app, admin, register, partner.url, kinds, private=True, keyring=keyring, now=present())
            for number in range(KILLS):
                for _ in range(SENT_PER_KILL):
                    await send(app, network, keyring, now=present())
                for _ in range(WORKERS if number == 0 else 1):
                    nursery.start_worker()
                await asyncio.sleep(random.uniform(0, 0.4))
                nursery.kill_one()
                # Nobody waits a minute here for the lease of the dead.
                await db.execute("update webhook_delivery set lease_until = now() where state = 'claimed'")
            nursery.start_worker()
            async with asyncio.timeout(SECONDS_MAX):
                while await db.fetchval("select count(*) from webhook_delivery where state <> 'delivered'"):
                    await db.execute("update webhook_delivery set lease_until = now() where state = 'claimed'")
                    await asyncio.sleep(0.2)
            wanted = {str(row["id"]) for row in await db.fetch("select id from webhook_delivery")}
    finally:
        nursery.close()
    assert len(wanted) == KILLS * SENT_PER_KILL
    assert {one.headers["webhook-id"] for one in partner.posted} == wanted
    bodies = {(one.headers["webhook-id"], one.body) for one in partner.posted}
    assert len(bodies) == len(wanted), "what came twice says the same"

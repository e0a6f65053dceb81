"""The whole database server killed under working programs: what was acknowledged is there, no text is lost or doubled.

Three times here; `REFERRALNET_TEST_DATABASE_KILLS=100` where there is time (M5, R7).
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from string import ascii_lowercase
from uuid import UUID, uuid4

import httpx2
import psutil
import pytest

from referralnet.database.acting import AgencyKind, Operator, Role
from referralnet.database.transactions import Database
from referralnet.encryption.held_keyring import HeldKeyring
from referralnet.identity.agencies import NewMember, add_agency, add_member, new_totp_secret
from tests.databases import DatabaseUrls
from tests.factories.messaging import superuser
from tests.faults.arranging import Nursery, let_go, make_due_texts, settle, worker_settings
from tests.faults.local_carrier import LocalCarrier
from tests.faults.mortal_server import MortalServer, mortal_server
from tests.faults.test_worker_kills import Report, look
from tests.journey.network import Client, answering, free_port, process

KILLS = int(os.environ.get("REFERRALNET_TEST_DATABASE_KILLS", "3"))
TEXTS_PER_KILL = 6
TEXTS_PER_SURVIVOR = 30
WORKERS = 3
PASSWORD = "a password of this test"
RECORD = """mutation($key: String!, $survivor: SurvivorInput!) {
    recordSurvivor(idempotencyKey: $key, survivor: $survivor) { ... on Done { id } ... on Refused { code } } }"""
WRITTEN = "select survivor.id from survivor join member on member.id = created_by where display_name = 'Dana'"


@dataclass
class Writer:
    """A coordinator's program that writes without end, and asks again with the same key until it is answered."""

    client: Client
    acknowledged: dict[str, UUID] = field(default_factory=dict)
    unanswered: int = 0
    stopping: bool = False

    async def write(self) -> None:
        while not self.stopping:
            key = str(uuid4())
            while key not in self.acknowledged:
                await self._ask(key)

    async def acknowledged_more(self, count: int, writing: asyncio.Task[None]) -> None:
        """Wait until so many more writes were acknowledged."""
        enough = len(self.acknowledged) + count
        while len(self.acknowledged) < enough:
            done, _ = await asyncio.wait({writing}, timeout=0.02)
            for failed in done:
                failed.result()

    async def _ask(self, key: str) -> None:
        # Names that are like nobody's: where a record looks like another's, it is refused.
        names = ["".join(random.Random(key + which).choices(ascii_lowercase, k=14)) for which in "gf"]
        survivor = {"givenName": names[0], "familyName": names[1], "notTheSameAs": []}
        try:
            answer = await self.client.ask(RECORD, key=key, survivor=survivor)
        except (httpx2.TransportError, ValueError):
            answer = {"errors": ["none"]}
        if "errors" in answer:
            self.unanswered += 1
            await asyncio.sleep(0.1)
            return
        recorded = answer["data"]["recordSurvivor"]
        assert "id" in recorded, recorded
        self.acknowledged[key] = UUID(recorded["id"])


async def add_coordinator(urls: DatabaseUrls, keyring: HeldKeyring) -> str:
    owner = Database(urls.owner)
    async with owner.transaction(Operator()) as session:
        agency_id = await add_agency(
            session, name="Lakeside", kind=AgencyKind.VICTIM_SERVICES, regime="general", time_zone="America/Chicago"
        )
        login = "dana@lakeside.example"
        new = NewMember(
            agency_id, login, "Dana", {Role.COORDINATOR}, PASSWORD, new_totp_secret(), trained_until=date(2100, 1, 1)
        )
        await add_member(session, new, keyring=keyring)
    await owner.close()
    return login


@asynccontextmanager
async def serving(urls: DatabaseUrls, keyring: HeldKeyring, carrier_url: str, folder: Path) -> AsyncIterator[Client]:
    """The API in a process of its own, with a coordinator signed in."""
    login, port = await add_coordinator(urls, keyring), free_port()
    settings = worker_settings(urls, keyring, carrier_url) | {
        "database_url": urls.app, "listen_port": str(port), "data_folder": str(folder)
    }  # fmt: skip
    environment = {**os.environ, **{f"REFERRALNET_{name.upper()}": value for name, value in settings.items()}}
    program = [str(Path(sys.executable).with_name("referralnet")), "serve"]
    with process(program, environment, folder / "serve.log"):
        address = f"http://127.0.0.1:{port}"
        await answering(f"{address}/health", folder / "serve.log")
        yield await Client(address).sign_in(login, PASSWORD)


async def kill_again_and_again(
    mortal: MortalServer, urls: DatabaseUrls, writer: Writer, writing: asyncio.Task[None]
) -> None:
    """Each time once programs have come back to the server by themselves."""
    for _ in range(KILLS):
        await let_go(urls, TEXTS_PER_KILL)
        await writer.acknowledged_more(2, writing)
        await asyncio.sleep(random.uniform(0, 0.3))
        await mortal.kill_and_restart()


@pytest.mark.slow
@pytest.mark.rule("M5")
async def test_the_database_is_killed_under_workers_and_an_api_that_go_on_by_themselves(
    keyring: HeldKeyring, local_carrier: LocalCarrier, tmp_path: Path
) -> None:
    async with mortal_server() as mortal, mortal.server.fresh_database() as urls:
        worker = Database(urls.worker)
        survivors = -(-TEXTS_PER_KILL * KILLS // TEXTS_PER_SURVIVOR)
        await make_due_texts(
            urls, worker, keyring, survivors=survivors, texts_each=TEXTS_PER_SURVIVOR, within=timedelta(hours=1)
        )
        nursery = Nursery(worker_settings(urls, keyring, local_carrier.base_url), tmp_path / "workers.log")
        try:
            async with serving(urls, keyring, local_carrier.base_url, tmp_path) as client:
                for _ in range(WORKERS):
                    nursery.start_worker()
                writer = Writer(client)
                writing = asyncio.create_task(writer.write())
                await kill_again_and_again(mortal, urls, writer, writing)
                await let_go(urls, TEXTS_PER_SURVIVOR * survivors)
                await writer.acknowledged_more(2, writing)
                writer.stopping = True
                await writing
            await worker.engine.dispose()
            await settle(urls, worker, keyring, local_carrier.base_url)
            living = [psutil.pid_exists(process_id) for process_id in nursery.living]
        finally:
            nursery.close()
            await worker.close()
        report = Report(kills=KILLS)
        await look(urls, local_carrier, report)
        async with superuser(urls) as db:
            kept = {row["id"] for row in await db.fetch(WRITTEN)}
    acknowledged = set(writer.acknowledged.values())
    print(  # noqa: T201 (the figure is what the test is for)
        f"\n{report}; {len(acknowledged)} writes acknowledged, {writer.unanswered} asked again,"
        f" {len(acknowledged - kept)} of them lost, {len(kept - acknowledged)} doubled"
    )
    assert living == [True] * WORKERS
    assert kept == acknowledged
    assert report.lost == []
    assert report.doubled == []
    assert set(report.states) <= {"accepted", "sent", "delivered", "failed"}, report.states

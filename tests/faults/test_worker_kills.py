"""kill -9 of real worker processes at random moments while texts are due: none lost, none doubled (M5).

Two hundred kills here; `REFERRALNET_TEST_KILLS=5000` in a night, and 100000 where somebody wants to know.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from referralnet.database.transactions import Database
from referralnet.encryption.held_keyring import HeldKeyring
from tests.databases import DatabaseUrls, Server
from tests.factories.messaging import superuser
from tests.faults.arranging import Nursery, let_go, make_due_texts, settle, worker_settings
from tests.faults.local_carrier import LocalCarrier

KILLS = int(os.environ.get("REFERRALNET_TEST_KILLS", "200"))
KILLS_PER_ROUND = 500
"""After so many what was sent is looked at, and a new database begins: what has settled takes no more time."""
TEXTS_PER_KILL = 3
TEXTS_PER_SURVIVOR = 50
WORKERS = 6
KILLED_AT_ONCE = 2
IN_FLIGHT_SECONDS_MAX = 1.5


@dataclass
class Report:
    """What was seen of all texts of all rounds."""

    kills: int = 0
    states: Counter[str] = field(default_factory=Counter)
    lost: list[UUID] = field(default_factory=list)
    doubled: list[UUID] = field(default_factory=list)
    interrupted: int = 0
    taken: int = 0
    told_after: timedelta = timedelta(0)
    """The longest time from a text being due to a person seeing that nobody knows whether it was sent."""

    def __str__(self) -> str:
        return (
            f"{self.kills} kills, {self.states.total()} texts: {len(self.lost)} lost, {len(self.doubled)} doubled;"
            f" {self.interrupted} were in a killed worker's hands, seen by a person after at most"
            f" {self.told_after.total_seconds():.0f} s; {dict(self.states)}; the carrier took {self.taken}"
        )


async def under_way(carrier: LocalCarrier) -> None:
    """A random moment of a call that is under way, so that kills hit texts in flight on a slow machine as well."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(IN_FLIGHT_SECONDS_MAX):
            while not carrier.in_flight:  # noqa: ASYNC110 (another process calls)
                await asyncio.sleep(0.005)
    await asyncio.sleep(random.uniform(0, carrier.seconds_max * 1.5))


async def kill_round(server: Server, keyring: HeldKeyring, kills: int, log: Path, report: Report) -> None:
    """Kill so many workers in a database of their own, let the living settle what they left, and look."""
    carrier = LocalCarrier()
    await carrier.start()
    async with server.fresh_database() as urls:
        worker = Database(urls.worker)
        texts = TEXTS_PER_KILL * kills
        survivors = -(-texts // TEXTS_PER_SURVIVOR)
        await make_due_texts(
            urls, worker, keyring, survivors=survivors, texts_each=texts // survivors, within=timedelta(hours=1)
        )
        nursery = Nursery(worker_settings(urls, keyring, carrier.base_url), log)
        try:
            for _ in range(WORKERS):
                nursery.start_worker()
            for _ in range(0, kills, KILLED_AT_ONCE):
                await let_go(urls, TEXTS_PER_KILL * KILLED_AT_ONCE)
                await under_way(carrier)
                for _ in range(KILLED_AT_ONCE):
                    nursery.kill_one()
                    nursery.start_worker()
                    report.kills += 1
            # On a slow machine some came due by themselves, or come again: whatever was not let go goes now.
            await let_go(urls, texts)
            await settle(urls, worker, keyring, carrier.base_url)
        finally:
            nursery.close()
            await worker.close()
            await carrier.stop()
        await look(urls, carrier, report)


async def look(urls: DatabaseUrls, carrier: LocalCarrier, report: Report) -> None:
    """Count what became of every text."""
    async with superuser(urls) as db:
        rows = await db.fetch("select id, state, told_at, claimable_at from text_message")
        seen = await db.fetch(
            "select subject_id, done_at is null as open from task where subject_kind = 'text_message'"
        )
    with_task = {row["subject_id"] for row in seen}
    open_task = {row["subject_id"] for row in seen if row["open"]}
    for row in rows:
        count = carrier.counts[row["id"]]
        report.states[row["state"]] += 1
        report.taken += count
        if count > 1:
            report.doubled.append(row["id"])
        # Nobody sent it and nobody knows; or nobody was told; or we say that it is with the carrier and it is not.
        unseen = count == 0 and row["id"] not in open_task
        if unseen or (row["told_at"] and row["id"] not in with_task) or (count == 0) != (row["state"] == "failed"):
            report.lost.append(row["id"])
        if row["told_at"]:
            report.interrupted += 1
            report.told_after = max(report.told_after, row["told_at"] - row["claimable_at"])


@pytest.mark.slow
@pytest.mark.rule("M5")
async def test_kills_at_random_lose_no_text_and_double_none(
    postgres: Server, keyring: HeldKeyring, tmp_path: Path
) -> None:
    report = Report()
    for begun in range(0, KILLS, KILLS_PER_ROUND):
        kills = min(KILLS_PER_ROUND, KILLS - begun)
        await kill_round(postgres, keyring, kills, tmp_path / f"workers-{begun}.log", report)
        print(f"\n{report}")  # noqa: T201 (the figure is what the test is for)
    assert report.doubled == []
    assert report.lost == []
    assert set(report.states) <= {"accepted", "sent", "delivered", "failed"}, report.states
    assert report.told_after < timedelta(minutes=10)
    assert report.states["sent"] > 0, "kills must have hit texts that the carrier had taken, or the test shows nothing"
    assert report.states["failed"] > 0, "and texts that it had not"

"""Two hundred kills -9 of real worker processes while five hundred texts are due: none lost, none doubled (M5)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from referralnet.clock import SystemClock
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.jobs import settle_unknown, sweep_leases
from referralnet.jobs.work import Work
from referralnet.messaging.carriers.twilio import TwilioCarrier
from referralnet.messaging.sending import Sender
from tests.databases import DatabaseUrls
from tests.factories.messaging import make_case, superuser
from tests.faults.local_carrier import LocalCarrier

KILLS = 200
TEXTS = 500
SURVIVORS = 10
WORKERS = 3
LEASE_SECONDS = 4.0
CARRIER_TIMEOUT_SECONDS = 2.0
KILL_EVERY_SECONDS = 0.1
SPREAD_SECONDS = KILLS * KILL_EVERY_SECONDS * 0.9


class Nursery:
    """The process that starts workers, and the ids of those that live."""

    def __init__(self, settings: dict[str, str], log: Path) -> None:
        environment = {**os.environ, **{f"REFERRALNET_{name.upper()}": value for name, value in settings.items()}}
        self._log = log.open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.worker_nursery"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self._log, env=environment, text=True, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        self.living: list[int] = []

    def start_worker(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        self.living.append(int(self._process.stdout.readline()))

    def kill_one(self) -> None:
        process_id = self.living.pop(random.randrange(len(self.living)))
        os.kill(process_id, signal.SIGKILL)

    def close(self) -> None:
        for process_id in self.living:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGKILL)
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._log.close()


@pytest.fixture
async def local_carrier() -> AsyncIterator[LocalCarrier]:
    carrier = LocalCarrier()
    await carrier.start()
    yield carrier
    await carrier.stop()


def noon_zone(now: datetime) -> str:
    """A zone in which it is about noon, so that the test may run at any hour."""
    return f"Etc/GMT{now.hour - 12:+d}"


async def due_texts_of(urls: DatabaseUrls, worker: Database, keyring: Keyring) -> None:
    now = datetime.now(UTC)
    for number in range(SURVIVORS):
        case = await make_case(
            urls, worker, keyring, now=now, phone=f"+1312555{number:04d}", starts_at=now + timedelta(days=2),
            time_zone=noon_zone(now),
        )  # fmt: skip
        async with superuser(urls) as db:
            # Each text is about an appointment of its own, a minute from the next, so that no two bodies are alike.
            await db.execute(
                f"""
                with made as (
                  select gen_random_uuid() as referral_id, gen_random_uuid() as appointment_id, number,
                    $2::timestamptz + number * interval '1 minute' as starts_at
                  from generate_series(1, {TEXTS // SURVIVORS}) number),
                referrals as (insert into referral select (jsonb_populate_record(referral, jsonb_build_object(
                    'id', made.referral_id))).* from referral, made where referral.id = $1),
                links as (insert into survivor_referral select (jsonb_populate_record(survivor_referral,
                    jsonb_build_object('referral_id', made.referral_id))).* from survivor_referral, made
                    where survivor_referral.referral_id = $1),
                visits as (insert into appointment select (jsonb_populate_record(appointment, jsonb_build_object(
                    'id', made.appointment_id, 'referral_id', made.referral_id, 'starts_at', made.starts_at))).*
                    from appointment, made where appointment.referral_id = $1)
                insert into text_message (id, agency_id, survivor_id, subject_id, kind, priority, due_at, claimable_at,
                  send_before, occurrence, state, state_at, created_at)
                select gen_random_uuid(), $3, $4, referral_id, 'appointment_reminder', 1, due_at, due_at,
                  $5::timestamptz + interval '6 hours',
                  jsonb_build_object('appointment_id', appointment_id, 'starts_at', starts_at, 'time_zone', 'UTC'),
                  'scheduled', $5, $5
                from made, lateral (select $5::timestamptz + random() * {SPREAD_SECONDS} * interval '1 second' as due_at) due
                """,
                case.referral_id, case.starts_at, case.agency_id, case.survivor_id, now,
            )  # fmt: skip


async def settle(urls: DatabaseUrls, work: Work) -> None:
    """What the workers' own sweeps do every few seconds, until nothing is open."""
    for _ in range(120):
        await sweep_leases.run(work)
        await settle_unknown.run(work)
        async with superuser(urls) as db:
            if not await db.fetchval("select count(*) from text_message where state in ('scheduled', 'claimed', 'unknown')"):
                return
        await asyncio.sleep(0.25)


@pytest.mark.slow
@pytest.mark.rule("M5")
async def test_two_hundred_kills_lose_no_text_and_double_none(
    database_urls: DatabaseUrls,
    worker: Database,
    keyring: Keyring,
    local_carrier: LocalCarrier,
    tmp_path: Path,
    record_property: Any,
) -> None:
    await due_texts_of(database_urls, worker, keyring)
    settings = {
        "database_worker_url": database_urls.worker, "keyring": keyring.dump(), "carrier": "twilio",
        "twilio_account_sid": "AC00000000000000000000000000000000", "twilio_auth_token": "token",
        "twilio_from_number": "+15005550006", "twilio_base_url": local_carrier.base_url,
        "carrier_timeout_seconds": str(CARRIER_TIMEOUT_SECONDS), "text_lease_seconds": str(LEASE_SECONDS),
        "text_unlisted_seconds": "2", "log_level": "error",
    }  # fmt: skip
    carrier = TwilioCarrier(
        settings["twilio_account_sid"], "token", from_number=settings["twilio_from_number"],
        base_url=local_carrier.base_url, timeout_seconds=CARRIER_TIMEOUT_SECONDS,
    )  # fmt: skip
    nursery = Nursery(settings, tmp_path / "workers.log")
    try:
        for _ in range(WORKERS):
            nursery.start_worker()
        await asyncio.sleep(2)
        for _ in range(KILLS):
            await asyncio.sleep(random.uniform(0, 2 * KILL_EVERY_SECONDS))
            nursery.kill_one()
            nursery.start_worker()
        sender = Sender(worker, carrier, keyring, SystemClock(), "http://127.0.0.1:1", LEASE_SECONDS)
        await settle(database_urls, Work(sender, texts_at_once=1, text_unlisted_seconds=2))
    finally:
        await carrier.close()
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
    record_property("kills", KILLS)
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

"""Worker processes to be killed, texts to be sent meanwhile, and the settings that bring them together."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from referralnet.clock import SystemClock
from referralnet.database.transactions import Database
from referralnet.encryption.held_keyring import HeldKeyring
from referralnet.jobs import settle_unknown, sweep_leases
from referralnet.jobs.work import Work
from referralnet.messaging.carriers.twilio import TwilioCarrier
from referralnet.messaging.sending import Sender
from tests.databases import DatabaseUrls
from tests.factories.messaging import make_case, superuser

ACCOUNT = {"twilio_account_sid": "AC0", "twilio_auth_token": "token", "twilio_from_number": "+15005550006"}
LEASE_SECONDS = 4.0
CARRIER_TIMEOUT_SECONDS = 2.0
OPEN = "select count(*) from text_message where state in ('scheduled', 'claimed', 'unknown')"


def worker_settings(urls: DatabaseUrls, keyring: HeldKeyring, carrier_url: str) -> dict[str, str]:
    """A worker that sends to the local carrier, with a short lease."""
    return ACCOUNT | {
        "database_worker_url": urls.worker, "keyring": keyring.dump(), "carrier": "twilio",
        "twilio_base_url": carrier_url,
        "carrier_timeout_seconds": str(CARRIER_TIMEOUT_SECONDS), "text_lease_seconds": str(LEASE_SECONDS),
        "text_unlisted_seconds": "2", "log_level": "error", "database_connections_max": "3", "texts_at_once": "6",
    }  # fmt: skip


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


def noon_zone(now: datetime) -> str:
    """A zone in which it is about noon, so that the test may run at any hour."""
    return f"Etc/GMT{now.hour - 12:+d}"


async def make_due_texts(
    urls: DatabaseUrls, worker: Database, keyring: HeldKeyring, *, survivors: int, texts_each: int, within: timedelta
) -> None:
    """Texts due at random moments `within` the time from now, of survivors of one agency."""
    now = datetime.now(UTC)
    agencies: dict[str, UUID] = {}
    for number in range(survivors):
        case = await make_case(
            urls, worker, keyring, now=now, phone=f"+1312555{number:04d}", starts_at=now + timedelta(days=2),
            time_zone=noon_zone(now), **agencies,
        )  # fmt: skip
        agencies = {"agency_id": case.agency_id, "target_agency_id": case.target_agency_id}
        async with superuser(urls) as db:
            # Each text is about an appointment of its own, a minute from the next, so that no two bodies are alike.
            await db.execute(
                f"""
                with made as (
                  select gen_random_uuid() as referral_id, gen_random_uuid() as appointment_id, number,
                    $2::timestamptz + number * interval '1 minute' as starts_at
                  from generate_series(1, {texts_each}) number),
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
                from made, lateral (select $5::timestamptz + random() * $6::interval as
                due_at) due
                """,
                case.referral_id, case.starts_at, case.agency_id, case.survivor_id, now, within,
            )  # fmt: skip


async def settle(urls: DatabaseUrls, worker: Database, keyring: HeldKeyring, carrier_url: str) -> None:
    """What the workers' own sweeps do every few seconds, until nothing is open."""
    carrier = TwilioCarrier(
        "AC0", "token", from_number="+15005550006", base_url=carrier_url, timeout_seconds=CARRIER_TIMEOUT_SECONDS
    )
    sender = Sender(worker, carrier, keyring, SystemClock(), "http://127.0.0.1:1", LEASE_SECONDS)
    work = Work(sender, texts_at_once=1, text_unlisted_seconds=2)
    try:
        for _ in range(2000):
            await sweep_leases.run(work)
            await settle_unknown.run(work)
            async with superuser(urls) as db:
                if not await db.fetchval(OPEN):
                    return
            await asyncio.sleep(0.25)
    finally:
        await carrier.close()


async def let_go(urls: DatabaseUrls, count: int) -> None:
    """Make some texts that wait, and that nobody has claimed yet, claimable now: others come again by themselves."""
    async with superuser(urls) as db:
        await db.execute(
            "update text_message set claimable_at = now(), due_at = now() where id in (select id from text_message"
            " where state = 'scheduled' and attempts = 0 and claimable_at > now() order by claimable_at limit $1)",
            count,
        )
        await db.execute("notify referralnet_work, 'text_message'")

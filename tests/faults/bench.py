"""One survivor's texts on a bench: put in a state, worked on by a job that dies, finished by others, and looked at."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from referralnet.clock import SystemClock
from referralnet.database.acting import Nobody
from referralnet.database.transactions import Database
from referralnet.encryption.held_keyring import HeldKeyring
from referralnet.encryption.lookup import lookup_hash
from referralnet.jobs import settle_unknown, sweep_leases
from referralnet.jobs.timetable import TIMETABLE
from referralnet.jobs.work import Work
from referralnet.messaging.carriers import Written
from referralnet.messaging.carriers.twilio import TwilioCarrier
from referralnet.messaging.notices import NoticeKind, write_notice
from referralnet.messaging.receiving import keep_inbound
from referralnet.messaging.sending import Sender
from tests.databases import DatabaseUrls
from tests.factories.messaging import Case, make_case, superuser
from tests.faults.answering_carrier import AnsweringCarrier
from tests.faults.arranging import CARRIER_TIMEOUT_SECONDS, LEASE_SECONDS, noon_zone, worker_settings

JOBS = {job.name: job for job in TIMETABLE}
PENDING = {
    "send_texts": "text_message where state = 'scheduled' and claimable_at <= now()",
    "plan_texts": "notice where handled_at is null",
    "replan_texts": "contact_plan_change",
    "apply_callbacks": "carrier_callback where handled_at is null",
    "read_inbound": "inbound_text where handled_at is null",
}
"""What each of these jobs leaves only while somebody else holds it."""
DEATH_SEEN_WITHIN_SECONDS = 60
REST = """
    select (select paused_reason from contact_plan where id = $1) as paused,
      (select status || (confirmed_at is not null) from appointment where id = $2) as visit,
      (select status from release where id = $3) as release,
      (select count(*) from suppression where phone_lookup = $4) as suppressed
"""
GONE = ("accepted", "sent", "delivered")
_numbers = count(1)


@dataclass
class Bench:
    """Everything that a story of one survivor needs."""

    urls: DatabaseUrls
    app: Database
    work: Work
    keyring: HeldKeyring
    carrier: AnsweringCarrier
    mortal: asyncio.subprocess.Process
    db: asyncpg.Connection[asyncpg.Record]
    """Past row security: for arranging and for looking."""
    agencies: dict[str, UUID] = field(default_factory=dict)

    async def case(self, **plan: Any) -> Case:
        """A survivor of her own, of the bench's agencies."""
        now = datetime.now(UTC)
        # What the carrier answered in an earlier case keeps nobody waiting in this one, nor does a text that it is too
        # busy for and that comes again.
        self.carrier.answers.clear()
        await self.alter(
            "update carrier_state set paused_until = null, unanswered = 0, silent_since = null, tries = 0,"
            " try_at = null"
        )
        case = await make_case(
            self.urls, self.work.database, self.keyring, now=now, phone=f"+1312{next(_numbers):07d}",
            starts_at=now + timedelta(days=2), time_zone=noon_zone(now), **self.agencies, **plan,
        )  # fmt: skip
        self.agencies = {"agency_id": case.agency_id, "target_agency_id": case.target_agency_id}
        return case

    async def dies(self, job: str, at_await: int) -> bool:
        """Run a job in a process that is killed at its n-th await; False where it had fewer, and finished."""
        assert self.mortal.stdin is not None
        assert self.mortal.stdout is not None
        self.mortal.stdin.write(f"{job} {at_await}\n".encode())
        await self.mortal.stdin.drain()
        said = (await self.mortal.stdout.readline()).decode().strip()
        assert said in ("died", "done 0"), said
        return said == "died"

    async def run(self, job: str) -> None:
        """Run a job to its end, as another worker does after the dead one."""
        await JOBS[job].run(self.work)

    async def settle(self, job: str) -> None:
        """What other workers do within ten minutes of a death, at once: the clock of what was left is turned on."""
        await self.run(job)
        # The database takes a moment to see that somebody is dead, and until then what they held is passed over.
        async with asyncio.timeout(DEATH_SEEN_WITHIN_SECONDS):
            while job in PENDING and await self.db.fetchval(f"select exists (select from {PENDING[job]})"):
                await asyncio.sleep(0.02)
                await self.run(job)
        if not await self.db.fetchval("select count(*) from text_message where state in ('claimed', 'unknown')"):
            return
        await self.alter("update text_message set lease_until = now() - interval '1 s' where state = 'claimed'")
        await sweep_leases.run(self.work)
        await self.alter(
            "update text_message set state_at = state_at - interval '1 hour' where state = 'unknown'"
            " and state_at > now() - interval '10 minutes'"
        )
        await settle_unknown.run(self.work)
        await self.run(job)

    async def alter(self, statement: str, *values: object) -> None:
        await self.db.execute(statement, *values)

    async def tell(self, case: Case, kind: NoticeKind = NoticeKind.APPOINTMENT_SET) -> None:
        """The target tells of her visit."""
        async with self.app.transaction(case.intake) as session:
            await write_notice(
                session, kind=kind, custodian_agency_id=case.agency_id, referral_id=case.referral_id,
                appointment_id=case.appointment_id, starts_at=case.starts_at, time_zone="America/Chicago",
                now=datetime.now(UTC),
            )  # fmt: skip

    async def write(self, case: Case, body: str) -> None:
        """She writes."""
        async with self.app.transaction(Nobody()) as session:
            written = Written(f"SM{uuid4().hex}", case.phone, body)
            await keep_inbound(session, self.keyring, written, now=datetime.now(UTC))

    async def text(self, case: Case, kind: str = "appointment_reminder", state: str = "scheduled", **more: Any) -> UUID:
        """One text of hers that is due."""
        now, text_id = datetime.now(UTC), uuid4()
        occurrence = {"appointment_id": str(case.appointment_id), "starts_at": case.starts_at.isoformat()}
        values = {
            "id": text_id, "agency_id": case.agency_id, "survivor_id": case.survivor_id, "subject_id": case.referral_id,
            "kind": kind, "priority": 1, "due_at": now, "claimable_at": now,
            "occurrence": json.dumps(occurrence | {"time_zone": "UTC"}), "state": state, "state_at": now,
            "created_at": now, **more,
        }  # fmt: skip
        values["send_before"] = max(now, values["due_at"]) + timedelta(hours=3)
        places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
        await self.alter(f"insert into text_message ({', '.join(values)}) values ({places})", *values.values())
        return text_id

    async def look(self, case: Case) -> dict[str, Any]:
        """What there is to see of her, without ids and times: the same, whoever died on the way."""
        db, lookup = self.db, lookup_hash(self.keyring, "phone", case.phone)
        inbound = await db.fetch("select id from inbound_text where from_lookup = $1", lookup)
        texts = await db.fetch(
            "select id, agency_id is null as is_reply, kind, state, error_code from text_message"
            " where survivor_id = $1 or subject_id = any($2)",
            case.survivor_id, [row["id"] for row in inbound],
        )  # fmt: skip
        about_texts = {row["id"] for row in texts}
        tasks = await db.fetch(
            "select kind, subject_id, detail->>'reason' as reason, done_at is null as open from task"
            " where subject_id = any($1)", about_texts | {case.survivor_id, case.referral_id},
        )  # fmt: skip
        rest = await db.fetchrow(REST, case.plan_id, case.appointment_id, case.release_id, lookup)
        assert rest is not None
        told = {row["subject_id"] for row in tasks if row["open"]}
        return {
            "texts": sorted(self._outcome(row, told) for row in texts),
            "tasks": sorted(
                (row["kind"], row["reason"] or "", row["open"]) for row in tasks if row["subject_id"] not in about_texts
            ),
            **rest,
        }

    def _outcome(self, row: Any, told: set[UUID]) -> tuple[str, str]:
        """How a text ended. One in a dead worker's hands arrived once, or a person knows that it never left; a reply is
        nobody's to know of.
        """
        count = self.carrier.counts[row["id"]]
        assert count <= 1, f"{row['kind']} was taken {count} times"
        state = row["state"]
        if state in GONE and count == 1:
            return row["kind"], "settled"
        if (
            state == "failed"
            and count == 0
            and row["error_code"] == "never_at_carrier"
            and (row["id"] in told or row["is_reply"])
        ):
            return row["kind"], "settled"
        return row["kind"], f"{state} {row['error_code'] or ''} {'told' if row['id'] in told else ''}".strip()


@asynccontextmanager
async def open_bench(urls: DatabaseUrls, app: Database, worker: Database, keyring: HeldKeyring) -> AsyncIterator[Bench]:
    """A bench over a database, with its carrier and the process whose children die."""
    carrier = AnsweringCarrier(seconds_max=0)
    await carrier.start()
    settings = worker_settings(urls, keyring, carrier.base_url) | {"texts_at_once": "6"}
    mortal = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.faults.one_job", cwd=Path(__file__).parents[2],
        env={**os.environ, **{f"REFERRALNET_{name.upper()}": value for name, value in settings.items()}},
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    twilio = TwilioCarrier(
        "AC0", "token", from_number="+15005550006", base_url=carrier.base_url, timeout_seconds=CARRIER_TIMEOUT_SECONDS
    )
    sender = Sender(worker, twilio, keyring, SystemClock(), "http://127.0.0.1:1", LEASE_SECONDS)
    try:
        async with superuser(urls) as db:
            yield Bench(urls, app, Work(sender, 6, 2), keyring, carrier, mortal, db)
    finally:
        assert mortal.stdin is not None
        mortal.stdin.close()
        await mortal.wait()
        await twilio.close()
        await carrier.stop()

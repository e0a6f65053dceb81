"""A carrier that misbehaves in more than twenty ways, each through many seeded histories on a simulated clock (M5, M7).

A history is a few texts, steps of the clock, runs of the jobs in any order, and the carrier's reports through the real
webhook. After every step no state may have gone back; ten minutes after the last, no text may be lost or doubled. One
history of each by default; `REFERRALNET_TEST_HISTORIES=500` plays five hundred.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import httpx2
import pytest
from starlette.applications import Starlette

from referralnet.clock import FixedClock
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.jobs import apply_callbacks, ask_about_texts, send_texts, settle_unknown, sweep_leases
from referralnet.jobs.work import Work
from referralnet.messaging.callbacks import NEVER_LISTED, RANK
from referralnet.messaging.carriers.twilio import SIGNATURE_HEADER, TwilioCarrier, TwilioWebhooks, signature_of
from referralnet.messaging.sending import Sender
from referralnet.messaging.tables import TextState
from referralnet.webhooks.carriers import routes
from tests.databases import DatabaseUrls
from tests.factories.messaging import Case, make_case, superuser
from tests.faults.misbehaving_carrier import MISBEHAVIOURS, TIMEOUT_SECONDS, Call, MisbehavingCarrier, Taken

HISTORIES = int(os.environ.get("REFERRALNET_TEST_HISTORIES", "1"))
PUBLIC, TOKEN, UNLISTED_SECONDS = "https://texts.example.test", "token", 900
STEPS, TEXTS_MAX = 8, 3
# Two alike, or two of one name, are told apart by a report alone: they stay with the person who was told.
CANNOT_BE_SETTLED = {"the same sid for all", "lists a lookalike"}
CERTAINLY_NOT_TAKEN = {"scheduled", "held", "expired", "cancelled"}
MADE = """
    with made as (select gen_random_uuid() as appointment_id, gen_random_uuid() as referral_id),
    referrals as (insert into referral select (jsonb_populate_record(referral, jsonb_build_object(
        'id', made.referral_id))).* from referral, made where referral.id = $1),
    links as (insert into survivor_referral select (jsonb_populate_record(survivor_referral,
        jsonb_build_object('referral_id', made.referral_id))).* from survivor_referral, made
        where survivor_referral.referral_id = $1),
    visits as (insert into appointment select (jsonb_populate_record(appointment, jsonb_build_object(
        'id', made.appointment_id, 'referral_id', made.referral_id, 'starts_at', $6::timestamptz))).*
        from appointment, made where appointment.referral_id = $1)
    insert into text_message (id, agency_id, survivor_id, subject_id, kind, priority, due_at, claimable_at, send_before,
      occurrence, state, state_at, created_at)
    select $2, $3, $4, referral_id, 'appointment_reminder', 1, $5, $5, $5::timestamptz + interval '3 hours',
      jsonb_build_object('appointment_id', appointment_id, 'starts_at', $6::timestamptz, 'time_zone', 'UTC'),
      'scheduled', $5, $5 from made
"""


@dataclass
class History:
    """One seed: its texts, what was seen of them, and what is wrong."""

    carrier: MisbehavingCarrier
    work: Work
    clock: FixedClock
    db: asyncpg.Connection[asyncpg.Record]
    texts: list[UUID]
    chance: random.Random
    ranks: dict[UUID, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    @property
    def jobs(self) -> tuple[Callable[[Work], Awaitable[int]], ...]:
        return (send_texts.run, apply_callbacks.run, sweep_leases.run, settle_unknown.run)

    async def play(self) -> None:
        """Any order of clock, jobs and reports; then ten minutes as the timetable has them."""
        for _ in range(STEPS):
            self.clock.advance(timedelta(seconds=self.chance.choice([0.5, 1, 3, 10, 40, 180])))
            for call in self.carrier.due():
                await self._tell(call)
            await self.chance.choice(self.jobs)(self.work)
            await self._look()
        await self._minutes(10)
        await self._judge(hurry=True)
        # What is told hours late, and what a day later is asked about.
        self.clock.advance(timedelta(hours=11))
        await self._minutes(1)
        self.clock.advance(timedelta(hours=25))
        await ask_about_texts.run(self.work)
        await self._look()
        await self._judge(hurry=False)

    async def _minutes(self, count: int) -> None:
        for _ in range(count):
            self.clock.advance(timedelta(minutes=1))
            for call in self.carrier.due():
                await self._tell(call)
            for job in self.jobs:
                await job(self.work)
            await self._look()

    async def _tell(self, call: Call) -> None:
        assert self.carrier.tell_now is not None
        await self.carrier.tell_now(call)

    async def _look(self) -> None:
        for row in await self.db.fetch(
            "select id, state, error_code from text_message where id = any ($1)", self.texts
        ):
            rank = 0 if row["error_code"] == NEVER_LISTED else RANK.get(TextState(row["state"]), 0)
            if rank < self.ranks.get(row["id"], 0):
                self.wrong.append(f"stepped back to {row['state']}")
            self.ranks[row["id"]] = rank

    async def _judge(self, *, hurry: bool) -> None:
        rows = await self.db.fetch(
            "select id, state, error_code, exists (select from task where subject_id = text_message.id"
            " and done_at is null) as shown from text_message where id = any ($1)",
            self.texts,
        )
        self.wrong += [f"{len(self.texts) - len(rows)} texts are gone"] * (len(rows) != len(self.texts))
        for row in rows:
            self.wrong += [f"{wrong} ({row['state']})" for wrong in self._wrong(row, hurry=hurry)]

    def _wrong(self, row: asyncpg.Record, *, hurry: bool) -> list[str]:
        records, state = self.carrier.took(row["id"]), row["state"]
        somewhere = records or _lookalikes(self.carrier, row["id"])
        return [
            name
            for name, is_wrong in {
                "taken twice": len(records) > 1,
                "asked for again after it was taken": self.carrier.asked_after_taking[row["id"]] > 0,
                "still in somebody's hands": state == "claimed",
                "taken, and believed not to be": bool(records) and state in CERTAINLY_NOT_TAKEN,
                "never taken, and believed to be": not somewhere and state in {"accepted", "sent", "delivered"},
                "unknown or failed, and nobody was told": state in {"unknown", "failed"} and not row["shown"],
                "taken, listed, and still unknown": not hurry
                and state == "unknown"
                and len(somewhere) == 1
                and self.carrier.misbehaves not in CANNOT_BE_SETTLED,
            }.items()
            if is_wrong
        ]


def _lookalikes(carrier: MisbehavingCarrier, _text_id: UUID) -> list[Taken]:
    return [record for record in carrier.records if record.text_id is None]


@dataclass
class Stage:
    """What all histories share: the carrier, our webhooks, a worker's work, one survivor's case."""

    carrier: MisbehavingCarrier
    work: Work
    clock: FixedClock
    urls: DatabaseUrls
    case: Case

    async def history(self, misbehaves: str, seed: int) -> list[str]:
        """Play one; returns what was wrong with it."""
        self.carrier.begin(seed, misbehaves)
        chance = random.Random(f"{seed}-{misbehaves}")
        # Each history is on a morning of its own, so that its words are too, and nothing of another is due.
        self.clock.advance(timedelta(hours=24) - timedelta(hours=self.clock.now().hour - 15) - _past(self.clock))
        texts = [uuid4() for _ in range(chance.randint(1, TEXTS_MAX))]
        async with superuser(self.urls) as db:
            for table in ("text_message", "carrier_callback", "task", "suppression"):
                await db.execute(f"delete from {table}")
            for number, text_id in enumerate(texts):
                due_at = self.clock.now() + timedelta(seconds=chance.uniform(0, 90))
                starts_at = self.clock.now() + timedelta(days=2, minutes=number)
                await db.execute(
                    MADE, self.case.referral_id, text_id, self.case.agency_id, self.case.survivor_id, due_at, starts_at
                )
            history = History(self.carrier, self.work, self.clock, db, texts, chance)
            await history.play()
        return history.wrong


def _past(clock: FixedClock) -> timedelta:
    now = clock.now()
    return timedelta(minutes=now.minute, seconds=now.second, microseconds=now.microsecond)


@pytest.fixture
async def stage(
    app: Database, worker: Database, keyring: Keyring, clock: FixedClock, database_urls: DatabaseUrls
) -> AsyncIterator[Stage]:
    carrier = MisbehavingCarrier(clock.now)
    await carrier.start()
    client = TwilioCarrier(
        "AC0", TOKEN, from_number="+15005550006", base_url=carrier.base_url, timeout_seconds=TIMEOUT_SECONDS
    )
    work = Work(Sender(worker, client, keyring, clock, PUBLIC), texts_at_once=2, text_unlisted_seconds=UNLISTED_SECONDS)
    webhooks = routes(app, keyring, clock, [TwilioWebhooks(TOKEN)], public_base_url=PUBLIC)
    case = await make_case(
        database_urls, worker, keyring, now=clock.now(), starts_at=clock.now() + timedelta(days=20_000),
        reconfirm_by=(clock.now() + timedelta(days=20_000)).date(),
    )  # fmt: skip
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(Starlette(routes=webhooks)), base_url=PUBLIC) as web:

        async def tell(call: Call) -> None:
            path = f"/webhooks/twilio/status?text={call.text_id}"
            form = {"MessageSid": call.sid, "MessageStatus": call.status}
            form |= {"ErrorCode": call.code} if call.code else {}
            headers = {SIGNATURE_HEADER: signature_of(TOKEN, PUBLIC + path, form)}
            assert (await web.post(path, data=form, headers=headers)).status_code == 200

        carrier.tell_now = tell
        yield Stage(carrier, work, clock, database_urls, case)
    await client.close()
    await carrier.stop()


@pytest.mark.slow
@pytest.mark.rule("M5", "M7")
async def test_whatever_a_carrier_does_no_text_is_lost_doubled_or_told_backwards(stage: Stage) -> None:
    wrong: dict[str, Counter[str]] = {}
    for misbehaves in MISBEHAVIOURS:
        found = Counter[str]()
        for seed in range(HISTORIES):
            found.update({f"{one}, seed {seed}": 1 for one in await stage.history(misbehaves, seed)})
        if found:
            wrong[misbehaves] = found
    assert wrong == {}, json.dumps(wrong, indent=1)
    assert stage.carrier.misbehaved.keys() == MISBEHAVIOURS.keys(), "each was met"

"""Histories of texts at a carrier that misbehaves, many side by side on one simulated clock, and what goes wrong.

A history is a few texts to one number, steps of the clock, runs of the jobs in any order, and the carrier's reports.
After every step no state may have gone back; ten minutes after the last, no text may be lost or doubled. Each history
has a survivor and a chance of its own; the clock and the jobs are shared, which is what makes thousands of them quick.
What one carrier's silence does to all texts is played elsewhere (tests/simulation): here it is one carrier for each.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg

from referralnet.clock import FixedClock
from referralnet.jobs import apply_callbacks, ask_about_texts, send_texts, settle_unknown, sweep_leases
from referralnet.jobs.work import Work
from referralnet.messaging.callbacks import NEVER_LISTED, RANK
from referralnet.messaging.tables import TextState
from tests.databases import DatabaseUrls
from tests.factories.messaging import Case, make_case
from tests.faults.carrier_records import CarrierRecords
from tests.faults.misbehaviours import CANNOT_BE_SETTLED, MISBEHAVIOURS, WELL, Misbehaviour

STEPS, TEXTS_MAX, LIKELY = 8, 3, 0.7
CASES_OF_AN_AGENCY = 10
FAR_AHEAD = timedelta(days=20_000)
CERTAINLY_NOT_TAKEN = {"scheduled", "held", "expired", "cancelled"}
JOBS: tuple[Callable[[Work], Awaitable[int]], ...] = (
    send_texts.run,
    apply_callbacks.run,
    sweep_leases.run,
    settle_unknown.run,
)
OF_ITS_OWN = """
    create function stays_as_it_is() returns trigger language plpgsql as 'begin return null; end';
    create trigger stays_as_it_is before update on carrier_state for each row execute function stays_as_it_is();
    alter table carrier_state enable always trigger stays_as_it_is
"""
"""What the carrier does to one history keeps no text of another waiting, as if each had a carrier of its own."""
COPIED = """
    with made as (select gen_random_uuid() as appointment_id, gen_random_uuid() as referral_id),
    referrals as (insert into referral select (jsonb_populate_record(referral, jsonb_build_object(
        'id', made.referral_id))).* from referral, made where referral.id = $1),
    links as (insert into survivor_referral select (jsonb_populate_record(survivor_referral,
        jsonb_build_object('referral_id', made.referral_id))).* from survivor_referral, made
        where survivor_referral.referral_id = $1),
    visits as (insert into appointment select (jsonb_populate_record(appointment, jsonb_build_object(
        'id', made.appointment_id, 'referral_id', made.referral_id))).* from appointment, made
        where appointment.referral_id = $1)
    select referral_id, appointment_id from made
"""
DUE = """
    with moved as (update appointment set starts_at = $7 where id = $6)
    insert into text_message (id, agency_id, survivor_id, subject_id, kind, priority, due_at, claimable_at, send_before,
      occurrence, state, state_at, created_at)
    values ($1, $2, $3, $4, 'appointment_reminder', 1, $5, $5, $5::timestamptz + interval '3 hours',
      jsonb_build_object('appointment_id', $6::uuid, 'starts_at', $7::timestamptz, 'time_zone', 'UTC'),
      'scheduled', $5, $5)
"""


@dataclass
class Place:
    """A survivor, and the visits (referral id, appointment id) that her texts are about; histories take turns in it."""

    case: Case
    visits: list[tuple[UUID, UUID]]


@dataclass
class History:
    """One seed of one misbehaviour, with which the carrier meets the first text and then is likely to go on."""

    misbehaves: str
    seed: int
    place: Place
    texts: list[UUID] = field(default_factory=list)
    asked: int = 0

    def __post_init__(self) -> None:
        self.chance = random.Random(f"{self.misbehaves}-{self.seed}")
        self.texts = [uuid4() for _ in range(self.chance.randint(1, TEXTS_MAX))]

    def does(self) -> Misbehaviour:
        """What it does to the next text it is asked for."""
        self.asked += 1
        return MISBEHAVIOURS[self.misbehaves] if self.asked == 1 or self.chance.random() < LIKELY else WELL


@dataclass
class Stage:
    """What all histories share; `places` bounds how many are played at once."""

    carrier: CarrierRecords
    work: Work
    clock: FixedClock
    db: asyncpg.Connection[asyncpg.Record]
    places: list[Place] = field(default_factory=list)
    playing: dict[UUID, History] = field(default_factory=dict)
    """By text."""
    misbehaved: Counter[str] = field(default_factory=Counter)
    ranks: dict[UUID, int] = field(default_factory=dict)
    texts: int = 0
    wrong: Counter[str] = field(default_factory=Counter)

    async def build(self, urls: DatabaseUrls, count: int) -> None:
        """Survivors of several agencies."""
        await self.db.execute(OF_ITS_OWN)
        now, agencies = self.clock.now(), dict[str, UUID]()
        for number in range(count):
            if number % CASES_OF_AN_AGENCY == 0:
                agencies = {}
            case = await make_case(
                urls, self.work.database, self.work.keyring, now=now, phone=f"+1312555{number:04d}",
                starts_at=now + FAR_AHEAD, reconfirm_by=(now + FAR_AHEAD).date(), **agencies,
            )  # fmt: skip
            agencies = {"agency_id": case.agency_id, "target_agency_id": case.target_agency_id}
            copies = [await self.db.fetchrow(COPIED, case.referral_id) for _ in range(TEXTS_MAX)]
            self.places.append(Place(case, [(copy["referral_id"], copy["appointment_id"]) for copy in copies if copy]))

    def does(self, text_id: UUID) -> tuple[Misbehaviour, random.Random]:
        """What the carrier does to a text, and by which chance."""
        history = self.playing[text_id]
        does = history.does()
        self.misbehaved[history.misbehaves] += does is not WELL
        return does, history.chance

    async def play(self, which: Sequence[tuple[str, int]]) -> None:
        """Play histories side by side: any order of clock, jobs and reports; then ten minutes in which all look."""
        chance = random.Random(f"{which}")
        await self._begin(which)
        for _ in range(STEPS):
            self.clock.advance(timedelta(seconds=chance.choice([0.5, 1, 3, 10, 40, 180])))
            await self._tell_what_is_due()
            await chance.choice(JOBS)(self.work)
            await self._look()
        await self._minutes(1, 2, 7)
        await self._judge(hurry=True)
        # What is told hours late, and what a day later is asked about.
        self.clock.advance(timedelta(hours=11))
        await self._minutes(1)
        self.clock.advance(timedelta(hours=25))
        await ask_about_texts.run(self.work)
        await self._look()
        await self._judge(hurry=False)

    async def _begin(self, which: Sequence[tuple[str, int]]) -> None:
        # They are on a morning of their own, so that their words are too, and nothing of others is due.
        now = self.clock.now()
        morning = now.replace(hour=15, minute=0, second=0, microsecond=0) + timedelta(days=1)
        self.clock.advance(morning - now)
        self.carrier.forget()
        for table in ("text_message", "carrier_callback", "task", "suppression"):
            await self.db.execute(f"delete from {table}")
        histories = [History(*one, place) for one, place in zip(which, self.places, strict=False)]
        self.playing = {text_id: history for history in histories for text_id in history.texts}
        self.ranks, self.texts = {}, self.texts + len(self.playing)
        rows = [
            (
                text_id, history.place.case.agency_id, history.place.case.survivor_id, history.place.visits[number][0],
                morning + timedelta(seconds=history.chance.uniform(0, 90)), history.place.visits[number][1],
                morning + timedelta(days=2, minutes=number),
            )
            for history in histories
            for number, text_id in enumerate(history.texts)
        ]  # fmt: skip
        await self.db.executemany(DUE, rows)

    async def _minutes(self, *passing: int) -> None:
        for minutes in passing:
            self.clock.advance(timedelta(minutes=minutes))
            await self._tell_what_is_due()
            for job in JOBS:
                await job(self.work)
            await self._look()

    async def _tell_what_is_due(self) -> None:
        for call in self.carrier.due():
            await self.carrier.tell_now(call)

    async def _look(self) -> None:
        for row in await self.db.fetch("select id, state, error_code from text_message"):
            rank = 0 if row["error_code"] == NEVER_LISTED else RANK.get(TextState(row["state"]), 0)
            if rank < self.ranks.get(row["id"], 0):
                self._note(row["id"], f"stepped back to {row['state']}")
            self.ranks[row["id"]] = rank

    async def _judge(self, *, hurry: bool) -> None:
        rows = await self.db.fetch(
            "select id, state, error_code, exists (select from task where subject_id = text_message.id"
            " and done_at is null) as shown from text_message"
        )
        for gone in self.playing.keys() - {row["id"] for row in rows}:
            self._note(gone, "gone")
        for row in rows:
            for wrong in self._wrong(row, hurry=hurry):
                self._note(row["id"], f"{wrong} ({row['state']})")

    def _wrong(self, row: asyncpg.Record, *, hurry: bool) -> list[str]:
        history, records, state = self.playing[row["id"]], self.carrier.took(row["id"]), row["state"]
        to_her = self.carrier.by_number.get(history.place.case.phone, [])
        somewhere = records or [taken for taken in to_her if taken.text_id is None]
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
                and history.misbehaves not in CANNOT_BE_SETTLED,
            }.items()
            if is_wrong
        ]

    def _note(self, text_id: UUID, wrong: str) -> None:
        history = self.playing[text_id]
        self.wrong[f"{history.misbehaves}, seed {history.seed}: {wrong}"] += 1

"""A network of agencies and survivors whose texts live through a simulated week: everything but the carrier is real.

People act through the areas, jobs are those of the timetable, PostgreSQL is PostgreSQL, put under the same clock
(database_clock.py). Whatever people know is told to the oracle, as they do it.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import asyncpg
from sqlalchemy import event, make_url

from referralnet.appointments.local_time import LocalTimeOccursTwice
from referralnet.appointments.tables import Mode
from referralnet.clock import FixedClock
from referralnet.consent.ending import Via
from referralnet.database.acting import Member, Nobody, Operator, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.errors import Refusal
from referralnet.jobs.timetable import TIMETABLE
from referralnet.jobs.work import Work
from referralnet.messaging.carriers import Report, Written
from referralnet.messaging.carriers.twilio import STATES
from referralnet.messaging.pacing import Pace
from referralnet.messaging.receiving import keep_callback, keep_inbound
from referralnet.messaging.sending import Sender
from referralnet.messaging.text_policy import keep_text_policy
from referralnet.referrals import answering, visiting
from referralnet.referrals.withdrawing import withdraw_consent
from referralnet.survivors.contact_plans import NewContactPlan, OptInMethod, keep_contact_plan
from referralnet.survivors.safe_windows import SafeWindow
from tests.databases import DatabaseUrls, Server
from tests.factories.messaging import superuser
from tests.factories.referrals import make_member, make_network, run, send
from tests.faults.carrier_records import Call
from tests.simulation.carrier import CONDUCTS, WeekCarrier
from tests.simulation.database_clock import follow_simulation, set_clock
from tests.simulation.dying import cut_off
from tests.simulation.oracle import Handed, Her, Oracle, Promise

JOBS = {job.name: job for job in TIMETABLE}
QUICK = (
    "read_inbound", "plan_texts", "replan_texts", "send_texts", "apply_callbacks", "sweep_leases", "watch_carrier",
    "settle_unknown",
)  # fmt: skip
"""What looks every few seconds, and is run at every moment at which something is due."""
SLOW = ("watch_failing", "ask_about_texts", "expire_releases", "reconfirm_contacts", "erase_texts", "forget_callbacks")
SLOW_EVERY = timedelta(hours=4)
MADE_AT = datetime(2026, 2, 1, 15, tzinfo=UTC)
NETWORK_HOURS = (24, 2)
"""When survivors are reminded where their agency has said nothing (messaging/policy.py)."""
HOURS = ((24, 2), (48, 24, 3), (1,), ())
WEEKDAYS = frozenset(range(5))
EVERY_DAY = frozenset(range(7))
WINDOWS: tuple[tuple[tuple[frozenset[int], time, time], ...], ...] = (
    ((EVERY_DAY, time(8), time(21)),),
    ((EVERY_DAY, time(17), time(20, 30)),),
    ((WEEKDAYS, time(9), time(12)), (frozenset({5, 6}), time(12), time(13))),
    ((EVERY_DAY, time(22), time(9, 30)),),
    ((frozenset({6}), time(8), time(20)), (frozenset({2}), time(8), time(10))),
)
ZONES = ("America/Chicago", "America/Los_Angeles", "America/Phoenix", "Europe/London", "Pacific/Auckland")
VISITS_IN = (
    timedelta(minutes=20), timedelta(hours=3), timedelta(hours=20), timedelta(hours=27), timedelta(days=2),
    timedelta(days=3, hours=5), timedelta(days=5),
)  # fmt: skip
VISITS_WITHIN_DAYS = 6
WRITES = (
    ("STOP", "stop"), ("alto", "stop"), ("START", "start"), ("1", "confirm"), ("2", "call"), ("3", "unsafe"),
    ("where is it again", "words"), ("HELP", "help"), ("END ALL", "end"),
)  # fmt: skip
TEXTS = """
    select id, agency_id, survivor_id, subject_id, kind, occurrence, state, state_at, send_before, claimable_at,
      error_code, to_sealed is not null as has_number, body_sealed is not null as has_body from text_message
"""
WAITS = {
    "read_inbound": "inbound_text where handled_at is null",
    "plan_texts": "notice where handled_at is null",
    "replan_texts": "contact_plan_change",
    "send_texts": "text_message where state = 'scheduled' and claimable_at <= now",
    "apply_callbacks": "carrier_callback where handled_at is null",
    "sweep_leases": "text_message where state = 'claimed' or state = 'unknown' and told_at is null",
    "watch_carrier": "carrier_state",
    "settle_unknown": "text_message where state = 'unknown'",
}
DEATHS_AT_MOST = 60
"""A death is at this await at the latest: a text is handed over in fewer."""
IDLE_LOOKS = 0.1
"""Most looks find nothing, and cost the most: so many are taken where a job has nothing to do."""
NEXT = """
    select min(at) from (
      select claimable_at from text_message where state = 'scheduled' union all
      select lease_until + interval '1 s' from text_message where state = 'claimed' union all
      select state_at + later from text_message, unnest(array[interval '6 s', interval '16 min']) later
        where state = 'unknown' union all
      select unnest(array[paused_until, try_at]) from carrier_state
        where exists (select from text_message where state = 'scheduled' and claimable_at <= $1) union all
      select $1::timestamptz + interval '2 s' from carrier_state where silent_since is null
        and coalesce(paused_until, $1) <= $1
        and exists (select from text_message where state = 'scheduled' and claimable_at <= $1)
    ) due (at) where at > $1
"""


class Rest:
    """In the place of the event of `Work.stopping`: where a worker rests, simulated time goes by."""

    def __init__(self, world: World) -> None:
        self._world = world

    def is_set(self) -> bool:
        return False

    async def wait(self) -> bool:
        await self._world.pass_time(timedelta(seconds=1))
        return True


@dataclass(frozen=True)
class Made:
    """What every week begins with: a database that is copied, and whoever lives in it."""

    template: str
    keyring: Keyring
    hers: tuple[Her, ...]
    coordinators: dict[UUID, Member]
    intakes: dict[UUID, Member]
    """By referral."""
    admins: dict[UUID, Member]


async def make(urls: DatabaseUrls, keyring: Keyring) -> Made:
    """Two agencies that refer to shelters, five survivors; two of them, of different agencies, share a phone."""
    owner, app = Database(urls.owner), Database(urls.app)
    hers, coordinators, intakes, admins = list[Her](), dict[UUID, Member](), dict[UUID, Member](), dict[UUID, Member]()
    try:
        async with superuser(urls) as db:
            left = await follow_simulation(db, MADE_AT)
            assert left == ["published.listing"] or not left, left
        for shared in (0, 1):
            network = await make_network(owner)
            agency_id = network.coordinator.agency_id
            coordinators[agency_id] = network.coordinator
            async with owner.transaction(Operator()) as session:
                kind, roles = network.coordinator.agency_kind, frozenset({Role.AGENCY_ADMIN})
                admins[agency_id] = await make_member(session, agency_id, kind, roles)
            for number in range(3 - shared):
                sent = await send(app, network, keyring, now=MADE_AT)
                await run(app, network.intake, answering.accept, sent.id, now=MADE_AT)
                intakes[sent.id] = network.intake
                which = len(hers)
                phone = "+13125550100" if number == 0 else f"+1312555010{which}"
                hers.append(
                    Her(sent.survivor_id, agency_id, sent.id, phone, ZONES[which], WINDOWS[which % len(WINDOWS)],
                        date(2026, 2, 2), opted_in=False)
                )  # fmt: skip
    finally:
        await owner.close()
        await app.close()
    return Made(str(make_url(urls.owner).database), keyring, tuple(hers), coordinators, intakes, admins)


@dataclass
class World:
    """One week under way."""

    made: Made
    clock: FixedClock
    app: Database
    db: asyncpg.Connection[asyncpg.Record]
    carrier: WeekCarrier
    oracle: Oracle
    hers: list[Her]
    work: Work
    hours: dict[UUID, tuple[int, ...]] = field(default_factory=dict)
    asked_slowly_at: datetime | None = None
    slow_every: timedelta = SLOW_EVERY
    unread: dict[UUID, tuple[str, str]] = field(default_factory=dict)
    """What came in and is not handled yet: (number, meaning) by id."""
    refused_at: int = 0
    """How many calls of the carrier have been looked through for opt-outs."""
    numbers: int = 200
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Calls of the carrier that are under way at once share one connection for looking."""
    ticks: int = 0
    deaths: int = 0
    dies: dict[str, int] = field(default_factory=dict)
    """At which await a job dies, the next time that it takes so many."""

    @property
    def now(self) -> datetime:
        return self.clock.now()

    async def pass_time(self, by: timedelta) -> None:
        """Turn the clock on, everybody's."""
        if by:
            self.clock.advance(by)
            async with self.asking:
                await set_clock(self.db, self.now)

    # Time and jobs.

    async def live(self, until: datetime, chance: random.Random) -> None:
        """Let workers work, at every moment at which something is due, in any order of their jobs."""
        self.oracle.works_since = self.oracle.works_since or self.now
        await self.tick(chance)
        while (coming := await self._next()) is not None and coming < until:
            await self.pass_time(max(coming - self.now, timedelta(seconds=1)))
            await self.tick(chance)
        if until > self.now:
            await self.pass_time(until - self.now)
            await self.tick(chance)

    async def nobody_works(self, until: datetime) -> None:
        """All workers are down; the carrier goes on telling."""
        self.oracle.works_since = None
        await self.pass_time(until - self.now)
        await self._tell_what_is_due()

    async def _next(self) -> datetime | None:
        in_tables = await self.db.fetchval(NEXT, self.now)
        told = min((call.at for call in self.carrier.calls), default=None)
        slowly = None if self.asked_slowly_at is None else self.asked_slowly_at + self.slow_every
        return min((at for at in (in_tables, told, slowly) if at is not None), default=None)

    async def tick(self, chance: random.Random) -> None:
        """Every job looks once."""
        self.ticks += 1
        await self._tell_what_is_due()
        if self.asked_slowly_at is None or self.now >= self.asked_slowly_at + self.slow_every:
            self.asked_slowly_at = self.now
            for name in SLOW:
                await JOBS[name].run(self.work)
        for name in chance.sample(QUICK, len(QUICK)):
            # Asked anew each time: what one job does is another's work.
            if chance.random() < IDLE_LOOKS or name in await self._with_something_to_do():
                await self.look_of(name)
        await self.look()

    async def look_of(self, name: str) -> None:
        """One job looks; its worker dies at its n-th await where that was told."""
        sends = name == "send_texts"
        due = [row for row in await self._texts() if _is_due(row, self.now)] if sends else []
        before = len(self.oracle.handed)
        job = JOBS[name].run(self.work)
        if name in self.dies:
            died = await cut_off(job, at_await=self.dies[name], burial=self._burial())  # type: ignore[arg-type]
            if died:
                del self.dies[name]
                self.deaths += 1
        else:
            await job
        if sends:
            self.oracle.urgent_first(due, self.oracle.handed[before:])
            await self._learn_of_opt_outs()
        if name == "read_inbound":
            await self._learn_of_reading()

    @asynccontextmanager
    async def _burial(self) -> AsyncIterator[None]:
        """What a dead worker had asked for ends, and nothing more is taken from it; the next one connects anew."""
        of_workers = "from pg_stat_activity where datname = current_database() and usename = 'referralnet_worker'"

        async def hang_up() -> None:
            # One that was just connecting shows only when it has.
            while await self.db.fetch(f"select pg_terminate_backend(pid, 1000) {of_workers}"):
                pass

        engine = self.work.database.engine
        event.listen(engine.sync_engine, "do_connect", _nobody_answers)
        try:
            await hang_up()
            yield
            await hang_up()
        finally:
            event.remove(engine.sync_engine, "do_connect", _nobody_answers)
        await engine.dispose()

    async def look(self) -> None:
        """Show the oracle everything."""
        shown = {row["subject_id"] for row in await self.db.fetch("select distinct subject_id from task")}
        self.oracle.slowest = self.carrier.slowest
        self.oracle.look(await self._texts(), shown)

    async def _texts(self) -> list[dict[str, Any]]:
        return [dict(row) for row in await self.db.fetch(TEXTS)]

    async def _with_something_to_do(self) -> set[str]:
        """The jobs that would find something."""
        asked = ", ".join(f"exists (select from {waits}) as {name}" for name, waits in WAITS.items())
        row = await self.db.fetchrow(f"select {asked} from (select $1::timestamptz as now) present", self.now)
        assert row is not None
        return {name for name, waits in row.items() if waits}

    async def _tell_what_is_due(self) -> None:
        for call in self.carrier.due():
            await self.carrier.tell_now(call)

    async def tell(self, call: Call) -> None:
        """As the carrier's webhook does."""
        report = Report(call.sid, STATES[call.status], call.code)
        async with self.app.transaction(Nobody()) as session:
            await keep_callback(session, text_id=call.text_id, report=report, now=self.now)
        self.oracle.reported.setdefault(call.text_id, set()).add(STATES[call.status].value)

    async def about(self, text_id: UUID, to: str, body: str, arrives_within: timedelta) -> Handed:
        """What is handed over, as its row says."""
        async with self.asking:
            row = await self.db.fetchrow(
                "select kind, survivor_id, occurrence from text_message where id = $1", text_id
            )
        assert row is not None
        return Handed(
            self.now, self.now + arrives_within, to, body, text_id, row["kind"], row["survivor_id"], row["occurrence"]
        )

    async def _learn_of_opt_outs(self) -> None:
        """The carrier has said of a number that it takes no more texts, and we have written it down."""
        failed = {row["id"] for row in await self.db.fetch("select id from text_message where error_code = '21610'")}
        for call in self.oracle.handed[self.refused_at :]:
            if call.text_id in failed:
                self.oracle.stopped.add(call.to)
        self.refused_at = len(self.oracle.handed)

    async def _learn_of_reading(self) -> None:
        """What came in holds once it was read."""
        handled = "select id from inbound_text where id = any ($1) and handled_at is not null order by received_at, id"
        for row in await self.db.fetch(handled, list(self.unread)):
            number, meaning = self.unread.pop(row["id"])
            if meaning in {"stop", "end"}:
                self.oracle.stopped.add(number)
            elif meaning == "start":
                self.oracle.stopped.discard(number)
            for her in self.hers:
                if her.number == number:
                    self._hear(her, meaning)

    def _hear(self, her: Her, meaning: str) -> None:
        pauses = {"stop": "stop", "unsafe": "unsafe", "end": "consent_withdrawn"}
        if meaning in pauses:
            her.pause = her.pause or pauses[meaning]
        if meaning == "start" and her.pause == "stop":
            her.pause = "staff"
        if meaning == "end":
            self._take_back(her)
        if meaning in {*pauses, "start"}:
            her.changed_at = self.now

    def _take_back(self, her: Her) -> None:
        her.released_until = None
        her.changed_at = self.now
        if her.visit == "booked":
            her.visit = "over"

    # What people do.

    async def begin(self, start: datetime, reconfirm_after: tuple[int, ...], released_for: tuple[int, ...]) -> None:
        """Everybody's plan is kept, some days before the week begins."""
        await self.pass_time(start - self.now)
        for number, her in enumerate(self.hers):
            her.released_until = self.now + timedelta(days=released_for[number])
            await self.db.execute(
                "update release set expires_at = $1 where id = (select release_id from survivor_referral"
                " where referral_id = $2)", her.released_until, her.referral_id,
            )  # fmt: skip
            today = self.now.astimezone(ZoneInfo(her.zone)).date()
            await self.keep_plan(
                her, opted_in=True, reconfirm_by=today + timedelta(days=reconfirm_after[number]), digest=number % 2 == 0
            )

    async def keep_plan(self, her: Her, **changes: Any) -> None:
        """Her coordinator keeps her plan anew, as it was but for `changes`."""
        after = replace(her, **changes)
        plan = NewContactPlan(
            phone=after.number, language="es" if her is self.hers[1] else "en", time_zone=after.zone,
            safe_windows=tuple(
                SafeWindow(tuple(sorted(days)), f"{begin:%H:%M}", f"{end:%H:%M}") for days, begin, end in after.windows
            ),
            sender_label="calendar", code_phrase=None, voicemail_ok=False, opted_in=after.opted_in,
            opt_in_method=OptInMethod.ORAL if after.opted_in else None, reconfirm_by=after.reconfirm_by,
            status_digest=after.digest and after.opted_in,
        )  # fmt: skip
        coordinator = self.made.coordinators[her.agency_id]
        more = {"keyring": self.made.keyring, "now": self.now}
        await run(self.app, coordinator, keep_contact_plan, her.survivor_id, plan, **more)
        # A pause ends when she agrees anew, but for a number that said STOP; another number has said nothing.
        ends = after.opted_in and (after.number != her.number or her.pause != "stop")
        for name, value in {**changes, "pause": None if ends else her.pause, "changed_at": self.now}.items():
            setattr(her, name, value)

    async def change_plan(self, her: Her, pick: int) -> None:
        """Something in her plan is another way from now on."""
        today = self.now.astimezone(ZoneInfo(her.zone)).date()
        far = max(her.reconfirm_by, today + timedelta(days=1))
        what = pick % 7
        if what == 0:
            await self.keep_plan(her, reconfirm_by=far, windows=WINDOWS[pick // 7 % len(WINDOWS)])
        elif what == 1:
            zone = ZONES[pick // 7 % len(ZONES)]
            await self.keep_plan(her, reconfirm_by=far + timedelta(days=1), zone=zone)
        elif what == 2:
            await self.keep_plan(her, reconfirm_by=far, opted_in=not her.opted_in)
        elif what == 3:
            await self.keep_plan(her, reconfirm_by=today + timedelta(days=1 + pick // 7 % 9))
        elif what == 4:
            await self.keep_plan(her, reconfirm_by=far, digest=not her.digest)
        elif what == 5:
            self.numbers += 1
            await self.pass_time(timedelta(seconds=1))  # what she agrees to for a number is another word than the last
            await self.keep_plan(her, reconfirm_by=far, number=f"+1312555{self.numbers:04d}", opted_in=True)
        else:
            await self.keep_plan(her, reconfirm_by=today + timedelta(days=60), opted_in=True)

    async def change_visit(self, her: Her, pick: int) -> None:
        """Her visit is set, moved, cancelled, or is over."""
        booked, begun = her.visit == "booked", her.visit_at is not None and her.visit_at <= self.now
        intake = self.made.intakes[her.referral_id]
        if booked and begun:
            await run(self.app, intake, visiting.mark_attended, her.referral_id, now=self.now)
            her.visit = "over"
        elif booked and pick % 3 == 0:
            await run(self.app, intake, visiting.cancel_visit, her.referral_id, now=self.now)
            her.visit = "cancelled"
            await self._promise(her, "appointment_cancelled")
        else:
            await self._set_visit(her, intake, pick)

    async def _set_visit(self, her: Her, intake: Member, pick: int) -> None:
        zone = ZoneInfo(ZONES[pick // 21 % len(ZONES)] if pick % 2 else her.zone)
        self.numbers += 1
        coming = self.now + VISITS_IN[pick // 3 % len(VISITS_IN)] + timedelta(minutes=self.numbers % 7)
        wall = coming.astimezone(zone).replace(second=0, microsecond=0)
        visit: dict[str, Any] = {
            "local_start": wall.replace(tzinfo=None), "time_zone": str(zone), "duration_minutes": 30,
            "mode": Mode.VIDEO, "now": self.now,
        }  # fmt: skip
        step = visiting.schedule_visit if her.visit is None else visiting.reschedule_visit
        try:
            await run(self.app, intake, step, her.referral_id, **visit)
        except LocalTimeOccursTwice:
            await run(self.app, intake, step, her.referral_id, utc_offset=wall.utcoffset(), **visit)
        kind = "appointment_changed" if her.visit == "booked" else "appointment_set"
        her.visit, her.visit_at = "booked", wall.astimezone(UTC)
        await self._promise(her, kind)

    async def _promise(self, her: Her, kind: str) -> None:
        assert her.visit_at is not None
        hours = self.hours.get(her.agency_id, NETWORK_HOURS)
        self.oracle.promises.append(Promise(her.survivor_id, kind, her.visit_at, self.now, hours))
        if kind != "appointment_set":
            self.oracle.superseded(her, await self._texts())

    async def write(self, number: str, pick: int, *, twice: bool) -> None:
        """Somebody writes from a number; the carrier may bring it twice."""
        body, meaning = WRITES[pick % len(WRITES)]
        written = Written(f"SM{uuid4().hex}", number, body)
        for _ in range(1 + twice):
            async with self.app.transaction(Nobody()) as session:
                await keep_inbound(session, self.made.keyring, written, now=self.now)
        found = await self.db.fetchval("select id from inbound_text where carrier_sid = $1", written.carrier_sid)
        self.unread[found] = (number, meaning)
        self.oracle.wrote.append((self.now, number, meaning))

    async def change_policy(self, agency_id: UUID, pick: int) -> None:
        """The agency reminds its survivors at other hours."""
        hours = HOURS[pick % len(HOURS)]
        await run(self.app, self.made.admins[agency_id], keep_text_policy, hours, now=self.now)
        self.hours[agency_id] = hours
        self.oracle.hours_ever[agency_id] += len(hours)
        for her in self.hers:
            if her.agency_id == agency_id:
                her.changed_at = self.now

    async def withdraw(self, her: Her) -> None:
        """She takes everything back by word of mouth."""
        coordinator = self.made.coordinators[her.agency_id]
        await run(self.app, coordinator, withdraw_consent, survivor_id=her.survivor_id, via=Via.ORAL, now=self.now)
        self._take_back(her)

    async def news(self, her: Her) -> None:
        """Some service has answered her; the database notes it for the worker."""
        await self.db.execute(
            "insert into notice (id, agency_id, referral_id, kind, occurrence, created_at)"
            " values (gen_random_uuid(), $1, $2, 'referral_news', '{}', $3)",
            her.agency_id, her.referral_id, self.now,
        )  # fmt: skip

    async def do(self, what: str, who: int, pick: int) -> None:
        """One act of somebody's; what the network refuses has not been done."""
        her = self.hers[who % len(self.hers)]
        acts: dict[str, Callable[[], Awaitable[None]]] = {
            "visit": lambda: self.change_visit(her, pick),
            "plan": lambda: self.change_plan(her, pick),
            "write": lambda: self.write(her.number, pick, twice=pick % 4 == 0),
            "policy": lambda: self.change_policy(her.agency_id, pick),
            "withdraw": lambda: self.withdraw(her),
            "news": lambda: self.news(her),
        }
        if what in acts:
            with contextlib.suppress(Refusal):
                await acts[what]()
        elif what == "die":
            self.dies[QUICK[who % len(QUICK)]] = 1 + pick % DEATHS_AT_MOST
        else:
            self.carrier.behave("well" if what == "well" else CONDUCTS[pick % len(CONDUCTS)], pick)

    async def end(self, chance: random.Random, days: int) -> None:
        """All is well again, and all that was begun comes to its end; then days go by in which things are erased."""
        self.carrier.behave("well", 0)
        await self.live(self.now + timedelta(days=min(days, VISITS_WITHIN_DAYS)), chance)
        self.slow_every = timedelta(days=1)
        await self.live(self.now + timedelta(days=max(0, days - VISITS_WITHIN_DAYS)), chance)
        tasks = await self.db.fetch("select kind, subject_id, opened_at, done_at from task")
        self.oracle.end(await self._texts(), [dict(row) for row in tasks])


def _nobody_answers(*_: Any) -> None:
    raise ConnectionRefusedError


def _is_due(row: dict[str, Any], now: datetime) -> bool:
    return bool(row["state"] == "scheduled" and row["claimable_at"] <= now)


@asynccontextmanager
async def world_of(postgres: Server, made: Made, pace: Pace, *, texts_at_once: int) -> AsyncIterator[World]:
    """A copy of what was made, and one worker in it."""
    async with postgres.fresh_database(template=made.template) as urls, superuser(urls) as db:
        await db.set_type_codec("jsonb", encoder=str, decoder=json.loads, schema="pg_catalog")
        app, worker, clock = Database(urls.app), Database(urls.worker), FixedClock(MADE_AT)
        hers = copy.deepcopy(list(made.hers))
        oracle = Oracle(
            clock.now, {her.survivor_id: her for her in hers}, pace.segments_per_second, pace.burst_segments
        )
        carrier = WeekCarrier(clock.now, tell_now=_not_yet, hand=oracle.hand)
        sender = Sender(worker, carrier, made.keyring, clock, "https://texts.example.test", pace=pace)
        work = Work(sender, texts_at_once=texts_at_once, text_unlisted_seconds=900)
        world = World(made, clock, app, db, carrier, oracle, hers, work)
        object.__setattr__(world.work, "stopping", Rest(world))
        carrier.tell_now, carrier.about, carrier.pass_time = world.tell, world.about, world.pass_time
        oracle.hours_ever.update({her.agency_id: 0 for her in hers})
        for agency_id in made.coordinators:
            oracle.hours_ever[agency_id] = len(NETWORK_HOURS)
        try:
            yield world
        finally:
            await app.close()
            await worker.close()


async def _not_yet(_call: Call) -> None:
    raise AssertionError("nobody is there yet")

"""What each statement costs that runs each second or for every text, beside more and more texts that have gone.

    python -m benchmarks.claims                             # beside 10,000 and 1,000,000 past texts
    python -m benchmarks.claims --past 10000 1000000 50000000
    python -m benchmarks.claims --claims 100000             # what so many claims leave of the table

Makes an embedded server of its own (fsync on) and fills the tables by SQL in the server. Then the jobs themselves run,
as the worker's role, and read pages as a coordinator does; the server's own auto_explain measures every statement they
send, as it was sent: milliseconds within the server without the time of measuring each row, and blocks of 8 KiB looked
at. What is flat costs as many blocks beside many past texts as beside few; an index that has grown by a level costs one
more. Milliseconds say less, on a machine that is busy. Everything is gone afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

import asyncpg
from rich.console import Console
from rich.table import Table

from benchmarks.made_texts import Survivor, make_due, make_survivors
from benchmarks.past_texts import BIG, fill_past
from referralnet.clock import SystemClock
from referralnet.database.acting import Custodian, Nobody
from referralnet.database.embedded import EmbeddedPostgres
from referralnet.database.migrating import migrate
from referralnet.database.transactions import Database
from referralnet.encryption.held_keyring import HeldKeyring
from referralnet.jobs import (
    apply_callbacks,
    ask_about_texts,
    erase_texts,
    forget_callbacks,
    plan_texts,
    read_inbound,
    reconfirm_contacts,
    replan_texts,
    send_texts,
    settle_unknown,
    sweep_leases,
    watch_carrier,
    watch_failing,
)
from referralnet.jobs.work import Work
from referralnet.messaging.cancelling import cancel_texts
from referralnet.messaging.carriers import Accepted, RemoteText, Report, Written
from referralnet.messaging.reading import list_texts, list_texts_to
from referralnet.messaging.receiving import keep_callback, keep_inbound
from referralnet.messaging.sending import Sender
from referralnet.messaging.tables import TextState

AGENCIES, DUE, LOOKS = 20, 60, 3
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
_PLANS = re.compile(r"duration: ([\d.]+) ms  plan:\n((?:\t.*\n?)+)")
_VALUES = re.compile(r"\s+")


@dataclass
class QuickCarrier:
    """Takes every text at once, and lists nothing."""

    name: str = "quick"
    timeout_seconds: float = 5.0
    lists: bool = True
    taken: list[str] = field(default_factory=list)

    async def send(self, to: str, body: str, *, reference: str, callback_url: str, validity_seconds: int) -> Accepted:
        del to, body, callback_url, validity_seconds
        self.taken.append(reference)
        return Accepted(f"SM{reference}")

    async def list_recent(self, to: str, since: datetime) -> Sequence[RemoteText]:
        del to, since
        return ()

    async def look_up(self, sid: str) -> RemoteText | None:
        del sid
        return None

    def knows(self, sid: str) -> bool:
        return sid.startswith("SM")

    async def erase(self, sid: str, *, inbound: bool) -> None:
        del sid, inbound

    async def close(self) -> None:
        return None


@dataclass(frozen=True)
class Cost:
    """Of one run of a statement."""

    milliseconds: float
    blocks: int


@dataclass
class Measuring:
    """Reads what auto_explain wrote since it was last asked."""

    log: Path
    _read: int = 0

    def since_last(self) -> Iterator[tuple[str, Cost]]:
        """Each statement with what it cost."""
        with self.log.open("rb") as file:
            file.seek(self._read)
            said = file.read()
        self._read += len(said)
        for found in _PLANS.finditer(said.decode(errors="replace")):
            plan = json.loads(found[2])
            top = plan["Plan"]
            blocks = top["Shared Hit Blocks"] + top["Shared Read Blocks"]
            yield _VALUES.sub(" ", plan["Query Text"]).strip(), Cost(float(found[1]), blocks)


class Bench:
    """The database, and everything that looks at it."""

    def __init__(
        self, postgres: EmbeddedPostgres, db: Connection, survivors: Sequence[Survivor], ring: HeldKeyring
    ) -> None:
        self.db, self.survivors, self._keyring = db, survivors, ring
        self._worker = Database(postgres.url("referralnet_worker", "benchmark"))
        self._app = Database(postgres.url("referralnet_app", "benchmark"))
        self._sender = Sender(self._worker, QuickCarrier(), ring, SystemClock(), "http://127.0.0.1:1")
        self._sockets = str(postgres.sockets)
        self._measuring = Measuring(postgres.slot / "server.log")
        self._past = 0

    async def fill(self, past: int) -> float:
        """Put texts that have gone into the tables until there are so many; returns how many seconds it took."""
        agencies = sorted({survivor.agency_id for survivor in self.survivors})
        since, self._past = self._past, past
        return await fill_past(self._connect, agencies, since=since, until=past)

    async def _connect(self) -> Connection:
        return await asyncpg.connect(host=self._sockets, user="postgres", database="benchmark")

    async def measure(self) -> dict[tuple[str, str], list[Cost]]:
        """Let each job run some times, with something to do; returns what its statements cost."""
        costs: dict[tuple[str, str], list[Cost]] = defaultdict(list)
        list(self._measuring.since_last())
        for _ in range(LOOKS):
            await self._make_work()
            for name, act in self._acts().items():
                await act()
                for statement, cost in self._measuring.since_last():
                    costs[name, statement].append(cost)
        return costs

    async def _make_work(self) -> None:
        now = datetime.now(UTC)
        await self.db.execute("delete from text_message where created_at > now() - interval '9 days'")
        await make_due(self.db, self.survivors, DUE, since=now - timedelta(minutes=1), within=timedelta(seconds=1))
        for number, survivor in enumerate(self.survivors[:3]):
            async with self._app.transaction(Nobody()) as session:
                report = Report(f"SM{number}", TextState.DELIVERED, None)
                await keep_callback(session, text_id=uuid4(), report=report, now=now)
                await keep_inbound(session, self._keyring, Written(uuid4().hex, "+13125559999", "hello"), now=now)
            await self.db.execute(
                "insert into contact_plan_change values ($1, $2, now()) on conflict do nothing",
                survivor.id, survivor.agency_id,
            )  # fmt: skip
            await self.db.execute(
                "insert into notice (id, agency_id, referral_id, kind, occurrence, created_at) values"
                " ($1, $2, $3, 'appointment_changed', $4, now())",
                uuid4(), survivor.agency_id, survivor.referral_id, json.dumps({
                    "appointment_id": str(survivor.appointment_id), "starts_at": survivor.starts_at.isoformat(),
                    "time_zone": "UTC"}),
            )  # fmt: skip

    def _acts(self) -> dict[str, Callable[[], Awaitable[object]]]:
        work = Work(self._sender, texts_at_once=8, text_unlisted_seconds=900)
        jobs = (
            send_texts, apply_callbacks, read_inbound, plan_texts, replan_texts, sweep_leases, settle_unknown,
            ask_about_texts, watch_carrier, watch_failing, reconfirm_contacts, erase_texts, forget_callbacks,
        )  # fmt: skip
        acts: dict[str, Callable[[], Awaitable[object]]] = {}
        for job in jobs:
            acts[job.__name__.rpartition(".")[2]] = lambda job=job: job.run(work)  # type: ignore[misc]
        return acts | {"texts of one case": self._read_case, "a withdrawal": self._withdraw}

    async def _read_case(self) -> None:
        survivor = self.survivors[0]
        async with self._worker.transaction(Custodian(survivor.agency_id)) as session:
            await list_texts(session, survivor.referral_id)
            await list_texts_to(session, survivor.id)

    async def _withdraw(self) -> None:
        survivor = self.survivors[0]
        async with self._worker.transaction(Custodian(survivor.agency_id)) as session:
            await cancel_texts(session, survivor_id=survivor.id, reason="consent_withdrawn", now=datetime.now(UTC))

    async def close(self) -> None:
        """Close its connections."""
        await self._worker.close()
        await self._app.close()


def tell(costs: dict[int, dict[tuple[str, str], list[Cost]]], beside: str, *, every: bool) -> bool:
    """Print what each job's statements cost beside so many of something; whether all are flat."""
    title = f"median of each statement, by {beside}"
    table = Table("job", "statement", *(f"{past:,}: ms, blocks" for past in costs), title=title)
    few, many = min(costs), max(costs)
    flat = True
    for job, statement in costs[few]:
        cells, blocks = [], {}
        for past, found in costs.items():
            runs = found.get((job, statement), [])
            blocks[past] = statistics.median(run.blocks for run in runs) if runs else 0
            cells.append(
                f"{statistics.median(run.milliseconds for run in runs):.2f}, {blocks[past]:.0f}" if runs else ""
            )
        # An index of many texts is some levels higher; three indexes of three more levels are not yet a slope.
        steep = blocks[many] > 2 * blocks[few] + 10
        flat = flat and not steep
        if every or steep or "text_message" in statement:
            table.add_row(job, f"{'STEEP ' if steep else ''}{statement[:90]}", *cells)
    Console(width=200).print(table)
    return flat


async def claims_leave(db: Connection, survivors: Sequence[Survivor], count: int) -> None:
    """Claim and mark so many texts as the worker does, some at a time, and say what it leaves of the table."""
    console = Console()
    size = "select pg_total_relation_size('text_message') as whole, pg_relation_size('text_message') as rows"
    await db.execute("delete from text_message where created_at > now() - interval '9 days'")
    await make_due(db, survivors, count, since=datetime.now(UTC) - timedelta(minutes=1), within=timedelta(seconds=1))
    await db.execute("vacuum (analyze) text_message")
    await db.execute("select pg_stat_reset_single_table_counters('text_message'::regclass)")
    before = await db.fetchrow(size)
    while await db.fetchval(
        """with next_ones as (select id from text_message where state = 'scheduled' order by claimable_at limit 500),
             claimed as (update text_message set state = 'claimed', fence = fence + 1, attempts = attempts + 1,
               lease_until = now() + interval '30 seconds', to_sealed = decode(repeat('00', 60), 'hex'),
               body_sealed = decode(repeat('00', 160), 'hex') from next_ones where text_message.id = next_ones.id
               returning text_message.id)
           select count(*) from claimed"""
    ):
        await db.execute(
            "update text_message set state = 'accepted', lease_until = null, carrier_sid = 'SM' || id::text"
            " where state = 'claimed'"
        )
    after = await db.fetchrow(size)
    await asyncio.sleep(1)
    moved = await db.fetchrow("select * from pg_stat_user_tables where relname = 'text_message'")
    assert before is not None
    assert after is not None
    assert moved is not None
    console.print(
        f"{count:,} claims, each marked: {moved['n_tup_upd']:,} updates, {moved['n_tup_hot_upd']:,} of them in place;"
        f" rows {before['rows'] >> 20:,} to {after['rows'] >> 20:,} MB, with indexes {before['whole'] >> 20:,} to"
        f" {after['whole'] >> 20:,} MB; dead {moved['n_dead_tup']:,}, autovacuum ran {moved['autovacuum_count']} times"
    )


async def run(asked: argparse.Namespace, postgres: EmbeddedPostgres) -> bool:
    """Fill, measure, fill more, measure again."""
    keyring = HeldKeyring.generate()
    server = await asyncpg.connect(host=str(postgres.sockets), user="postgres", database="postgres")
    await server.execute("create database benchmark owner referralnet_owner")
    await server.close()
    await migrate(postgres.url("referralnet_owner", "benchmark"))
    db = await asyncpg.connect(host=str(postgres.sockets), user="postgres", database="benchmark")
    await db.execute("set session_replication_role = replica")
    for role in ("referralnet_worker", "referralnet_app"):
        for name, value in {
            "session_preload_libraries": "auto_explain", "auto_explain.log_min_duration": "0",
            "auto_explain.log_analyze": "on", "auto_explain.log_buffers": "on", "auto_explain.log_timing": "off",
            "auto_explain.log_format": "json",
        }.items():  # fmt: skip
            await db.execute(f"alter role {role} in database benchmark set {name} = '{value}'")
    bench = Bench(postgres, db, await make_survivors(db, keyring, AGENCIES), keyring)
    costs: dict[int, dict[tuple[str, str], list[Cost]]] = {}
    for past in sorted(asked.past):
        seconds = await bench.fill(past)
        size = await db.fetchval("select pg_database_size('benchmark')")
        Console().print(f"{past:,} past texts: filled in {seconds:.0f} s, {size >> 20:,} MB")
        costs[past] = await bench.measure()
    flat = tell(costs, "past texts", every=asked.every)
    if asked.claims:
        await claims_leave(db, bench.survivors, asked.claims)
        left = {0: costs[max(costs)], asked.claims: await bench.measure()}
        tell(left, "claims since the last vacuum", every=asked.every)
        for table in BIG:
            await db.execute(f"vacuum {table}")
        left[asked.claims] = await bench.measure()
        tell(left, "claims, then a vacuum as the table asks for it", every=asked.every)
    await bench.close()
    await db.close()
    return flat


def main() -> None:
    """Start a private server, measure, stop it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--past", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--claims", type=int, default=0)
    parser.add_argument("--every", action="store_true", help="statements about other tables as well")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="referralnet-benchmark-") as made:
        folder = Path(made)
        folder.chmod(0o711)  # where we are root, the server runs as nobody
        postgres = EmbeddedPostgres(folder / "pg")
        postgres.start()
        try:
            flat = asyncio.run(run(asked, postgres))
        finally:
            postgres.stop()
    Console().print("flat" if flat else "NOT flat")


if __name__ == "__main__":
    main()

"""How many texts a second three workers claim, hand over and mark, how late texts are, and whether one was lost.

    python -m benchmarks.texts                      # 6,000 texts due at once, then 6,000 due one after another
    python -m benchmarks.texts --texts 100000 --within 60   # so many due within a minute, and nothing after them
    python -m benchmarks.texts --rate 200           # the carrier's rate, in segments a second, binds
    python -m benchmarks.texts --stop               # all workers are asked to stop in the middle, and others go on

Makes an embedded server of its own that keeps what is committed (fsync on), texts of 50 agencies by a fixed seed, one
of them with seven times its share, and starts real worker processes that send over HTTP to a carrier that answers at
once (benchmarks/quick_carrier.py). Everything is judged, sealed and committed as ever. Beside the wall clock it prints
for how long processes were on a core for each text, which holds on a busy machine. Everything is gone afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias
from uuid import UUID

import asyncpg
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.made_texts import Survivor, make_due, make_survivors
from referralnet.database.embedded import EmbeddedPostgres
from referralnet.database.migrating import migrate
from referralnet.encryption.held_keyring import HeldKeyring

AGENCIES = 50
READY_SECONDS = 10
"""For what workers do at their start; and as many more as it takes to make the texts."""
MADE_A_SECOND = 4_000
LOOKED_AT_EVERY_SECONDS = 1.0
TOLD_EVERY_SECONDS = 5.0
OPEN = "select count(*) from text_message where state in ('scheduled', 'claimed')"
LISTENING = "select count(*) from pg_stat_activity where query ilike 'listen%' and usename = 'referralnet_worker'"
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@dataclass(frozen=True)
class Wanted:
    """What was asked for on the command line."""

    texts: int
    workers: int
    at_once: int
    rate: float | None
    answer_seconds: float
    within: float | None
    stop: bool


@dataclass(frozen=True)
class Measured:
    """One run: when each text was handed over, and what came of all."""

    seconds: float
    taken: dict[UUID, list[float]]
    states: Counter[str]
    on_core: dict[str, float]
    """Milliseconds on a core for each text, by who."""


@contextmanager
def carrier(answer_seconds: float) -> Iterator[tuple[str, int]]:
    """The carrier's address and process id."""
    command = [sys.executable, "-m", "benchmarks.quick_carrier", str(answer_seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}", process.pid
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def start_workers(wanted: Wanted, worker_url: str, keyring: HeldKeyring, carrier_url: str) -> list[psutil.Popen]:
    """Real worker processes, as they are run for others."""
    settings = {
        "database_worker_url": worker_url, "keyring": keyring.dump(), "carrier": "twilio", "log_level": "error",
        "twilio_base_url": carrier_url, "twilio_account_sid": "AC0", "twilio_auth_token": "token",
        "twilio_from_number": "+15005550006", "texts_at_once": str(wanted.at_once),
        "database_connections_max": str(wanted.at_once + 4),
    }  # fmt: skip
    if wanted.rate:
        settings["carrier_segments_per_second"] = str(wanted.rate)
    environment = {**os.environ, **{f"REFERRALNET_{name.upper()}": value for name, value in settings.items()}}
    command = [sys.executable, "-m", "referralnet", "worker"]
    return [psutil.Popen(command, env=environment) for _ in range(wanted.workers)]


def stop_workers(workers: Sequence[psutil.Popen]) -> None:
    """As an operator does it: they finish what is in hand."""
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.wait()


def on_core_seconds(process_ids: Sequence[int]) -> float:
    """How long these processes and their children have been on a core."""
    total = 0.0
    for process_id in process_ids:
        process = psutil.Process(process_id)
        for one in (process, *process.children(recursive=True)):
            times = one.cpu_times()
            total += times.user + times.system
    return total


async def measure(
    db: Connection, wanted: Wanted, survivors: Sequence[Survivor], urls: dict[str, str], server_id: int,
    keyring: HeldKeyring, within: timedelta,
) -> tuple[Measured, dict[UUID, tuple[int, float]]]:  # fmt: skip
    """Make texts, let workers send them, and look at what was taken.

    Returns:
        what was measured, and of each text its priority and when it was due.
    """
    await db.execute("truncate text_message, task, audit_event, audit_link cascade")
    with carrier(wanted.answer_seconds) as (carrier_url, carrier_id):
        workers = start_workers(wanted, urls["worker"], keyring, carrier_url)
        groups = {"workers": [worker.pid for worker in workers], "PostgreSQL": [server_id], "carrier": [carrier_id]}
        try:
            while await db.fetchval(LISTENING) < wanted.workers:  # noqa: ASYNC110 (other processes start)
                await asyncio.sleep(0.25)
            due_at = datetime.now(UTC) + timedelta(seconds=READY_SECONDS + wanted.texts / MADE_A_SECOND)
            await make_due(db, survivors, wanted.texts, since=due_at, within=within)
            await db.execute("vacuum analyze text_message")
            due = {row["id"]: (row["priority"], row["due_at"].timestamp()) for row in await db.fetch(
                "select id, priority, due_at from text_message")}  # fmt: skip
            await asyncio.sleep((due_at - datetime.now(UTC)).total_seconds())
            before = {who: on_core_seconds(ids) for who, ids in groups.items()}
            told_at = 0.0
            while left := await db.fetchval(OPEN):
                if time.monotonic() - told_at >= TOLD_EVERY_SECONDS:
                    told_at = time.monotonic()
                    Console().print(f"{wanted.texts - left:,} of {wanted.texts:,}")
                if wanted.stop and left < wanted.texts / 2:
                    stop_workers(workers)
                    states = Counter({r["state"]: r["count"] for r in await db.fetch(
                        "select state, count(*) from text_message group by 1")})  # fmt: skip
                    Console().print(f"all stopped: {dict(states)}")
                    workers = start_workers(wanted, urls["worker"], keyring, carrier_url)
                    groups["workers"], wanted = [worker.pid for worker in workers], replace(wanted, stop=False)
                await asyncio.sleep(LOOKED_AT_EVERY_SECONDS)
            after = {who: on_core_seconds(ids) for who, ids in groups.items()}
        finally:
            stop_workers(workers)
        lines = [line.split() for line in await asyncio.to_thread(_read, f"{carrier_url}/taken")]
    taken: dict[UUID, list[float]] = {}
    for text_id, at in lines:
        taken.setdefault(UUID(text_id), []).append(float(at))
    states = Counter(
        {r["state"]: r["count"] for r in await db.fetch("select state, count(*) from text_message group by 1")}
    )
    seconds = max(at for ats in taken.values() for at in ats) - min(at for ats in taken.values() for at in ats)
    on_core = {who: (after[who] - before[who]) * 1000 / wanted.texts for who in groups}
    return Measured(seconds, taken, states, on_core), due


def _read(url: str) -> list[str]:
    with urllib.request.urlopen(url) as answer:  # noqa: S310 (on loopback)
        return str(answer.read().decode()).splitlines()


def tell(console: Console, title: str, measured: Measured, due: dict[UUID, tuple[int, float]]) -> None:
    """Print one run as a table."""
    table = Table("", "", title=title)
    table.add_row("texts a second", f"{len(measured.taken) / measured.seconds:,.0f}")
    for name, wanted_priority in (("urgent", 0), ("routine", 1)):
        late = sorted(ats[0] - due[text][1] for text, ats in measured.taken.items() if due[text][0] == wanted_priority)
        cuts = statistics.quantiles(late, n=100)
        table.add_row(f"lateness of {name}, seconds: p50, p99", f"{cuts[49]:.2f}, {cuts[98]:.2f}")
    for who, milliseconds in measured.on_core.items():
        table.add_row(f"ms on a core for each text: {who}", f"{milliseconds:.2f}")
    doubled = sum(len(ats) > 1 for ats in measured.taken.values())
    lost = len(due.keys() - measured.taken.keys())
    table.add_row("lost, doubled", f"{lost}, {doubled}")
    table.add_row("states", ", ".join(f"{state} {count:,}" for state, count in sorted(measured.states.items())))
    console.print(table)


async def run(wanted: Wanted, postgres: EmbeddedPostgres) -> None:
    """Make the agencies, then measure a flood and a stream."""
    console, keyring = Console(width=110), HeldKeyring.generate()
    server = await asyncpg.connect(host=str(postgres.sockets), user="postgres", database="postgres")
    await server.execute("create database benchmark owner referralnet_owner")
    await server.close()
    urls = {role: postgres.url(f"referralnet_{role}", "benchmark") for role in ("owner", "worker")}
    await migrate(urls["owner"])
    db = await asyncpg.connect(host=str(postgres.sockets), user="postgres", database="benchmark")
    await db.execute("set session_replication_role = replica")
    survivors = await make_survivors(db, keyring, AGENCIES)

    async def one(title: str, within: timedelta) -> Measured:
        measured, due = await measure(db, wanted, survivors, urls, postgres.process_id, keyring, within)
        tell(console, title, measured, due)
        return measured

    if wanted.within:
        await one(f"{wanted.texts:,} texts due within {wanted.within:.0f} s, {wanted.workers} workers",
                  timedelta(seconds=wanted.within))  # fmt: skip
        await db.close()
        return
    flood = await one(f"{wanted.texts:,} texts due at once, {wanted.workers} workers", timedelta(milliseconds=1))
    if not (wanted.stop or wanted.rate):
        within = timedelta(seconds=flood.seconds / 0.7)
        await one(f"{wanted.texts:,} texts due within {within.total_seconds():.0f} s", within)
    await db.close()


def main() -> None:
    """Start a private server, measure, stop it."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--texts", type=int, default=6_000)
    asked.add_argument("--workers", type=int, default=3)
    asked.add_argument("--at-once", type=int, default=16)
    asked.add_argument("--rate", type=float)
    asked.add_argument("--answer-seconds", type=float, default=0.0)
    asked.add_argument("--within", type=float)
    asked.add_argument("--stop", action="store_true")
    wanted = Wanted(**vars(asked.parse_args()))
    with tempfile.TemporaryDirectory(prefix="referralnet-benchmark-") as made:
        folder = Path(made)
        folder.chmod(0o711)  # where we are root, the server runs as nobody
        postgres = EmbeddedPostgres(folder / "pg")
        postgres.start()
        try:
            asyncio.run(run(wanted, postgres))
        finally:
            postgres.stop()


if __name__ == "__main__":
    main()

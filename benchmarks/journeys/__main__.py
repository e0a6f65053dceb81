"""Three journeys through the API, and the same questions asked in other ways, on one made-up network.

    python -m benchmarks.journeys                                   # 100,000 services, 200,000 referrals
    python -m benchmarks.journeys --services 5000 --referrals 20000 --rounds 2 --seconds 1
    python -m benchmarks.journeys --services 1000000 --journeys A   # several minutes to make

A: a member searches the directory by a word and a kind within a radius; the first 20 services with what belongs to
them. B: an intake worker opens her agency's inbox; the first 50 referrals with what is needed and what has happened. C:
she accepts a referral: its state, its event, what is told to others, her task, the trail and the idempotency key, in
one transaction.

Everybody is a server process of its own on this machine, asked by eight clients in a closed loop; pgbench sends the SQL
alone. All of them are asked first, and must answer the same. Then each has its turn in every round. Told are medians
over the rounds, with the lowest and the highest; ratios are of turns of one round.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import asyncpg
import orjson

from benchmarks.journeys.contenders import BEST_ORM, HAND_WRITTEN, REFERRALNET, USUAL_ORM, Contender, Running
from benchmarks.journeys.floor import Floor, keep_searches
from benchmarks.journeys.measuring import Bench, expect_same_answers, play
from benchmarks.journeys.network import Network, make_network
from benchmarks.journeys.peers.postgraphile import bring_postgraphile
from benchmarks.journeys.questions import SEED_TO_MEASURE, SEED_TO_TUNE, Search, draw_searches
from benchmarks.journeys.telling import tell_table
from benchmarks.made_directory import make_directory
from referralnet.database.acting import Operator
from referralnet.database.embedded import EmbeddedPostgres
from referralnet.database.migrating import migrate
from referralnet.database.transactions import Database
from referralnet.directory.entry_names import rewrite_names

CONTENDERS = (REFERRALNET, HAND_WRITTEN, USUAL_ORM, BEST_ORM)
COMPARED = 30
SEARCHES = 100


async def make_database(sockets: str, services: int, referrals: int, seed: int) -> tuple[Network, list[Search]]:
    """By the migrations; what is in it, and what is searched for in it."""
    server = await asyncpg.connect(host=sockets, user="postgres", database="postgres")
    await server.execute("create database benchmark owner referralnet_owner")
    await server.close()
    url = f"postgresql+asyncpg://referralnet_owner@/benchmark?host={sockets}"
    await migrate(url)
    maker = await asyncpg.connect(host=sockets, user="referralnet_owner", database="benchmark")
    words = await make_directory(maker, services)
    await maker.close()
    owner = Database(url, command_timeout_seconds=3600)
    async with owner.transaction(Operator()) as session:
        await rewrite_names(session, "made")
    await owner.close()
    connection = await asyncpg.connect(host=sockets, user="postgres", database="benchmark")
    network = await make_network(connection, referrals)
    await connection.execute("vacuum analyze")
    searches = await draw_searches(connection, words, seed, SEARCHES)
    await keep_searches(connection, searches)
    await connection.close()
    return network, searches


@contextmanager
def serving(contenders: list[Contender], sockets: str, folder: Path) -> Iterator[list[Running]]:
    """Every contender as a process of its own, until this is left."""
    runnings: list[Running] = []
    try:
        for number, contender in enumerate(contenders):
            runnings.append(Running.start(contender, sockets, folder / f"server{number}.log"))
        yield runnings
    finally:
        for running in runnings:
            running.stop()


async def run(given: argparse.Namespace, server: EmbeddedPostgres, folder: Path) -> None:
    """Make the network, start everybody, compare, measure, tell."""
    began = time.monotonic()
    sockets = str(server.sockets)
    seed = SEED_TO_TUNE if given.tune else SEED_TO_MEASURE
    network, searches = await make_database(sockets, given.services, given.referrals, seed)
    tell(f"{given.services:,} services, {network.referrals:,} referrals made in {time.monotonic() - began:.0f} s")
    contenders = [contender for contender in CONTENDERS if not given.only or given.only in contender.name]
    postgraphile = None if given.only else await bring_postgraphile(folder, sockets, tell)
    contenders += [postgraphile] if postgraphile else []
    connection = await asyncpg.connect(host=sockets, user="postgres", database="benchmark")
    floor = Floor(sockets, network, len(searches), given.clients)
    bench = Bench(folder, connection, server.process_id, network, searches, floor, given.clients, given.seconds)
    with serving(contenders, sockets, folder) as runnings:
        await expect_same_answers(bench, runnings, COMPARED)
        tell(f"{len(runnings)} servers answer the same")
        turns = await play(bench, runnings, given.journeys, given.rounds, tell)
        tell_table(turns, {running.contender.name: running.start_seconds for running in runnings})
    await connection.close()
    if given.save:
        given.save.write_bytes(orjson.dumps(turns, default=asdict))


def tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def main() -> None:
    """Start a private server, measure, stop it."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--services", type=int, default=100_000)
    asked.add_argument("--referrals", type=int, default=200_000)
    asked.add_argument("--rounds", type=int, default=7)
    asked.add_argument("--seconds", type=float, default=3.0, help="of each turn")
    asked.add_argument("--clients", type=int, default=8)
    asked.add_argument("--journeys", default="ABC")
    asked.add_argument("--only", help="only contenders with this in their name, beside pgbench")
    asked.add_argument("--tune", action="store_true", help="search for other things than are measured with")
    asked.add_argument("--save", type=Path, help="write every turn into this file, as JSON")
    given = asked.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="referralnet-benchmark-"))
    folder.chmod(0o711)  # where we are root, the server runs as nobody
    server = EmbeddedPostgres(folder / "pg", durable=False)
    server.start()
    try:
        asyncio.run(run(given, server, folder))
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

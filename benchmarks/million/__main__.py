"""How long everything that lists, searches and counts takes on a million rows, by the areas' own functions.

    python -m benchmarks.million                         # the table of docs/performance.md, in Markdown
    python -m benchmarks.million --rows 100000           # smaller, and sooner made
    python -m benchmarks.million --only public           # questions with this in their name
    python -m benchmarks.million --folder /var/tmp/million  # keeps what was made, and finds it again

A million services, tasks and events of the trail, and a fifth as many referrals, on a server with 4 GB of buffers, and
read once before the first question. Each is asked 200 times, each time with other arguments, as whoever may ask it, by
the application's role under row security. Milliseconds: of the whole call with its transaction, as this process waits
for it, and what of it the server's process was on a core, which says more on a busy machine.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import asyncpg
from sqlalchemy import text

from benchmarks.journeys.processes import milliseconds_on_core
from benchmarks.million import directory, lists
from benchmarks.million.drawing import Known, Question, look_around
from benchmarks.million.making import DATABASE, Size, make
from referralnet.database.acting import Nobody
from referralnet.database.embedded import EmbeddedPostgres
from referralnet.database.transactions import Database
from referralnet.directory.places import prepare_places

SEED = 20_261_127
"""Of what is measured. Tune with --seed."""
WARMING = 10
ALLOWED_MILLISECONDS = 50
AREAS = (directory.members, directory.public, lists.worklists, lists.trail)


@dataclass(frozen=True, slots=True)
class Taken:
    """Milliseconds of every asking, and of the server's process on a core, each sorted."""

    waited: list[float]
    on_core: list[float]

    @property
    def too_long(self) -> bool:
        return at(self.waited, 0.99) > ALLOWED_MILLISECONDS


def at(ranked: list[float], share: float) -> float:
    """The value that so large a share stays below."""
    return ranked[min(int(len(ranked) * share), len(ranked) - 1)]


async def ask(app: Database, question: Question, askings: int, chance: Random) -> Taken:
    """Ask again and again, with other arguments each time."""
    async with app.transaction(Nobody()) as session:
        process = await session.scalar(text("select pg_backend_pid()"))
    waited, on_core = [], []
    for number in range(-WARMING, askings):
        call = question.draw(chance)
        began, core_began = time.perf_counter(), milliseconds_on_core(process)
        async with app.transaction(question.actor) as session:
            await call(session)
        if number >= 0:
            waited.append((time.perf_counter() - began) * 1000)
            on_core.append(milliseconds_on_core(process) - core_began)
    return Taken(sorted(waited), sorted(on_core))


async def make_what_is_missing(sockets: str, rows: int) -> None:
    """Make the database, and have the server hold it in memory from its next start on."""
    superuser = await asyncpg.connect(host=sockets, user="postgres", database="postgres")
    if not await superuser.fetchval("select exists (select from pg_database where datname = $1)", DATABASE):
        began = time.monotonic()
        await make(sockets, Size.of(rows))
        await superuser.execute("alter system set shared_buffers = '4GB'")
        sys.stderr.write(f"{rows:,} rows of each made in {time.monotonic() - began:.0f} s\n")
    await superuser.close()


async def read_all_there_is(superuser: asyncpg.Connection[asyncpg.Record]) -> None:
    """Have it in memory, as where the server has been up for a while: what is measured is no disk."""
    await superuser.execute("create extension if not exists pg_prewarm")
    await superuser.execute(
        "select pg_prewarm(oid) from pg_class where relkind in ('r', 'i') and relnamespace = 'public'::regnamespace"
    )


async def run(sockets: str, given: argparse.Namespace) -> None:
    """Ask everything, print."""
    prepare_places()
    superuser = await asyncpg.connect(host=sockets, user="postgres", database=DATABASE)
    known = await look_around(superuser)
    await read_all_there_is(superuser)
    await superuser.close()
    # As in `referralnet serve`: else this process looks for garbage among all places while it waits.
    gc.collect()
    gc.freeze()
    # One connection, so that the server's process is known.
    app = Database(f"postgresql+asyncpg://referralnet_app@/{DATABASE}?host={sockets}", connections_max=1)
    slow = []
    sys.stdout.write("| question | p50 ms | p99 ms | on a core: p50 | p99 |\n|---|---|---|---|---|\n")
    for question in questions(known, given.only):
        taken = await ask(app, question, given.askings, Random(f"{given.seed} {question.name}"))  # noqa: S311
        slow += [question.name] if taken.too_long else []
        figures = [at(ranked, share) for ranked in (taken.waited, taken.on_core) for share in (0.5, 0.99)]
        sys.stdout.write(f"| {question.name} | {' | '.join(f'{figure:.1f}' for figure in figures)} |\n")
        sys.stdout.flush()
    await app.close()
    sys.stdout.write(f"\nOver {ALLOWED_MILLISECONDS} ms at p99: {'; '.join(slow) or 'none'}.\n")


def questions(known: Known, only: str) -> Iterator[Question]:
    for area in AREAS:
        yield from (question for question in area(known) if only in question.name)


def main() -> None:
    """Start a private server, ask, stop it."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--rows", type=int, default=1_000_000)
    asked.add_argument("--askings", type=int, default=200)
    asked.add_argument("--only", default="", help="questions with this in their name")
    asked.add_argument("--folder", type=Path, help="where the database is kept; without it, it is made and thrown away")
    asked.add_argument("--seed", type=int, default=SEED, help="another one to tune with")
    given = asked.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="referralnet-benchmark-"))
    folder.mkdir(exist_ok=True)
    folder.chmod(0o711)  # where we are root, the server runs as nobody
    postgres = EmbeddedPostgres(folder / "pg", durable=False)
    postgres.start()
    try:
        asyncio.run(make_what_is_missing(str(postgres.sockets), given.rows))
        postgres.stop()
        postgres.start()
        asyncio.run(run(str(postgres.sockets), given))
    finally:
        postgres.stop()
        if given.folder is None:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

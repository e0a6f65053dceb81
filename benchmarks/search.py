"""How long a search takes on a directory of 100,000 services, against reading one row by its key.

    python -m benchmarks.search                     # 100,000 services
    python -m benchmarks.search --services 1000000  # several minutes to make
    python -m benchmarks.search --plans             # with what each statement reads

Everything real is on: the application's role, row security, the actor's settings. One client; the numbers are of whole
calls (SQL, driver, rows into hits), and their ratio to a read of one row by its key, which travels better.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
from rich.console import Console
from rich.table import Table
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks.made_directory import make_directory
from referralnet.database.acting import Member, Operator, Role
from referralnet.database.embedded import EmbeddedPostgres
from referralnet.database.migrating import migrate
from referralnet.database.transactions import Database
from referralnet.directory.entry_names import rewrite_names
from referralnet.directory.places import prepare_places
from referralnet.directory.search import DirectoryQuery, prepare, search
from referralnet.directory.search_facets import search_facets
from referralnet.directory.search_sql import search_statement
from referralnet.directory.suggesting import suggest_names
from referralnet.encryption.held_keyring import HeldKeyring
from tests.factories.identity import make_agency, make_member

NOW = datetime.now(UTC)
RUNS = 40
Call = Callable[[AsyncSession], Awaitable[object]]


def queries(words: list[str]) -> dict[str, DirectoryQuery]:
    """The kinds of question, by name: those that few listings answer, and those that most do."""
    rare, frequent = words[-3], words[2]
    near = {"zip_code": "60601", "within_kilometers": 40.0}
    return {
        "narrow: a rare word": DirectoryQuery(words=rare),
        "narrow: kind and word near a ZIP code": DirectoryQuery(words=frequent, categories=("t_visa",), **near),  # type: ignore[arg-type]
        "narrow: kind, Spanish, tonight, near": DirectoryQuery(
            categories=("emergency_shelter",),
            languages=("es",),
            available_tonight=True,
            **near,  # type: ignore[arg-type]
        ),
        "narrow: a county": DirectoryQuery(areas=("county:IL/cook",), categories=("legal",)),
        "broad: everything": DirectoryQuery(),
        "broad: a frequent word": DirectoryQuery(words=frequent),
        "broad: a wide kind": DirectoryQuery(categories=("legal",)),
        "broad: a wide kind in Spanish": DirectoryQuery(categories=("legal",), languages=("es",)),
        "broad: open now": DirectoryQuery(open_at=NOW),
        "broad: free, for women, of 20 years": DirectoryQuery(costs=("free",), gender="women", age=20),
        "broad: tonight": DirectoryQuery(available_tonight=True),
        "broad: accepting now": DirectoryQuery(accepting_now=True),
        "broad: within 300 km": DirectoryQuery(zip_code="60601", within_kilometers=300.0),
    }


async def measure(database: Database, member: Member, call: Call) -> tuple[float, float]:
    """Median and 95th percentile of a call within its transaction, in milliseconds."""
    taken = []
    for _ in range(RUNS):
        async with database.transaction(member) as session:
            await session.execute(text("select 1"))
            began = time.perf_counter()
            await call(session)
            taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken), statistics.quantiles(taken, n=20)[-1]


async def tables_read(database: Database, member: Member, query: DirectoryQuery) -> tuple[float, list[str]]:
    """Milliseconds that the database says it took, and each scan of its plan."""
    async with database.transaction(member) as session:
        asked = await prepare(session, query, NOW)
        statement, names = search_statement(asked.shape)
        typed = statement._bindparams.values()  # noqa: SLF001 (SQLAlchemy has no public way to explain a statement)
        explain = text(f"explain (analyze, timing off) {statement.text}").bindparams(*typed)
        plan: list[str] = []
        for _ in range(2):
            plan = list((await session.execute(explain, {name: asked.values[name] for name in names})).scalars())
    took = float(re.findall(r"Execution Time: ([\d.]+)", plan[-1])[0])
    return took, [line.split("(cost")[0].strip(" ->") for line in plan if " Scan" in line and "CTE" not in line]


async def run(services: int, *, plans: bool, sockets: str) -> None:
    """Make the directory, then ask."""
    console = Console(width=110)
    server = await asyncpg.connect(host=sockets, user="postgres", database="postgres")
    await server.execute("create database benchmark owner referralnet_owner")
    urls = {role: f"postgresql+asyncpg://referralnet_{role}@/benchmark?host={sockets}" for role in ("owner", "app")}
    await migrate(urls["owner"])
    owner, app = Database(urls["owner"], command_timeout_seconds=3600), Database(urls["app"])
    maker = await asyncpg.connect(host=sockets, user="referralnet_owner", database="benchmark")
    began = time.perf_counter()
    words = await make_directory(maker, services)
    async with owner.transaction(Operator()) as session:
        await rewrite_names(session, "made")
    await maker.execute("vacuum analyze")
    console.print(f"{services:,} services made in {time.perf_counter() - began:.0f} s")
    member = (await make_member(owner, HeldKeyring.generate(), await make_agency(owner), [Role.COORDINATOR])).actor
    prepare_places()
    calls: dict[str, Call] = {}
    for name, query in queries(words).items():
        calls[name] = lambda session, query=query: search(session, query, now=NOW)  # type: ignore[misc]
        if name.endswith(("everything", "wide kind", "rare word")):
            calls[f"counts of {name}"] = lambda session, query=query: search_facets(session, query, now=NOW)  # type: ignore[misc]
    calls["second page of everything"] = lambda session: search(session, paged, now=NOW)
    async with app.transaction(member) as session:
        paged = replace(DirectoryQuery(), after=(await search(session, DirectoryQuery(), now=NOW))[-1].position)
    calls["a misspelled word"] = lambda session: search(session, DirectoryQuery(words=f"{words[40]}x"), now=NOW)
    for typed in ("ma", "mari", f"{words[5]} c"):
        calls[f"names for {typed!r}"] = lambda session, typed=typed: suggest_names(session, typed)  # type: ignore[misc]
    one = await maker.fetchval("select service_at_location_id from directory_entry limit 1")
    by_key = text("select service_name from directory_listing where service_at_location_id = :id")
    unit, _ = await measure(app, member, lambda session: session.execute(by_key, {"id": one}))
    table = Table("question", "p50 ms", "p95 ms", "times a read by key", title=f"One row by its key: {unit:.2f} ms")
    for name, call in calls.items():
        middle, high = await measure(app, member, call)
        table.add_row(name, f"{middle:.1f}", f"{high:.1f}", f"{middle / unit:.0f}")
    console.print(table)
    for name, query in queries(words).items():
        took, scans = await tables_read(app, member, query)
        console.print(f"{name}: {took:.1f} ms of SQL", *(sorted(set(scans)) if plans else ()), sep="\n    ")
    await maker.close()
    await server.close()
    await app.close()
    await owner.close()


def main() -> None:
    """Start a private server, measure, stop it."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--services", type=int, default=100_000)
    asked.add_argument("--plans", action="store_true")
    given = asked.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="referralnet-benchmark-"))
    folder.chmod(0o711)  # where we are root, the server runs as nobody
    postgres = EmbeddedPostgres(folder / "pg", durable=False)
    postgres.start()
    try:
        asyncio.run(run(given.services, plans=given.plans, sockets=str(postgres.sockets)))
    finally:
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

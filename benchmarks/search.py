"""How long a search takes on a directory of 100,000 services, against reading one row by its key.

    python -m benchmarks.search                     # 100,000 services
    python -m benchmarks.search --services 1000000  # several minutes to make
    python -m benchmarks.search --plans             # with what each statement reads

Everything real is on: the application's role, row security, the actor's settings. One client. Of each question: the
median of whole calls (SQL, driver, rows into hits); how long the server's process was on a core for it, planning
included, which Linux counts, so that it holds on a busy machine; the ratio of that to a read of one row by its key.
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
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
from rich.console import Console
from rich.table import Table
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks.journeys.processes import milliseconds_on_core
from benchmarks.made_directory import make_directory
from referralnet.database.acting import Actor, Member, Operator, PublicReader, Role
from referralnet.database.embedded import EmbeddedPostgres
from referralnet.database.migrating import migrate
from referralnet.database.transactions import Database
from referralnet.directory.entry_names import rewrite_names
from referralnet.directory.places import prepare_places
from referralnet.directory.projection import PublicQuery, count_public, find_public, public_page
from referralnet.directory.search import DirectoryQuery, prepare, search
from referralnet.directory.search_facets import search_facets
from referralnet.directory.search_sql import search_statement
from referralnet.directory.suggesting import suggest_names
from referralnet.encryption.held_keyring import HeldKeyring
from tests.factories.identity import make_agency, make_member

NOW = datetime.now(UTC)
RUNS = 15
Call = Callable[[AsyncSession], Awaitable[object]]


def queries(words: list[str]) -> dict[str, DirectoryQuery]:
    """The kinds of question, by name: those that few listings answer, and those that most do."""
    rare, frequent = words[-3], words[2]
    near = {"zip_code": "60601", "within_kilometers": 40.0}
    wide = {"zip_code": "60601", "within_kilometers": 300.0}
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
        "broad: a ZIP code and no radius": DirectoryQuery(zip_code="60601"),
        "broad: within 5 km": DirectoryQuery(zip_code="60601", within_kilometers=5.0),
        "broad: within 50 km": DirectoryQuery(zip_code="60601", within_kilometers=50.0),
        "broad: within 300 km": DirectoryQuery(**wide),  # type: ignore[arg-type]
        "pair: a frequent word within 300 km": DirectoryQuery(words=frequent, **wide),  # type: ignore[arg-type]
        "pair: a wide kind within 300 km": DirectoryQuery(categories=("legal",), **wide),  # type: ignore[arg-type]
        "pair: a rare word, accepting now": DirectoryQuery(words=rare, accepting_now=True),
        "pair: a frequent word, open now": DirectoryQuery(words=frequent, open_at=NOW),
        "pair: accepting now within 300 km": DirectoryQuery(accepting_now=True, **wide),  # type: ignore[arg-type]
        "counted in a week": DirectoryQuery(capacity_confirmed_since=NOW - timedelta(days=7)),
    }


async def measure(database: Database, actor: Actor, call: Call) -> tuple[float, float]:
    """Milliseconds of a call within its transaction: the median of them all, and of the server's time on a core."""
    taken, on_core = [], []
    for _ in range(RUNS):
        async with database.transaction(actor) as session:
            process = await session.scalar(text("select pg_backend_pid()"))
            began, core_began = time.perf_counter(), milliseconds_on_core(process)
            await call(session)
            taken.append((time.perf_counter() - began) * 1000)
            on_core.append(milliseconds_on_core(process) - core_began)
    return statistics.median(taken), statistics.median(on_core)


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


async def tell(console: Console, app: Database, member: Member, words: list[str], one: UUID) -> None:
    """Ask everything, and print what it took."""
    by_key = text("select service_name from directory_listing where service_at_location_id = :id")
    unit, unit_on_core = await measure(app, member, lambda session: session.execute(by_key, {"id": one}))
    title = f"One row by its key: {unit:.2f} ms, {unit_on_core:.3f} on a core"
    table = Table("question", "p50 ms", "ms on a core", "times a read by key", title=title)
    questions = [(name, member, call) for name, call in (await members_calls(app, member, words)).items()]
    questions += [(f"public: {name}", PublicReader(), call) for name, call in public_calls(words).items()]
    for name, actor, call in questions:
        middle, on_core = await measure(app, actor, call)
        table.add_row(name, f"{middle:.1f}", f"{on_core:.1f}", f"{on_core / unit_on_core:,.0f}")
    console.print(table)


async def members_calls(app: Database, member: Member, words: list[str]) -> dict[str, Call]:
    """What a member asks, by name."""
    calls: dict[str, Call] = {}
    for name, query in queries(words).items():
        calls[name] = lambda session, query=query: search(session, query, now=NOW)  # type: ignore[misc]
        if name.endswith(("everything", "wide kind", "rare word", "300 km")):
            calls[f"counts of {name}"] = lambda session, query=query: search_facets(session, query, now=NOW)  # type: ignore[misc]
    async with app.transaction(member) as session:
        paged = DirectoryQuery()
        for _ in range(20):
            paged = replace(paged, after=(await search(session, paged, now=NOW))[-1].position)
    calls["page 21 of everything"] = lambda session: search(session, paged, now=NOW)
    calls["a misspelled word"] = lambda session: search(session, DirectoryQuery(words=f"{words[40]}x"), now=NOW)
    for typed in ("ma", "mari", f"{words[5]} c"):
        calls[f"names for {typed!r}"] = lambda session, typed=typed: suggest_names(session, typed)  # type: ignore[misc]
    return calls


def public_calls(words: list[str]) -> dict[str, Call]:
    """What anybody asks over HSDS: a count and the first fifty objects."""

    def asked(table: str, query: PublicQuery) -> Call:
        async def call(session: AsyncSession) -> None:
            found = await find_public(session, table, query)
            await count_public(session, table, found)
            await public_page(session, table, found, limit=50, now=NOW)

        return call

    return {
        "services": asked("service", PublicQuery()),
        "services with a word that all have": asked("service", PublicQuery(search="center")),
        "services with a rare word": asked("service", PublicQuery(search=words[-3])),
        "places within 50 km": asked("service_at_location", PublicQuery(postcode="60601", proximity_meters=50_000)),
    }


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
    one = await maker.fetchval("select service_at_location_id from directory_entry limit 1")
    await tell(console, app, member, words, one)
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

"""What linking new events costs beside more and more that stand in a chain already.

    python -m benchmarks.trail                      # beside 100,000 and 1,000,000 linked events
    python -m benchmarks.trail --linked 100000 5000000

Makes an embedded server of its own and fills the trail by SQL in the server; the hashes are no chain, because nobody
checks it here. Then as many new events as a busy look finds are written by the worker's role and linked by the sealer
itself; auto_explain measures every statement. Everything is gone afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
from rich.console import Console

from benchmarks.claims import Cost, Measuring, tell
from referralnet.audit.chain import seal_trail
from referralnet.audit.recording import Action, record_each
from referralnet.database.acting import Custodian, Dispatcher
from referralnet.database.embedded import EmbeddedPostgres
from referralnet.database.migrating import migrate
from referralnet.database.transactions import Database

AGENCIES, NEW, LOOKS = 20, 10, 5
FILL = (
    """insert into audit_event (id, agency_id, at, action, subject_kind, subject_id)
       select gen_random_uuid(), ($3::uuid[])[1 + number % array_length($3::uuid[], 1)],
         now() - interval '1 hour' - ($2 - number) * interval '1 second', 'text_sent', 'text_message',
         gen_random_uuid()
       from generate_series($1::bigint, $2::bigint - 1) number""",
    """insert into audit_link (agency_id, position, event_id, hash)
       select agency_id, reached + row_number() over (partition by agency_id order by at), id, sha256(id::text::bytea)
       from audit_event cross join lateral (select coalesce(max(position), 0) as reached from audit_link linked
         where linked.agency_id = audit_event.agency_id) chain
       where not exists (select from audit_link where event_id = audit_event.id)""",
)

# Made at once, after the rows that they are of.
INDEXES = """select indexname, indexdef from pg_indexes
    where tablename = 'audit_event' and not starts_with(indexdef, 'CREATE UNIQUE')"""


async def run(linked: Sequence[int], postgres: EmbeddedPostgres) -> bool:
    """Fill, write and link some times, fill more; whether it is flat."""
    server = await asyncpg.connect(host=str(postgres.sockets), user="postgres", database="postgres")
    await server.execute("create database benchmark owner referralnet_owner")
    await server.execute(
        "alter role referralnet_worker in database benchmark set session_preload_libraries = 'auto_explain';"
        "alter role referralnet_worker in database benchmark set auto_explain.log_min_duration = '0';"
        "alter role referralnet_worker in database benchmark set auto_explain.log_analyze = 'on';"
        "alter role referralnet_worker in database benchmark set auto_explain.log_buffers = 'on';"
        "alter role referralnet_worker in database benchmark set auto_explain.log_timing = 'off';"
        "alter role referralnet_worker in database benchmark set auto_explain.log_format = 'json'"
    )
    await server.close()
    await migrate(postgres.url("referralnet_owner", "benchmark"))
    db = await asyncpg.connect(host=str(postgres.sockets), user="postgres", database="benchmark")
    await db.execute("set session_replication_role = replica; set work_mem = '256MB'")
    agencies = [uuid4() for _ in range(AGENCIES)]
    for agency_id in agencies:
        await db.execute(
            "insert into agency (id, name, kind, regime, time_zone) values ($1, $2, 'prosecution', 'general', 'UTC')",
            agency_id, str(agency_id),
        )  # fmt: skip
    costs: dict[int, dict[tuple[str, str], list[Cost]]] = {}
    filled = 0
    for count in sorted(linked):
        indexes = await db.fetch(INDEXES)
        for index in indexes:
            await db.execute(f"drop index {index['indexname']}")
        await db.execute(FILL[0], filled, count, agencies)
        await db.execute("analyze audit_event")
        await db.execute(FILL[1])
        for index in indexes:
            await db.execute(index["indexdef"])
        for table in ("audit_event", "audit_link", "audit_waiting"):
            await db.execute(f"vacuum (analyze) {table}")
        filled = count
        costs[count] = await measure(postgres, agencies)
    await db.close()
    return tell(costs, "linked events", every=True)


async def measure(postgres: EmbeddedPostgres, agencies: Sequence[UUID]) -> dict[tuple[str, str], list[Cost]]:
    """Write events in each custody and link them; what each statement cost."""
    worker, measuring = (
        Database(postgres.url("referralnet_worker", "benchmark")),
        Measuring(postgres.slot / "server.log"),
    )
    list(measuring.since_last())
    costs: dict[tuple[str, str], list[Cost]] = defaultdict(list)
    for _ in range(LOOKS):
        for agency_id in agencies:
            async with worker.transaction(Custodian(agency_id)) as session:
                await record_each(session, Action.TEXT_SENT, "text_message", [uuid4() for _ in range(NEW)])
        for statement, cost in measuring.since_last():
            costs["write", statement].append(cost)
        async with worker.transaction(Dispatcher()) as session:
            assert await seal_trail(session) == NEW * len(agencies)
        for statement, cost in measuring.since_last():
            costs["seal_audit", statement].append(cost)
    await worker.close()
    return costs


def main() -> None:
    """Start a private server, measure, stop it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--linked", type=int, nargs="+", default=[100_000, 1_000_000])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="referralnet-benchmark-") as made:
        folder = Path(made)
        folder.chmod(0o711)  # where we are root, the server runs as nobody
        postgres = EmbeddedPostgres(folder / "pg")
        postgres.start()
        try:
            flat = asyncio.run(run(asked.linked, postgres))
        finally:
            postgres.stop()
    Console().print("flat" if flat else "NOT flat")


if __name__ == "__main__":
    main()

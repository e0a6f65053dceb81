"""Fills the tables of texts with those that have gone, as jobs leave them, and as quickly as a server can.

An index is made at once in a fraction of the time in which it is filled row by row. So those that past rows stand in
are dropped before and made anew after; the others, which hold what waits, are left alone. Two connections fill and
build beside one another. Nothing is flushed to disk meanwhile, because all of it is thrown away if the machine fails.
In the end every index and constraint is what the migrations made, or an error says that it is not.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeAlias, TypeVar
from uuid import UUID

import asyncpg

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Work = TypeVar("Work")
BIG = ("text_message", "notice", "inbound_text", "carrier_callback", "task")
TOGETHER = 2
"""So many connections fill beside one another."""
CHUNK = 250_000
WHILE_FILLING = {
    "fsync": "off", "full_page_writes": "off", "autovacuum": "off", "max_wal_size": "'4GB'",
}  # fmt: skip
PAST_ID = """create or replace function past_id(number bigint) returns uuid language sql immutable return
    (to_hex(number | x'4000000000000000'::bigint) ||
     to_hex(hashint8extended(number, 0) | x'8000000000000000'::bigint))::uuid"""
"""They rise, so that rows made together stand together. Each half has its first bits set, for sixteen digits always."""
# As they stand once nothing can arrive about them any more. A fiftieth stays unknown for good; three texts are of one
# referral, one notice is of three texts, one text in ten was answered. The moment of a text is made in a subquery of
# its own (offset 0), because PostgreSQL would work it out anew for each column.
FILL = (
    """insert into text_message (id, agency_id, survivor_id, subject_id, kind, priority, due_at, claimable_at,
         send_before, occurrence, state, state_at, fence, attempts, carrier_sid, created_at, erased_at,
         carrier_erased_at, told_at, segments)
       select past_id(number), ($3::uuid[])[1 + number % agencies], past_id(number / 30), past_id(number / 3),
         'appointment_reminder', 1, past, past, past + interval '1 hour', '{}',
         case when number % 50 = 0 then 'unknown' else 'delivered' end, past, 1, 1,
         case when number % 50 = 0 then null else 'SM' || md5(number::text) end, past, past, past, past, 1
       from (select number, array_length($3::uuid[], 1) as agencies,
           now() - interval '10 days' - number * interval '2 seconds' as past
         from generate_series($1::bigint, $2::bigint - 1) number offset 0) made""",
    """insert into notice (id, agency_id, referral_id, kind, occurrence, created_at, handled_at)
       select past_id(number), ($3::uuid[])[1 + number % array_length($3::uuid[], 1)], past_id(number), 'referral_news',
         '{}', now() - interval '1 year', now() - interval '1 year'
       from generate_series(($1::bigint + 2) / 3, ($2::bigint + 2) / 3 - 1) number""",
    """insert into inbound_text (id, carrier_sid, received_at, handled_at, carrier_erased_at)
       select past_id(number), 'IN' || md5(number::text), now() - interval '1 year', now() - interval '1 year', now()
       from generate_series(($1::bigint + 9) / 10, ($2::bigint + 9) / 10 - 1) number where $3::uuid[] is not null""",
    """insert into carrier_callback (id, text_id, carrier_sid, status, received_at, handled_at)
       select past_id(number), past_id(number), 'SM' || md5(number::text), 'delivered', now(), now()
       from generate_series(($1::bigint + 9) / 10, ($2::bigint + 9) / 10 - 1) number where $3::uuid[] is not null""",
    """insert into task (id, agency_id, kind, subject_kind, subject_id, detail, opened_at, due_at, done_at)
       select past_id(number), ($3::uuid[])[1 + number % array_length($3::uuid[], 1)], 'survivor_not_texted',
         'text_message', past_id(number), '{}', now(), now(), now()
       from generate_series(($1::bigint + 19) / 20, ($2::bigint + 19) / 20 - 1) number""",
)
"""From text number $1 to before number $2; what hangs on some texts comes with the first of them."""
# Those that a past row stands in, dearest first.
_INDEXES = """select indexrelid::regclass::text as name, indrelid::regclass::text as table, pg_get_indexdef(indexrelid)
      as made_by, contype is not null as of_constraint, contype = 'p' as is_primary
    from pg_index left join pg_constraint on conindid = indexrelid and contype in ('p', 'u')
    where indrelid::regclass::text = any($1) and (indpred is null
      or pg_get_expr(indpred, indrelid) in ('(handled_at IS NOT NULL)', '(state <> ''cancelled''::text)'))
    order by array_position($1, indrelid::regclass::text), 1"""
_SHAPE = """select indexrelid::regclass::text, pg_get_indexdef(indexrelid) from pg_index
      where indrelid::regclass::text = any($1) and indisvalid
    union all select conname, pg_get_constraintdef(oid) || conindid::regclass::text from pg_constraint
      where conrelid::regclass::text = any($1) order by 1, 2"""


async def fill_past(
    connect: Callable[[], Awaitable[Connection]], agencies: Sequence[UUID], *, since: int, until: int
) -> float:
    """Put texts number `since` up to `until` into the tables, with what hangs on them.

    Args:
        connect: opens a connection of a superuser.
        agencies: whose they are, in turn.

    Returns:
        how many seconds it took.
    """
    began = time.monotonic()
    connections = [await connect() for _ in range(TOGETHER)]
    try:
        for db in connections:
            # Neither triggers nor foreign keys: past rows wake nobody, and name survivors that were erased.
            await db.execute("set session_replication_role = replica")
            await db.execute("set maintenance_work_mem = '512MB'; set max_parallel_maintenance_workers = 0")
        await _fill(connections, agencies, since, until)
    finally:
        for db in connections:
            await db.close()
    return time.monotonic() - began


async def _fill(connections: Sequence[Connection], agencies: Sequence[UUID], since: int, until: int) -> None:
    first = connections[0]
    before = await first.fetch(_SHAPE, list(BIG))
    await _set(first, WHILE_FILLING)
    await first.execute(PAST_ID)
    indexes = await first.fetch(_INDEXES, list(BIG))
    for index in indexes:
        alter = f"alter table {index['table']} drop constraint {index['name']}"
        await first.execute(alter if index["of_constraint"] else f"drop index {index['name']}")

    async def fill(db: Connection, begin: int) -> None:
        for statement in FILL:
            await db.execute(statement, begin, min(begin + CHUNK, until), list(agencies))

    async def build(db: Connection, index: asyncpg.Record) -> None:
        await db.execute(index["made_by"])

    async def clean(db: Connection, table: str) -> None:
        await db.execute(f"vacuum (analyze) {table}")

    await _beside(connections, range(since, until, CHUNK), fill)
    await _beside(connections, indexes, build)
    for index in indexes:
        if index["of_constraint"]:
            what = "primary key" if index["is_primary"] else "unique"
            await first.execute(
                f"alter table {index['table']} add constraint {index['name']} {what} using index {index['name']}"
            )
    await _beside(connections, BIG, clean)
    await _set(first, dict.fromkeys(WHILE_FILLING, "default"))
    await first.execute("checkpoint")
    assert await first.fetch(_SHAPE, list(BIG)) == before, "what the migrations made is not what stands there now"


async def _set(db: Connection, settings: dict[str, str]) -> None:
    for name, value in settings.items():
        await db.execute(f"alter system set {name} = {value}")
    await db.execute("select pg_reload_conf()")


async def _beside(
    connections: Sequence[Connection], work: Iterable[Work], do: Callable[[Connection, Work], Awaitable[None]]
) -> None:
    """Each connection takes the next piece of work whenever it has done one."""
    left = iter(work)

    async def take(db: Connection) -> None:
        for piece in left:
            await do(db, piece)

    async with asyncio.TaskGroup() as group:
        for db in connections:
            group.create_task(take(db))

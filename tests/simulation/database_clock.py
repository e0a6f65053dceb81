"""A database whose own clock is the simulated one: whatever asks it for the time is told what the simulation says.

Functions, defaults of columns and policies are rewritten where they ask (migrations stay as they are). What cannot be
rewritten is returned, so that nobody believes that there is nothing.
"""

from __future__ import annotations

import re
from datetime import datetime

import asyncpg

_CLOCK = """
    create schema simulated;
    create table simulated.clock (at timestamptz not null);
    insert into simulated.clock values ($at$);
    create function simulated.present() returns timestamptz language sql stable as 'select at from simulated.clock';
    grant usage on schema simulated to public;
    grant select on simulated.clock to public;
"""
_ASKS = re.compile(
    r"\b(?:now|statement_timestamp|clock_timestamp|transaction_timestamp)\s*\(\s*\)|\bcurrent_(?:timestamp|date)\b",
    re.IGNORECASE,
)
_PRESENT = {"current_date": "(simulated.present())::date"}


def _told(written: str) -> str:
    return _ASKS.sub(lambda asks: _PRESENT.get(asks.group().lower(), "simulated.present()"), written)


async def follow_simulation(db: asyncpg.Connection[asyncpg.Record], at: datetime) -> list[str]:
    """Put a database under the simulated clock, as its superuser; returns what still asks the machine's."""
    await db.execute(_CLOCK.replace("$at$", f"'{at.isoformat()}'"))
    for function in await db.fetch(
        "select pg_get_functiondef(pg_proc.oid) as written from pg_proc join pg_namespace on pronamespace ="
        " pg_namespace.oid where nspname in ('public', 'keystore', 'published') and prokind = 'f'"
        " and not exists (select from pg_depend where objid = pg_proc.oid and deptype = 'e')"
    ):
        if _ASKS.search(function["written"]):
            await db.execute(_told(function["written"]))
    for column in await db.fetch(
        "select table_schema, table_name, column_name, column_default as written from information_schema.columns"
        " where table_schema in ('public', 'keystore') and column_default is not null"
    ):
        if _ASKS.search(column["written"]):
            table = f'"{column["table_schema"]}"."{column["table_name"]}"'
            await db.execute(
                f'alter table {table} alter "{column["column_name"]}" set default {_told(column["written"])}'
            )
    for policy in await db.fetch("select schemaname, tablename, policyname, qual, with_check from pg_policies"):
        parts = {"using": policy["qual"], "with check": policy["with_check"]}
        asking = {name: written for name, written in parts.items() if written and _ASKS.search(written)}
        if asking:
            changed = " ".join(f"{name} ({_told(written)})" for name, written in asking.items())
            table = f'"{policy["schemaname"]}"."{policy["tablename"]}"'
            await db.execute(f'alter policy "{policy["policyname"]}" on {table} {changed}')
    left = await db.fetch(
        "select schemaname || '.' || viewname as name, definition as written from pg_views"
        " where schemaname in ('public', 'published') union all"
        " select conrelid::regclass::text, pg_get_constraintdef(oid) from pg_constraint where contype = 'c'"
    )
    return [row["name"] for row in left if _ASKS.search(row["written"])]


async def set_clock(db: asyncpg.Connection[asyncpg.Record], at: datetime) -> None:
    """From here on it is this moment, for everybody who asks the database."""
    await db.execute("update simulated.clock set at = $1", at)

"""One row in every table, whatever tables there are, so that a test of row security is never a test of empty tables."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy.engine import make_url

from tests.databases import DatabaseUrls

TABLES = """
  select pg_class.oid, quote_ident(nspname) || '.' || quote_ident(relname) as name
  from pg_class join pg_namespace on pg_namespace.oid = relnamespace
  where relkind in ('r', 'p') and nspname !~ '^pg_' and nspname <> 'information_schema' and relname <> 'alembic_version'
  order by name
"""
_COLUMNS = """
  select attname, format_type(atttypid, atttypmod) as type from pg_attribute
  where attrelid = $1 and attnum > 0 and not attisdropped and attgenerated = ''
"""
_VALUES = {
    "uuid": "gen_random_uuid()",
    "text": "'x'",
    "text[]": "'{x}'",
    "smallint[]": "'{1}'",
    "uuid[]": "'{}'",
    "bytea": r"'\x00'",
    "jsonb": "'{}'",
    "boolean": "false",
    "date": "current_date",
    "timestamp with time zone": "now()",
    "tsvector": "''",
    "int4multirange[]": "'{}'",
    "daterange[]": "'{}'",
}


async def connect_as_superuser(urls: DatabaseUrls) -> asyncpg.Connection[asyncpg.Record]:
    """Past row security: for arranging and for attacking, never for what is tested. Close it."""
    url = make_url(urls.owner)
    return await asyncpg.connect(host=str(url.query["host"]), user="postgres", database=url.database, timeout=30)


async def fill_every_table(urls: DatabaseUrls, *, agency_id: UUID, member_id: UUID) -> list[str]:
    """Put a row of `agency_id` and `member_id` into every table; returns the tables' names with their schemas.

    Checks, foreign keys and triggers are put aside in this database for good: give the module one of its own.
    """
    connection = await connect_as_superuser(urls)
    try:
        await connection.execute("set session_replication_role = replica")
        tables = await connection.fetch(TABLES)
        for table in tables:
            await _drop_checks(connection, table["oid"], table["name"])
            columns = await connection.fetch(_COLUMNS, table["oid"])
            names = ", ".join(f'"{column["attname"]}"' for column in columns)
            values = ", ".join(_value(column, agency_id, member_id) for column in columns)
            await connection.execute(f"insert into {table['name']} ({names}) values ({values}) on conflict do nothing")
        return [table["name"] for table in tables]
    finally:
        await connection.close()


async def _drop_checks(connection: asyncpg.Connection[asyncpg.Record], oid: int, table: str) -> None:
    checks = await connection.fetch("select conname from pg_constraint where conrelid = $1 and contype = 'c'", oid)
    for check in checks:
        await connection.execute(f'alter table {table} drop constraint "{check["conname"]}"')


def _value(column: Any, agency_id: UUID, member_id: UUID) -> str:
    if column["type"] == "uuid" and column["attname"].endswith("agency_id"):
        return f"'{agency_id}'"
    if column["type"] == "uuid" and column["attname"] == "member_id":
        return f"'{member_id}'"
    return _VALUES.get(column["type"], "1")

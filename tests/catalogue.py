"""What tests/catalogue.toml says of the database, read, and every way in which a database is not like that."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import asyncpg

CLASSES = ("case", "shared", "own_account", "network", "machinery", "directory")
PRIVATE = ("case", "shared", "own_account")
ROLES = ("app", "worker")
_WRITTEN = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
# A policy of each class asks who acts, itself or through the row that this one hangs on.
_ASKS = {
    "case": r"acting_case_agency\(\)|EXISTS",
    "shared": r"acting_case_agency\(\)|EXISTS",
    "own_account": r"acting_member\(\)",
}


@dataclass(frozen=True)
class Table:
    """What is written of one table. `grants`: role -> privilege -> columns, None for all of them."""

    name: str
    kind: str
    grants: dict[str, dict[str, frozenset[str] | None]]
    without_row_security: bool


def _grants(written: str) -> dict[str, frozenset[str] | None]:
    found = re.findall(r"(\w+)(?:\(([\w\s]+)\))?(?:,\s*|$)", written.strip())
    return {privilege: frozenset(columns.split()) if columns else None for privilege, columns in found}


TABLES: dict[str, Table] = {
    name: Table(
        name,
        kind,
        {role: _grants(entry.get(role, "")) for role in ROLES},
        "without_row_security" in entry,
    )
    for kind in CLASSES
    for name, entry in _WRITTEN[kind].items()
}
FUNCTIONS: dict[str, frozenset[str]] = {
    name: frozenset(re.findall(r"\w+", entry["to"])) for name, entry in _WRITTEN["function"].items()
}
VIEWS: frozenset[str] = frozenset(_WRITTEN["view"])
UNPAIRED: frozenset[str] = frozenset(_WRITTEN["unpaired"])


def tables_of(*kinds: str) -> set[str]:
    """Names, with their schemas, of the tables of these classes."""
    return {table.name for table in TABLES.values() if table.kind in kinds}


async def faults(connection: asyncpg.Connection[asyncpg.Record]) -> list[str]:
    """Everything in which the database is not what is written, a sentence each; the connection is a superuser's."""
    found = [
        *await _tables(connection),
        *await _policies(connection),
        *await _grants_given(connection),
        *await _functions(connection),
        *await _views(connection),
        *await _foreign_keys(connection),
        *await _elsewhere(connection),
    ]
    return sorted(found)


_OURS = "nspname !~ '^pg_' and nspname <> 'information_schema'"


async def _tables(connection: asyncpg.Connection[asyncpg.Record]) -> Iterable[str]:
    rows = await connection.fetch(f"""
        select nspname || '.' || relname as name, pg_get_userbyid(relowner) as owner,
          relrowsecurity and relforcerowsecurity as secured
        from pg_class join pg_namespace on pg_namespace.oid = relnamespace
        where relkind in ('r', 'p', 'f', 'm') and {_OURS}
    """)
    there = {row["name"] for row in rows}
    told = [f"{name} is no longer there: take it out of catalogue.toml" for name in TABLES.keys() - there]
    for row in rows:
        table = TABLES.get(row["name"])
        if table is None:
            told.append(f"{row['name']} has no class: write it into catalogue.toml")
        elif row["secured"] == table.without_row_security:
            told.append(f"{row['name']} {'has' if row['secured'] else 'lacks'} row security that binds its owner too")
        if row["owner"] != "referralnet_owner":
            told.append(f"{row['name']} belongs to {row['owner']}")
    return told


async def _policies(connection: asyncpg.Connection[asyncpg.Record]) -> Iterable[str]:
    rows = await connection.fetch("""
        select schemaname || '.' || tablename as name, policyname, roles, permissive = 'PERMISSIVE' as opens,
          coalesce(qual, '') as qual, coalesce(with_check, '') as with_check
        from pg_policies
    """)
    told = []
    for row in rows:
        table, conditions = TABLES.get(row["name"]), [row[half] for half in ("qual", "with_check") if row[half]]
        of = f"policy {row['policyname']} on {row['name']}"
        if "public" in row["roles"]:
            told.append(f"{of} is for everybody")
        if table is None or table.kind not in PRIVATE or not row["opens"]:
            continue
        if (
            "true" in conditions
            and set(row["roles"]) & {"referralnet_app", "referralnet_owner"}
            and not (table.kind == "own_account" and "referralnet_owner" in row["roles"])
        ):
            told.append(f"{of} lets every row through")
        if "referralnet_app" in row["roles"] and not re.search(_ASKS[table.kind], " ".join(conditions)):
            told.append(f"{of} does not ask who acts")
    return told


async def _grants_given(connection: asyncpg.Connection[asyncpg.Record]) -> Iterable[str]:
    rows = await connection.fetch(f"""
        select nspname || '.' || relname as name, role, privilege,
          has_table_privilege('referralnet_' || role, pg_class.oid, privilege) as whole,
          array(select attname::text from pg_attribute
                where attrelid = pg_class.oid and attnum > 0 and not attisdropped and privilege in
                  ('select', 'insert', 'update', 'references')
                  and has_column_privilege('referralnet_' || role, pg_class.oid, attnum, privilege)) as columns
        from pg_class join pg_namespace on pg_namespace.oid = relnamespace, unnest(array['app', 'worker']) as role,
          unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) as privilege
        where relkind in ('r', 'p') and {_OURS}
    """)
    told = []
    for row in rows:
        if row["name"] not in TABLES:
            continue
        written = TABLES[row["name"]].grants[row["role"]]
        given = None if row["whole"] else frozenset(row["columns"])
        listed = written.get(row["privilege"], frozenset())
        if given != listed:
            told.append(
                f"{row['role']} may {row['privilege']} {_in_words(given)} of {row['name']}, not {_in_words(listed)}"
            )
    return told


def _in_words(columns: frozenset[str] | None) -> str:
    return "all" if columns is None else f"({' '.join(sorted(columns))})" if columns else "nothing"


async def _functions(connection: asyncpg.Connection[asyncpg.Record]) -> Iterable[str]:
    rows = await connection.fetch(f"""
        select nspname || '.' || proname || '(' || pg_get_function_identity_arguments(pg_proc.oid) || ')' as signature,
          nspname || '.' || proname || '(' || coalesce((select string_agg(format_type(type, null), ', ' order by place)
            from unnest(proargtypes) with ordinality as argument (type, place)), '') || ')' as name,
          coalesce(proconfig, '{{}}') as config, has_function_privilege('public', pg_proc.oid, 'execute') as to_all,
          array(select role from unnest(array['app', 'worker']) as role
                where has_function_privilege('referralnet_' || role, pg_proc.oid, 'execute')) as callers
        from pg_proc join pg_namespace on pg_namespace.oid = pronamespace where prosecdef and {_OURS}
    """)
    told = [f"{name} is no longer there: take it out of catalogue.toml"
            for name in FUNCTIONS.keys() - {row["name"] for row in rows}]  # fmt: skip
    for row in rows:
        if row["name"] not in FUNCTIONS:
            told.append(f"{row['name']} runs with its owner's rights: write its reason into catalogue.toml")
        elif frozenset(row["callers"]) != FUNCTIONS[row["name"]]:
            told.append(f"{row['name']} may be called by {sorted(row['callers'])}")
        if row["to_all"]:
            told.append(f"{row['name']} may be called by everybody")
        if "search_path=public, pg_temp" not in row["config"]:
            told.append(f"{row['name']} has no fixed search path")
    return told


async def _views(connection: asyncpg.Connection[asyncpg.Record]) -> Iterable[str]:
    """A view with its owner's rights stands for a reason, and over nothing private, however deep."""
    rows = await connection.fetch(f"""
        with recursive reads (view, relation) as (
          select pg_rewrite.ev_class, pg_depend.refobjid from pg_rewrite join pg_depend
            on pg_depend.objid = pg_rewrite.oid and classid = 'pg_rewrite'::regclass
              and refclassid = 'pg_class'::regclass
          union
          select reads.view, pg_depend.refobjid from reads join pg_rewrite on pg_rewrite.ev_class = reads.relation
            join pg_depend on pg_depend.objid = pg_rewrite.oid and classid = 'pg_rewrite'::regclass
              and refclassid = 'pg_class'::regclass)
        select nspname || '.' || relname as name, nspname || '.*' as all_of_schema,
          array(select distinct inner_space.nspname || '.' || inner_class.relname from reads
                join pg_class inner_class on inner_class.oid = reads.relation
                join pg_namespace inner_space on inner_space.oid = inner_class.relnamespace
                where reads.view = pg_class.oid) as over
        from pg_class join pg_namespace on pg_namespace.oid = relnamespace
        where relkind = 'v' and {_OURS} and not coalesce(reloptions @> array['security_invoker=true'], false)
    """)
    told, private = [], tables_of(*PRIVATE)
    for row in rows:
        if not VIEWS & {row["name"], row["all_of_schema"]}:
            told.append(f"view {row['name']} reads with its owner's rights: write its reason into catalogue.toml")
        told += [f"view {row['name']} reads {table} with its owner's rights" for table in private & set(row["over"])]
    return told


async def _foreign_keys(connection: asyncpg.Connection[asyncpg.Record]) -> Iterable[str]:
    rows = await connection.fetch(f"""
        select pg_class.relname || '.' || array_to_string(columns, ',') as name, columns,
          (select nspname || '.' || relname from pg_class target join pg_namespace on pg_namespace.oid = relnamespace
            where target.oid = confrelid) as target
        from pg_constraint join pg_class on pg_class.oid = conrelid
          join pg_namespace on pg_namespace.oid = relnamespace,
          lateral (select array_agg(attname::text) as columns from pg_attribute
                   where attrelid = conrelid and attnum = any (conkey)) as named
        where contype = 'f' and {_OURS}
    """)
    return [
        f"foreign key {row['name']} tells whether another agency's {row['target']} is there"
        for row in rows
        if row["target"] in tables_of("case", "shared")
        and not any(column.endswith("agency_id") for column in row["columns"])
        and row["name"] not in UNPAIRED
    ]


async def _elsewhere(connection: asyncpg.Connection[asyncpg.Record]) -> Iterable[str]:
    """Sequences count what others did; a grant to everybody is a grant to whoever comes next."""
    rows = await connection.fetch(f"""
        select 'sequence ' || nspname || '.' || relname || ' counts rows of all agencies' as told
          from pg_class join pg_namespace on pg_namespace.oid = relnamespace where relkind = 'S' and {_OURS}
        union all
        select 'everybody may ' || lower(privilege_type) || ' ' || nspname || '.' || relname
          from pg_class join pg_namespace on pg_namespace.oid = relnamespace, aclexplode(relacl)
          where grantee = 0 and {_OURS}
        union all
        select 'everybody may ' || lower(privilege_type) || ' ' || relname || '.' || attname
          from pg_attribute join pg_class on pg_class.oid = attrelid
            join pg_namespace on pg_namespace.oid = relnamespace, aclexplode(attacl) where grantee = 0 and {_OURS}
        union all
        select 'everybody may use schema ' || nspname from pg_namespace, aclexplode(nspacl)
          where grantee = 0 and nspname <> 'public' and {_OURS}
        union all
        select 'new objects of ' || defaclrole::regrole || ' are granted on their own' from pg_default_acl
    """)
    return [row["told"] for row in rows]

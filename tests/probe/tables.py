"""The probe through SQL: all that the application's role can select, acting for one member; and what errors tell."""

from __future__ import annotations

import json
import re
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from tests.catalogue import TABLES, tables_of
from tests.probe.findings import Report, learns
from tests.probe.oracle import Actor, Case, may_learn
from tests.probe.told import ATTEMPTS, COLUMNS, FOUND_BY, LIMITS, NAME_OTHERS
from tests.probe.world import Token, World

_READABLE = """
  select nspname || '.' || relname as name,
    array_agg(quote_ident(attname) order by attnum) as columns
  from pg_class join pg_namespace on pg_namespace.oid = relnamespace
    join pg_attribute on attrelid = pg_class.oid and attnum > 0 and not attisdropped
  where relkind in ('r', 'p', 'v', 'm') and nspname !~ '^pg_' and nspname <> 'information_schema'
    and has_schema_privilege(nspname, 'usage') and has_column_privilege(pg_class.oid, attnum, 'select')
  group by 1 order by 1
"""
_FUNCTIONS = """
  select nspname || '.' || proname as name,
    array(select format_type(type, null) from unnest(proargtypes) as type) as takes
  from pg_proc join pg_namespace on pg_namespace.oid = pronamespace
  where nspname !~ '^pg_' and nspname <> 'information_schema' and prokind = 'f' and prorettype <> 'trigger'::regtype
    and has_schema_privilege(nspname, 'usage') and has_function_privilege(pg_proc.oid, 'execute')
    and provolatile <> 'v' and not exists (
      select from pg_depend where pg_depend.objid = pg_proc.oid and deptype = 'e')
    and 'uuid' = any (array(select format_type(type, null) from unnest(proargtypes) as type))
"""
_FILLED = {"text": "'needs'", "uuid[]": "array[$1]"}


class TableProbe:
    """Asks as `referralnet_app`, on one connection."""

    def __init__(self, world: World, connection: asyncpg.Connection[asyncpg.Record], report: Report) -> None:
        self._world, self._connection, self._report = world, connection, report
        self._private: dict[str, list[str]] = {}
        self._public: dict[str, list[str]] = {}
        self.functions: dict[str, str] = {}

    async def look(self) -> None:
        """Learn what can be selected and called at all."""
        public = tables_of("directory")
        for row in await self._connection.fetch(_READABLE):
            name: str = row["name"]
            of_case = (name in TABLES and name not in public) or (
                name not in TABLES and not name.startswith("published.")
            )
            (self._private if of_case else self._public)[name] = row["columns"]
        for row in await self._connection.fetch(_FUNCTIONS):
            given = ["$1" if kind == "uuid" else _FILLED.get(kind, f"null::{kind}") for kind in row["takes"]]
            self.functions[row["name"]] = f"select {row['name']}({', '.join(given)})::text"

    async def sweep(self, actor: Actor, *, public: bool = False) -> None:
        """Every row of every table and view that the actor sees, against every case there is."""
        relations = self._private | (self._public if public else {})
        everything = " union all ".join(
            f"select '{name}', to_jsonb(t)::text from (select {', '.join(columns)} from {name}) t"
            for name, columns in relations.items()
        )
        async with self._acting(actor):
            rows = await self._connection.fetch(everything)
        seen: dict[str, set[str]] = {}
        for name, written in rows:
            self._judge(actor, name, written, seen.setdefault(name, set()))
        for name in relations:
            self._miss(actor, name, seen.get(name, set()))

    def _judge(self, actor: Actor, name: str, written: str, seen: set[str]) -> None:
        row: dict[str, Any] = json.loads(written)
        key = "/".join(str(row.get(column)) for column in FOUND_BY.get(name, ("id",)))
        token = self._world.rows.get(name, {}).get(key)
        if token is None:
            for found, of in self._world.tokens_in(written):
                if not learns(actor, of) and name not in NAME_OTHERS:
                    self._report.leak(actor, of, f"{name} (by {found[:5]}…)")
            return
        seen.add(key)
        if not learns(actor, token):
            self._report.leak(actor, token, name)
            return
        for column, value in row.items():
            self._judge_cell(actor, token, f"{name}.{column}", value)

    def _judge_cell(self, actor: Actor, token: Token, place: str, value: Any) -> None:
        if value is None or place in LIMITS or place.rpartition(".")[0] in NAME_OTHERS:
            return
        self._report.compared += 1
        if place in COLUMNS:
            if token.case and not may_learn(actor, token.case, COLUMNS[place]):
                self._report.leak(actor, Token(COLUMNS[place], token.case), place)
        elif isinstance(value, str) and len(value) > 6:
            for _, of in self._world.tokens_in(value):
                if not learns(actor, of):
                    self._report.leak(actor, of, place)

    def _miss(self, actor: Actor, name: str, seen: set[str]) -> None:
        """What is there for the actor must be seen, or the probe would be content with a database that is shut."""
        rows = self._world.rows.get(name, {})
        self._report.cases += len(rows) or 1
        if name in self._world.filled_blindly:
            return  # a policy that is tighter than the custodian's is no fault
        for key, token in rows.items():
            if key not in seen and learns(actor, token):
                self._report.withheld(actor, token, name)

    async def call(self, actor: Actor, case: Case, function: str) -> None:
        """A function of ids says nothing of one that is not the actor's to ask about."""
        for name, wanted in self._world.ids[case.number].items():
            token = self._world.tokens.get(str(wanted))
            if token is None or learns(actor, token) or token.case is None or _given(actor, token):
                continue
            told = [await self._told(actor, self.functions[function], one) for one in (wanted, uuid4())]
            self._report.cases += 1
            if told[0] != told[1]:
                self._report.leak(actor, token, f"{function}() asked for {name}")

    async def attempt(self, actor: Actor, case: Case, attempt: str) -> None:
        """What fails, fails as for what is not there."""
        name, thing, statement = ATTEMPTS[attempt]
        wanted = self._world.ids[case.number].get(name)
        if wanted is None or may_learn(actor, case, thing) or actor.agency == case.source:
            return
        told = [await self._told(actor, statement, one) for one in (wanted, uuid4())]
        self._report.cases += 1
        if told[0] != told[1]:
            self._report.leak(actor, Token(thing, case), f"an error on the attempt to {attempt}")

    async def _told(self, actor: Actor, statement: str, given: UUID) -> str:
        async with self._acting(actor):
            try:
                answer = str(await self._connection.fetch(statement, given))
            except asyncpg.PostgresError as error:
                answer = f"{error.sqlstate} {error} {error.detail}"
        return re.sub(r"[0-9a-f-]{36}", "…", answer)

    def _acting(self, actor: Actor) -> _Acting:
        return _Acting(self._connection, self._world.member_ids[actor.name])


def _given(actor: Actor, token: Token) -> bool:
    """Whoever a release names, or was sent a referral, has its id in hand (decision 0051)."""
    assert token.case is not None
    named = "stranger" if token.case.release == "names_another" else token.case.target
    return actor.agency in {named, token.case.source}


class _Acting:
    """A transaction that acts for a member, undone at its end."""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record], member_id: UUID) -> None:
        self._connection, self._member_id = connection, member_id

    async def __aenter__(self) -> None:
        await self._connection.execute(f"begin; select set_config('referralnet.member', '{self._member_id}', true)")

    async def __aexit__(self, *_: object) -> None:
        await self._connection.execute("rollback")

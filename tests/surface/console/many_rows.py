"""A world in which there is ten times as much of what pages list, and how many statements each page may send."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

import asyncpg

from referralnet.database.acting import AgencyKind, Member, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.survivors.aliases import AliasKind, NewAlias, add_alias
from tests.databases import DatabaseUrls
from tests.factories.messaging import superuser
from tests.factories.referrals import run

TIMES = 10
# What is there ten times: each table, and the columns that name another row in each copy. Other columns stay, so that a
# survivor has ten times her needs and releases, an agency its referrals, and a referral its visits. What is sealed is
# bound to its row, and opened by the pages that show it: names are written anew.
COPIED: dict[str, tuple[str, ...]] = {
    "referral": ("id",),
    "survivor_referral": ("referral_id",),
    "referral_event": ("id", "referral_id"),
    "appointment": ("id", "referral_id"),
    "task": ("id", "subject_id"),
    "need": ("id",),
    "release": ("id", "data_key_id"),
    "survivor_release": ("release_id",),
    "text_message": ("id", "subject_id"),
    "two_person_act": ("id", "subject_id"),
    "survivor_block": ("id",),
    "routing_plan": ("id", "need_id"),
    "routing_choice": ("id", "plan_id"),
    "handoff": ("id",),
    "webhook": ("id",),
    "webhook_delivery": ("id",),
    "listing_change": ("id",),
    "service_capacity": ("id",),
    "directory_request": ("id",),
    "directory_request_problem": ("id",),
    "audit_event": ("id",),
    "member": ("id",),
    "agency": ("id",),
}
# Columns that may not say the same twice.
UNLIKE = {"login", "name", "source_id", "occurrence", "carrier_sid", "url", "sequence"}

# However much stands on a page: one finds the session, one the head, the others are its own.
STATEMENTS_MAX = {
    "/sign-in": 0,
    "/locked": 0,
    "/join": 0,
    "/phone": 0,
    "/": 7,
    "/step-up": 2,
    "/calendar": 4,
    "/texts": 2,
    "/texts/{handle}": 4,
    "/requests/list/{which}": 3,
    "/requests/{handle}": 12,
    "/requests/{handle}/visit": 9,
    "/plans/{handle}": 4,
    "/calls/{handle}": 4,
    "/directory": 6,
    "/directory/compare": 2,
    "/directory/organizations/{id:uuid}": 4,
    "/directory/{id:uuid}": 5,
    "/directory/{id:uuid}/sheet": 5,
    "/people": 5,
    "/people/new": 4,
    "/people/{handle}": 15,
    "/people/{handle}/record": 12,
    "/people/{handle}/record/before": 12,
    "/people/{handle}/contact": 8,
    "/people/{handle}/needs": 6,
    "/people/{handle}/releases": 6,
    "/people/{handle}/blocks": 6,
    "/people/{handle}/two": 7,
    "/people/{handle}/told": 20,
    "/people/{handle}/alike": 8,
    "/people/{handle}/end": 8,
    "/people/{handle}/erase": 8,
    "/needs/{handle}/services": 9,
    "/needs/{handle}/consent": 9,
    "/needs/{handle}/send": 10,
    "/releases/{handle}": 8,
    "/releases/{handle}/smaller": 7,
    "/releases/{handle}/renew": 6,
    "/releases/{handle}/end": 7,
    "/capacity": 3,
    "/administer/members": 3,
    "/administer/members/invite": 2,
    "/administer/members/{handle}": 3,
    "/administer/listings": 3,
    "/administer/listings/{id:uuid}": 12,
    "/administer/programs": 3,
    "/administer/programs/{id:uuid}": 5,
    "/administer/reminders": 3,
    "/administer/files": 3,
    "/administer/kinds": 3,
    "/administer/deadlines": 3,
    "/administer/network": 3,
    "/administer/network/add": 2,
    "/administer/network/{id:uuid}/first": 3,
    "/administer/imports": 4,
    "/administer/imports/{id:uuid}": 4,
    "/administer/duplicates": 3,
    "/administer/duplicates/{first:uuid}/{second:uuid}": 7,
    "/measures": 5,
    "/trail": 8,  # of which two tell the planner how to read it, and to forget that
    "/explorer": 2,
    "/graphiql": 2,
}


async def grow(urls: DatabaseUrls, app: Database, keyring: Keyring, *, now: datetime) -> dict[str, tuple[int, int]]:
    """Copy what is there; returns of each table that had any rows how many it had and has."""
    async with superuser(urls) as db:
        hers = await db.fetch("select distinct survivor_id, agency_id, coordinator_id from survivor_referral")
        counted = {table: await _copy(db, table, renewed) for table, renewed in COPIED.items()}
    for survivor_id, agency_id, coordinator_id in hers:
        roles = frozenset({Role.COORDINATOR})
        actor = Member(coordinator_id, agency_id, AgencyKind.VICTIM_SERVICES, roles, uuid4(), now)
        for number in range(TIMES):
            alias = NewAlias(f"Ana {number}", AliasKind.NICKNAME)
            await run(app, actor, add_alias, survivor_id, alias, keyring=keyring, now=now)
    return {table: counts for table, counts in counted.items() if counts[0]}


async def _copy(db: asyncpg.Connection[asyncpg.Record], table: str, renewed: tuple[str, ...]) -> tuple[int, int]:
    before = await db.fetchval(f"select count(*) from {table}")
    columns = await db.fetch(
        """select column_name as name, data_type as type from information_schema.columns
            where table_schema = 'public' and table_name = $1 and is_generated = 'NEVER'""",
        table,
    )
    values = ", ".join(_value(column["name"], column["type"], renewed) for column in columns)
    names = ", ".join(f'"{column["name"]}"' for column in columns)
    copies = f"insert into {table} ({names}) select {values} from {table} it, generate_series(1, {TIMES - 1}) copy"
    await db.execute(f"{copies} on conflict do nothing")
    return before, await db.fetchval(f"select count(*) from {table}")


def _value(name: str, kind: str, renewed: tuple[str, ...]) -> str:
    if name in renewed and kind == "uuid":
        return f"md5(it.{name}::text || copy)::uuid"
    if name in UNLIKE and kind == "text":
        return f"it.\"{name}\" || '-' || copy"
    if name in UNLIKE and kind in {"smallint", "integer", "bigint"}:
        return f'it."{name}" + 100 * copy'
    return f'it."{name}"'

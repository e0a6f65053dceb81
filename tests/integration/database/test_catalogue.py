"""The database is what tests/catalogue.toml says: every table classed, nothing granted that is not written there."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from tests.catalogue import faults
from tests.databases import DatabaseUrls
from tests.factories.rows import connect_as_superuser

# What somebody might do to the database, and how the test tells it.
PLANTED = {
    "a table that nobody classed": (
        "create table sighting (id uuid); alter table sighting owner to referralnet_owner",
        "public.sighting has no class: write it into catalogue.toml",
    ),
    "a table of case data without row security": (
        "alter table need disable row level security",
        "public.need lacks row security that binds its owner too",
    ),
    "a table whose owner row security does not bind": (
        "alter table survivor no force row level security",
        "public.survivor lacks row security that binds its owner too",
    ),
    "a policy that lets everything through": (
        "create policy helpful on release for select to referralnet_app using (true)",
        "policy helpful on public.release lets every row through",
    ),
    "a policy for everybody": (
        "create policy open on need for select using (agency_id = acting_case_agency())",
        "policy open on public.need is for everybody",
    ),
    "a policy that asks for something else": (
        "create policy recent on survivor for select to referralnet_app using (created_at > now())",
        "policy recent on public.survivor does not ask who acts",
    ),
    "a right to delete": ("grant delete on need to referralnet_app", "app may delete all of public.need, not nothing"),
    "a column too many": (
        "grant select (body_sealed) on text_message to referralnet_app",
        "app may select (agency_id attempts body_sealed ",
    ),
    "a right that was taken away": (
        "revoke select on referral_event from referralnet_worker",
        "worker may select nothing of public.referral_event, not all",
    ),
    "a grant to everybody": ("grant select on need to public", "everybody may select public.need"),
    "a table that the application owns": (
        "alter table need owner to referralnet_app",
        "public.need belongs to referralnet_app",
    ),
    "a function with its owner's rights": (
        """create function peek(uuid) returns bigint language sql security definer set search_path = public, pg_temp
             as 'select count(*) from survivor where id = $1';
           revoke execute on function peek from public""",
        "public.peek(uuid) runs with its owner's rights: write its reason into catalogue.toml",
    ),
    "a function that everybody may call": (
        "grant execute on function live_until to public",
        "public.live_until(uuid) may be called by everybody",
    ),
    "a function that looks where its caller says": (
        "alter function live_until reset search_path",
        "public.live_until(uuid) has no fixed search path",
    ),
    "a view over case data": (
        "create view caseload as select agency_id, count(*) from survivor group by agency_id",
        "view public.caseload reads public.survivor with its owner's rights",
    ),
    "a view over a view over case data": (
        """create view beneath as select * from need; create view published.above as select * from beneath;""",
        "view published.above reads public.need with its owner's rights",
    ),
    "a sequence": ("create sequence case_number", "sequence public.case_number counts rows of all agencies"),
    "a foreign key that looks past row security": (
        "alter table task add column survivor_id uuid references survivor (id)",
        "foreign key task.survivor_id tells whether another agency's public.survivor is there",
    ),
    "grants that come by themselves": (
        "alter default privileges for role referralnet_owner grant select on tables to referralnet_app",
        "new objects of referralnet_owner are granted on their own",
    ),
}  # fmt: skip


@pytest_asyncio.fixture
async def superuser(database_urls: DatabaseUrls) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A connection whose changes are undone."""
    connection = await connect_as_superuser(database_urls)
    planting = connection.transaction()
    await planting.start()
    yield connection
    await planting.rollback()
    await connection.close()


@pytest.mark.rule("A2")
@pytest.mark.rule("C2")
async def test_the_database_is_as_the_catalogue_says(superuser: asyncpg.Connection[asyncpg.Record]) -> None:
    assert await faults(superuser) == []


@pytest.mark.rule("A2")
@pytest.mark.rule("C2")
@pytest.mark.parametrize("planted", PLANTED)
async def test_what_is_planted_is_found(superuser: asyncpg.Connection[asyncpg.Record], planted: str) -> None:
    statement, told = PLANTED[planted]
    await superuser.execute("set local check_function_bodies = off")
    await superuser.execute(statement)
    assert [fault for fault in await faults(superuser) if fault.startswith(told)]

"""The database itself keeps agencies apart: every table secured, no context no rows, no role with more than enough."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referralnet.database.acting import Actor, Dispatcher, Member, Nobody, Operator, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from tests.catalogue import TABLES, tables_of
from tests.databases import DatabaseUrls
from tests.factories.identity import make_agency, make_member
from tests.factories.rows import fill_every_table

WITHOUT_ROW_SECURITY = {table.name for table in TABLES.values() if table.without_row_security} - {
    "public.alembic_version"
}
WITH_THEIR_OWNERS_RIGHTS = ("directory_listing", "directory_names", "directory_words")
DIRECTORY = tables_of("directory")
# What may be read without acting in any agency: public listings, and the ids and times by which work is found.
READ_BY_IDLE_WORKER = {
    **dict.fromkeys(DIRECTORY, "the public directory"),
    "public.agency": "names and time zones of agencies, for what is due",
    "public.audit_event": "ids and codes, for the sealer",
    "public.audit_link": "hashes, for the sealer",
    "public.audit_waiting": "which events are to be linked, by their ids",
    "public.trail_check": "whose trail is to be checked, and what was found",
    "public.carrier_callback": "what the carrier said of a text, by id",
    "public.carrier_state": "one row about the carrier, and about nobody",
    "public.contact_plan_change": "whose texts are to be planned anew, by id",
    "public.idempotency_key": "to remove old ones",
    "public.inbound_text": "sealed for the network until it is known whose it is",
    "public.ladder_step": "which referral waits for an answer, and when somebody is told so",
    "public.notice": "which agency has something to do",
    "public.referral": "which have waited too long; the columns of the need are not granted",
    "public.referral_event": "what happened when, in codes",
    "public.failing_row": "which rows a job fails on, and whose they are, by their ids",
    "public.suppression": "hashes of numbers that said STOP",
    "public.survivor_word": "which are old enough to be forgotten; their words and whose they are, are not granted",
    "public.text_message": "what is due and whose it is; number and body are sealed under a key of the custody",
    "public.webhook_delivery": "what is due and whose it is: codes and times of a referral, as in its events",
}
READ_BY_OWNER = {
    **dict.fromkeys(DIRECTORY, "the public directory, which imports write"),
    "public.agency": "added on the host",
    "public.member": "added on the host",
    "public.member_credential": "set on the host",
    "public.member_session": "ended on the host",
    "public.member_invitation": "hashes of codes, for the functions that take one up before anybody is signed in",
    "public.audit_event": "the trail is checked on the host",
    "public.audit_link": "the trail is checked on the host",
    "public.audit_waiting": "ids of events, for the function that tells auditors what waits",
    "keystore.data_key": "wrapped, to be wrapped anew; they open with the keyring, and seal what the owner cannot see",
    "keystore.retired_wrapping_key": "names of keys, written on the host",
    "public.sending_permit": "one row: on which server texts may be sent, which a person releases on the host",
}


@pytest_asyncio.fixture(scope="module")
async def coordinator(owner: Database, keyring: Keyring) -> Member:
    return (await make_member(owner, keyring, await make_agency(owner), [Role.COORDINATOR, Role.INTAKE])).actor


@pytest_asyncio.fixture(scope="module")
async def tables(database_urls: DatabaseUrls, coordinator: Member) -> list[str]:
    """Every table's name, each with a row of the coordinator's agency."""
    return await fill_every_table(database_urls, agency_id=coordinator.agency_id, member_id=coordinator.member_id)


async def readable(database: Database, actor: Actor, tables: Sequence[str]) -> set[str]:
    """The tables in which `actor` sees a row."""
    found = set()
    for table in tables:
        async with database.transaction(actor) as session:
            granted = await session.scalar(text("select has_any_column_privilege(:table, 'select')"), {"table": table})
            if granted and await session.scalar(text(f"select count(*) from {table}")):
                found.add(table)
    return found


@pytest.mark.rule("A2")
async def test_a_table_without_row_security_names_no_person_agency_or_case(owner: Database) -> None:
    async with owner.transaction(Operator()) as session:
        rows = await session.execute(
            text("""
              select table_schema || '.' || table_name as name, column_name from information_schema.columns
              where column_name ~ '(agency|survivor|member|referral|release|need|phone|_sealed)'
            """)
        )
        assert not [row for row in rows if row.name in WITHOUT_ROW_SECURITY]


@pytest.mark.rule("A2")
async def test_without_context_the_application_sees_no_row(app: Database, tables: list[str]) -> None:
    assert await readable(app, Nobody(), [*tables, *WITH_THEIR_OWNERS_RIGHTS]) == set(WITHOUT_ROW_SECURITY)


@pytest.mark.rule("A2")
async def test_without_custody_the_worker_sees_only_what_finding_work_takes(
    worker: Database, tables: list[str]
) -> None:
    found = await readable(worker, Dispatcher(), tables)
    assert found <= set(READ_BY_IDLE_WORKER) | set(WITHOUT_ROW_SECURITY) | {"public.referral", "public.referral_event"}


@pytest.mark.rule("A2")
async def test_an_operator_on_the_host_sees_no_case_row(owner: Database, tables: list[str]) -> None:
    assert await readable(owner, Operator(), tables) <= set(READ_BY_OWNER) | set(WITHOUT_ROW_SECURITY)


async def test_a_member_at_work_sees_the_rows_of_her_agency(
    app: Database, tables: list[str], coordinator: Member
) -> None:
    """So that the tests above are not of empty tables."""
    found = await readable(app, coordinator, [*tables, *WITH_THEIR_OWNERS_RIGHTS])
    assert found >= {
        "directory_listing",
        "public.survivor",
        "public.contact_plan",
        "public.need",
        "public.release",
        "keystore.data_key",
    }


@pytest.mark.rule("A2")
@pytest.mark.parametrize("role", ["referralnet_app", "referralnet_worker"])
async def test_a_serving_role_owns_nothing_and_can_become_nobody_else(owner: Database, role: str) -> None:
    async with owner.transaction(Operator()) as session:
        owned = await session.scalar(
            text("select count(*) from pg_shdepend where refobjid = to_regrole(:role) and deptype = 'o'"),
            {"role": role},
        )
        memberships = await session.scalar(
            text("select count(*) from pg_auth_members where member = to_regrole(:role)"), {"role": role}
        )
        powers = await session.execute(
            text("select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication from pg_roles"
                 " where rolname = :role"), {"role": role},
        )  # fmt: skip
        create = await session.scalars(
            text("select nspname from pg_namespace where has_schema_privilege(:role, oid, 'create')"), {"role": role}
        )
        assert (owned, memberships, tuple(powers.one()), list(create)) == (0, 0, (False,) * 5, [])


@pytest.mark.rule("A2")
async def test_whom_a_transaction_acted_for_is_forgotten_with_it(
    database_urls: DatabaseUrls, coordinator: Member
) -> None:
    """A pool of one connection: the next transaction surely gets the same one."""
    single = Database(database_urls.app, connections_max=1)
    try:
        backends = set()
        for actor, expected in (
            (coordinator, coordinator.member_id),
            (Nobody(), None),
            (coordinator, coordinator.member_id),
        ):
            async with single.transaction(actor) as session:
                assert await session.scalar(text("select acting_member()")) == expected
                backends.add(await session.scalar(text("select pg_backend_pid()")))
        with pytest.raises(DBAPIError):
            await _fail(single, coordinator)
        async with single.transaction(Nobody()) as session:
            assert await session.scalar(text("select acting_agency()")) is None
            backends.add(await session.scalar(text("select pg_backend_pid()")))
        assert len(backends) == 1
    finally:
        await single.close()


async def _fail(database: Database, actor: Actor) -> None:
    async with database.transaction(actor) as session:
        await session.execute(text("select 1 / 0"))

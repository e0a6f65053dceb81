"""Who may open cases follows from role, training and standing, judged by the database at every statement."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
import pytest_asyncio
from sqlalchemy import text

from referralnet.database.acting import Member, Operator, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.identity.access import ROLE_PERMISSIONS, Permission
from tests.catalogue import tables_of
from tests.databases import DatabaseUrls
from tests.factories.identity import TRAINED_FOR_EVER, make_agency, make_member
from tests.factories.rows import fill_every_table

# What a member may read who has no part in cases: the directory, who is in the network, and what is their own.
WITHOUT_CASES = tables_of("directory") | {
    "public.agency", "public.idempotency_key", "public.member", "public.member_credential", "public.member_session",
    "public.referral_transition", "public.sign_in_attempt", "public.carrier_state",
    "public.text_policy", "public.job_look",
    "public.answer_policy",
}  # fmt: skip
TRAIL = {"public.audit_event", "public.trail_check"}
# What an agency's own systems were told, and when: its admins' work, who see of no telling which case it was about.
OWN_SYSTEMS = {"public.member_invitation", "public.webhook", "public.webhook_delivery", "public.webhook_secret"}
BESIDE_CASES: dict[Role, set[str]] = {Role.NETWORK_ADMIN: set(), Role.AUDITOR: TRAIL, Role.AGENCY_ADMIN: OWN_SYSTEMS}
TODAY = datetime.now(UTC).date()


@pytest_asyncio.fixture(scope="module")
async def coordinator(owner: Database, keyring: Keyring) -> Member:
    return (await make_member(owner, keyring, await make_agency(owner), [Role.COORDINATOR])).actor


@pytest_asyncio.fixture(scope="module")
async def tables(database_urls: DatabaseUrls, coordinator: Member) -> list[str]:
    return await fill_every_table(database_urls, agency_id=coordinator.agency_id, member_id=coordinator.member_id)


async def readable(app: Database, actor: Member, tables: list[str]) -> set[str]:
    found = set()
    for table in tables:
        async with app.transaction(actor) as session:
            if await session.scalar(
                text("select has_any_column_privilege(:table, 'select')"), {"table": table}
            ) and await session.scalar(text(f"select exists (select from {table})")):
                found.add(table)
    return found


async def change(owner: Database, member: Member, assignment: str) -> None:
    async with owner.transaction(Operator()) as session:
        await session.execute(text(f"update member set {assignment} where id = :id"), {"id": member.member_id})


@pytest.mark.rule("A4")
@pytest.mark.parametrize("role", [Role.NETWORK_ADMIN, Role.AUDITOR, Role.AGENCY_ADMIN])
async def test_whoever_runs_or_reviews_the_network_reads_no_case_row(
    app: Database, owner: Database, keyring: Keyring, coordinator: Member, tables: list[str], role: Role
) -> None:
    made = await make_member(owner, keyring, coordinator.agency_id, [role])
    assert await readable(app, made.actor, tables) <= WITHOUT_CASES | BESIDE_CASES[role]


@pytest.mark.rule("A8")
@pytest.mark.parametrize("trained_until", [None, date(2020, 1, 1), TODAY - timedelta(days=2)])
async def test_without_current_training_a_coordinator_reads_no_case_row(
    app: Database, owner: Database, keyring: Keyring, coordinator: Member, tables: list[str], trained_until: date | None
) -> None:
    roles = [Role.COORDINATOR, Role.INTAKE]
    made = await make_member(owner, keyring, coordinator.agency_id, roles, trained_until=trained_until)
    assert await readable(app, made.actor, tables) <= WITHOUT_CASES


@pytest.mark.parametrize("role", [Role.COORDINATOR, Role.INTAKE])
async def test_with_training_a_coordinator_and_an_intake_worker_do(
    app: Database, owner: Database, keyring: Keyring, coordinator: Member, tables: list[str], role: Role
) -> None:
    """So that the tests above are not of empty tables."""
    trained_until = TODAY + timedelta(days=2)
    made = await make_member(owner, keyring, coordinator.agency_id, [role], trained_until=trained_until)
    cases = await readable(app, made.actor, tables) - WITHOUT_CASES
    assert {"public.survivor", "public.contact_plan", "public.need", "public.release", "public.task"} <= cases
    assert not cases & TRAIL


@pytest.mark.rule("A1")
@pytest.mark.parametrize("role", list(Role))
async def test_the_table_of_roles_and_the_database_agree_on_who_has_cases(
    app: Database, owner: Database, keyring: Keyring, coordinator: Member, role: Role
) -> None:
    made = await make_member(owner, keyring, coordinator.agency_id, [role])
    async with app.transaction(made.actor) as session:
        case_agency = await session.scalar(text("select acting_case_agency()"))
        held = [one for one in Role if await session.scalar(text("select acting_has_role(:role)"), {"role": one})]
        reads_trail = await session.scalar(text("select exists (select from audit_event)"))
    assert (case_agency is not None) == (Permission.READ_REFERRALS in ROLE_PERMISSIONS[role])
    assert held == [role]
    assert not reads_trail or Permission.READ_TRAIL in ROLE_PERMISSIONS[role]


@pytest.mark.rule("A3")
@pytest.mark.parametrize(
    "assignment", ["disabled_at = now()", "roles = '{auditor}'", "trained_until = date '2020-01-01'"]
)
async def test_what_is_taken_from_a_member_is_gone_at_the_next_statement_of_an_open_transaction(
    app: Database, owner: Database, keyring: Keyring, coordinator: Member, tables: list[str], assignment: str
) -> None:
    made = await make_member(owner, keyring, coordinator.agency_id, [Role.COORDINATOR], trained_until=TRAINED_FOR_EVER)
    cases = text("select count(*) from survivor")
    async with app.transaction(made.actor) as session:
        assert await session.scalar(cases) == 1
        await change(owner, made.actor, assignment)
        assert await session.scalar(cases) == 0
        written = await session.execute(text("update survivor set created_at = now() returning id"))
        assert not list(written)


@pytest.mark.rule("A3")
async def test_closing_an_agency_holds_at_the_next_statement_too(
    app: Database, owner: Database, keyring: Keyring, tables: list[str]
) -> None:
    made = await make_member(owner, keyring, await make_agency(owner), [Role.COORDINATOR])
    async with app.transaction(made.actor) as session:
        assert await session.scalar(text("select acting_agency()")) == made.actor.agency_id
        async with owner.transaction(Operator()) as closing:
            await closing.execute(text("update agency set active = false where id = :id"), {"id": made.actor.agency_id})
        for function in ("acting_agency", "acting_case_agency"):
            assert await session.scalar(text(f"select {function}()")) is None
        assert not await session.scalar(text("select acting_has_role('coordinator')"))
        assert not list(await session.scalars(text("select id from agency")))


@pytest.mark.rule("A3")
async def test_a_disabled_member_reads_not_even_what_her_own_requests_made(
    app: Database, owner: Database, keyring: Keyring
) -> None:
    """Which are ids of survivors and referrals."""
    made = await make_member(owner, keyring, await make_agency(owner), [Role.COORDINATOR])
    results = text("select count(*) from idempotency_key")
    async with app.transaction(made.actor) as session:
        await session.execute(
            text("""
                insert into idempotency_key (member_id, key, mutation, content_hash, result_id)
                values (acting_member(), 'a-key-of-hers', 'recordSurvivor', '', gen_random_uuid())
            """)
        )
        assert await session.scalar(results) == 1
        await change(owner, made.actor, "disabled_at = now()")
        assert await session.scalar(results) == 0


@pytest.mark.rule("C2")
async def test_another_agencys_members_read_none_of_it(
    app: Database, owner: Database, keyring: Keyring, tables: list[str]
) -> None:
    stranger = await make_member(owner, keyring, await make_agency(owner), [Role.COORDINATOR, Role.INTAKE])
    others = await readable(app, stranger.actor, tables)
    # An own credential and session, and the network's own tables; no row of the other agency's cases.
    assert others <= WITHOUT_CASES | {"keystore.retired_wrapping_key"}

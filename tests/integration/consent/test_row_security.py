"""What the database itself shows and takes, to raw SQL as the application's role, whatever Python thinks of it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.consent.categories import Category
from referralnet.consent.ending import Via, end_release
from referralnet.database.acting import Actor, Member, Nobody, Role
from referralnet.database.transactions import Database
from tests.factories.consent import Case, Stage, make_case, make_release, move_referral, move_release
from tests.factories.identity import at_the_desk, make_member
from tests.factories.survivors import make_survivor, present

CASE_TABLES = (
    "survivor",
    "contact_plan",
    "need",
    "release",
    "survivor_release",
    "disclosure",
    "disclosure_item",
    "keystore.data_key",
)
PASSED_ON = {"disclosure", "keystore.data_key"}
ROLES_WITHOUT_CASES = ("agency_admin", "network_admin", "auditor")


async def visible(stage: Stage, actor: Actor) -> dict[str, int]:
    """How many rows of each table the actor sees."""
    async with stage.app.transaction(actor) as session:
        return {
            table: (await session.execute(text(f"select count(*) from {table}"))).scalar_one() for table in CASE_TABLES
        }


async def note_reading(session: AsyncSession, case: Case, reader: Member) -> None:
    """Note a reading by hand-written SQL, with its row in the trail, where the reader may."""
    noted = await session.scalar(
        text("""
            insert into disclosure_reading (disclosure_id, agency_id, member_id, stepped_up_at)
            select id, acting_agency(), acting_member(), :stepped_up_at from disclosure
            where id = :id and recipient_agency_id = acting_agency() returning disclosure_id
        """),
        {"id": case.disclosure_id, "stepped_up_at": reader.stepped_up_at},
    )
    if noted is not None:
        await write_down(session, "disclosure_read", case.disclosure_id)


async def write_down(session: AsyncSession, action: str, disclosure_id: UUID, **codes: str) -> None:
    """A row of the trail by hand-written SQL."""
    await session.execute(
        text("""
            insert into audit_event (id, agency_id, member_id, action, subject_kind, subject_id, detail)
            values (gen_random_uuid(), acting_agency(), acting_member(), :action, 'disclosure', :id,
              cast(:detail as jsonb))
        """),
        {"action": action, "id": disclosure_id, "detail": json.dumps(codes)},
    )


async def readable(stage: Stage, actor: Member, case: Case) -> dict[str, int]:
    """How much of one disclosure the actor sees in the transaction of a reading: its row, its items, its key."""
    queries = {
        "disclosure": "select count(*) from disclosure where id = :disclosure",
        "item": "select count(*) from disclosure_item where disclosure_id = :disclosure",
        "key": """select count(*) from keystore.data_key
                  where id in (select data_key_id from disclosure where id = :disclosure)""",
    }
    reader = await at_the_desk(stage.app, actor)
    async with stage.app.transaction(reader) as session:
        await note_reading(session, case, reader)
        return {
            name: (await session.execute(text(query), {"disclosure": case.disclosure_id})).scalar_one()
            for name, query in queries.items()
        }


@pytest.mark.rule("C2")
async def test_the_custodian_sees_its_own_case(stage: Stage, case: Case) -> None:
    seen = await visible(stage, stage.partners.custodian.coordinator)
    assert all(count > 0 for count in seen.values()), seen


@pytest.mark.rule("C2")
@pytest.mark.rule("C5")
async def test_another_agency_sees_no_row_of_any_table(stage: Stage, case: Case) -> None:
    for member in (stage.partners.stranger.coordinator, stage.partners.stranger.intake):
        assert set((await visible(stage, member)).values()) == {0}


@pytest.mark.rule("C2")
@pytest.mark.rule("C5")
async def test_the_recipient_sees_the_sealed_copy_and_no_row_that_names_anybody(stage: Stage, case: Case) -> None:
    seen = await visible(stage, stage.partners.recipient.intake)
    assert {table for table, count in seen.items() if count} == PASSED_ON


@pytest.mark.rule("A4")
@pytest.mark.parametrize("role", ROLES_WITHOUT_CASES)
async def test_who_has_no_case_role_reads_no_case(stage: Stage, case: Case, role: str) -> None:
    for custody in (stage.partners.custodian, stage.partners.recipient):
        assert set((await visible(stage, getattr(custody, role))).values()) == {0}


@pytest.mark.rule("A2")
async def test_without_a_context_there_are_no_rows(stage: Stage, case: Case) -> None:
    assert set((await visible(stage, Nobody())).values()) == {0}


@pytest.mark.rule("A8")
async def test_who_is_not_trained_opens_no_case(stage: Stage, owner: Database, case: Case) -> None:
    lapsed = await make_member(
        owner, stage.keyring, stage.partners.custodian.agency_id, [Role.COORDINATOR], now=present()
    )
    assert (await visible(stage, lapsed.actor))["survivor"] > 0
    await stage.superuser.execute(
        "update member set trained_until = current_date - 1 where id = $1", lapsed.actor.member_id
    )
    assert set((await visible(stage, lapsed.actor)).values()) == {0}


@pytest.mark.rule("A3")
async def test_a_disabled_member_sees_nothing_from_the_next_statement(
    stage: Stage, owner: Database, case: Case
) -> None:
    leaver = await make_member(owner, stage.keyring, stage.partners.recipient.agency_id, [Role.INTAKE], now=present())
    async with stage.app.transaction(leaver.actor) as session:
        count = text("select count(*) from disclosure")
        assert (await session.execute(count)).scalar_one() > 0
        await stage.superuser.execute("update member set disabled_at = now() where id = $1", leaver.actor.member_id)
        assert (await session.execute(count)).scalar_one() == 0


@pytest.mark.rule("R4")
async def test_before_acceptance_the_recipient_sees_nothing_and_after_it_the_copy(stage: Stage) -> None:
    waiting = await make_case(stage, status="requested")
    for status, expected in (("requested", 0), ("on_hold", 0), ("accepted", 1), ("in_progress", 1)):
        await move_referral(stage, waiting.referral_id, status)
        seen = await readable(stage, stage.partners.recipient.intake, waiting)
        assert seen == {"disclosure": expected, "item": 3 * expected, "key": expected}, status


@pytest.mark.rule("R4")
async def test_only_intake_of_the_recipient_reads(stage: Stage, case: Case) -> None:
    assert set((await readable(stage, stage.partners.recipient.coordinator, case)).values()) == {0}


@pytest.mark.rule("C3")
async def test_one_second_after_expiry_there_is_nothing(stage: Stage) -> None:
    expiring = await make_case(stage)
    await move_release(stage, expiring.release_id, starts="-10 days", expires="1 minute")
    assert (await readable(stage, stage.partners.recipient.intake, expiring))["item"] == 3
    await move_release(stage, expiring.release_id, starts="-10 days", expires="-1 second")
    assert set((await readable(stage, stage.partners.recipient.intake, expiring)).values()) == {0}


@pytest.mark.rule("C3")
async def test_before_its_start_a_release_opens_nothing(stage: Stage) -> None:
    early = await make_case(stage)
    await move_release(stage, early.release_id, starts="1 minute", expires="10 days")
    assert set((await readable(stage, stage.partners.recipient.intake, early)).values()) == {0}


@pytest.mark.rule("C1")
@pytest.mark.rule("C3")
async def test_a_category_is_asked_for_at_every_read_and_not_only_when_the_copy_is_made(stage: Stage) -> None:
    narrowed = await make_case(stage)
    await stage.superuser.execute("update release set categories = '{needs}' where id = $1", narrowed.release_id)
    assert (await readable(stage, stage.partners.recipient.intake, narrowed))["item"] == 1
    assert (await readable(stage, stage.partners.custodian.coordinator, narrowed))["item"] == 3


@pytest.mark.rule("C6")
async def test_asking_whether_a_release_lives_answers_the_recipient_alone(stage: Stage, case: Case) -> None:
    async def answer(actor: Actor, release_id: UUID) -> object:
        async with stage.app.transaction(actor) as session:
            return (await session.execute(text("select live_until(:id)"), {"id": release_id})).scalar_one()

    assert await answer(stage.partners.recipient.intake, case.release_id) is not None
    assert await answer(stage.partners.stranger.intake, case.release_id) is None
    assert await answer(stage.partners.stranger.intake, uuid4()) is None


async def _insert_disclosure(
    stage: Stage, release_id: UUID, like: Case, *, written_down: bool = True, **values: UUID
) -> None:
    """What a custodian's hand-written SQL would do, past every check in Python."""
    parameters = {
        "agency": stage.partners.custodian.agency_id,
        "recipient": stage.partners.recipient.agency_id,
        "release": release_id,
        "referral": like.referral_id,
        **values,
    }
    async with stage.app.transaction(stage.partners.custodian.coordinator) as session:
        disclosure_id = uuid4()
        await session.execute(
            text("""
                insert into disclosure
                  (id, agency_id, recipient_agency_id, release_id, data_key_id, referral_id, made_at)
                select :id, :agency, :recipient, :release, release.data_key_id, :referral, now()
                from release where id = :release
            """),
            {"id": disclosure_id, **parameters},
        )
        if written_down:
            about = {"release": str(release_id), "recipient": str(parameters["recipient"])}
            await write_down(session, "disclosure_made", disclosure_id, **about)


@pytest.mark.rule("C2")
async def test_the_database_refuses_a_copy_for_an_agency_the_release_does_not_name(stage: Stage, case: Case) -> None:
    release_id = await make_release(stage, case.survivor_id)
    with pytest.raises(DBAPIError, match="row-level security"):
        await _insert_disclosure(stage, release_id, case, recipient=stage.partners.stranger.agency_id)
    await _insert_disclosure(stage, release_id, case)


@pytest.mark.rule("C2")
@pytest.mark.parametrize(("starts", "expires"), [("-2 days", "-1 second"), ("1 minute", "1 day")])
async def test_the_database_refuses_a_copy_outside_the_release_s_time(
    stage: Stage, case: Case, starts: str, expires: str
) -> None:
    release_id = await make_release(stage, case.survivor_id)
    await move_release(stage, release_id, starts=starts, expires=expires)
    with pytest.raises(DBAPIError, match="row-level security"):
        await _insert_disclosure(stage, release_id, case)


@pytest.mark.rule("C2")
async def test_the_database_refuses_a_copy_under_a_release_that_was_ended(stage: Stage, case: Case) -> None:
    release_id = await make_release(stage, case.survivor_id)
    async with stage.app.transaction(stage.partners.custodian.coordinator) as session:
        await end_release(session, stage.partners.custodian.coordinator, release_id, via=Via.ORAL, now=present())
    with pytest.raises(DBAPIError, match="row-level security"):
        await _insert_disclosure(stage, release_id, case)


@pytest.mark.rule("C2")
@pytest.mark.parametrize("category", [Category.MEDICAL, Category.SAFETY])
async def test_the_database_refuses_a_category_that_was_not_released(
    stage: Stage, case: Case, category: Category
) -> None:
    with pytest.raises(DBAPIError, match="row-level security"):
        async with stage.app.transaction(stage.partners.custodian.coordinator) as session:
            await session.execute(
                text("insert into disclosure_item (disclosure_id, category, sealed) values (:id, :category, '')"),
                {"id": case.disclosure_id, "category": category},
            )


@pytest.mark.rule("C4")
async def test_an_ended_release_cannot_be_made_active_again(stage: Stage, case: Case) -> None:
    release_id = await make_release(stage, case.survivor_id)
    async with stage.app.transaction(stage.partners.custodian.coordinator) as session:
        await end_release(session, stage.partners.custodian.coordinator, release_id, via=Via.ORAL, now=present())
    with pytest.raises(DBAPIError, match="no such step"):
        async with stage.app.transaction(stage.partners.custodian.coordinator) as session:
            await session.execute(text("update release set status = 'active' where id = :id"), {"id": release_id})


async def test_a_release_begins_as_proposed_or_active(stage: Stage, case: Case) -> None:
    for status, refusal in (
        ("inactive", "no such step"),
        ("entered_in_error", "no such step"),
        ("active", "row-level security"),
    ):
        with pytest.raises(DBAPIError, match=refusal):
            async with stage.app.transaction(stage.partners.custodian.coordinator) as session:
                await session.execute(
                    text("""
                        insert into release (id, agency_id, recipient_agency_id, data_key_id, purpose, categories,
                          status, starts_at, expires_at, created_at)
                        select gen_random_uuid(), agency_id, recipient_agency_id, gen_random_uuid(), purpose,
                          categories, :status, starts_at, expires_at, created_at
                        from release where id = :id
                    """),
                    {"id": case.release_id, "status": status},
                )


@pytest.mark.rule("C9")
async def test_a_release_cannot_be_lengthened_and_no_role_can_write_a_longer_one(stage: Stage, case: Case) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        async with stage.app.transaction(stage.partners.custodian.coordinator) as session:
            await session.execute(text("update release set expires_at = expires_at + interval '1 day'"))
    with pytest.raises(asyncpg.CheckViolationError, match="release_term_is_bounded"):
        await move_release(stage, case.release_id, starts="0 days", expires="365 days 1 second")


@pytest.mark.rule("C6")
async def test_hanging_a_row_on_another_agency_s_survivor_fails_as_for_one_that_is_not_there(stage: Stage) -> None:
    theirs = await make_survivor(stage.app, stage.partners.custodian.coordinator, stage.keyring)
    answers = []
    for survivor_id in (theirs, uuid4()):
        with pytest.raises(DBAPIError, match="row-level security") as refused:
            async with stage.app.transaction(stage.partners.stranger.coordinator) as session:
                await session.execute(
                    text("""
                        insert into need (id, agency_id, survivor_id, service_type, urgency, region, language,
                          household_size, age_band, immigration_sensitive, created_at)
                        values (gen_random_uuid(), :agency, :survivor, 'x', 'urgent', 'US-IL', 'es', 1, '25_59', false,
                            now())
                    """),
                    {"agency": stage.partners.stranger.agency_id, "survivor": survivor_id},
                )
        answers.append(str(refused.value.orig).replace(str(survivor_id), "…"))
    assert answers[0] == answers[1]


HANG_ON_A_RELEASE = """
    insert into survivor_release (release_id, agency_id, survivor_id, signer, method, form_version, form_language,
      form_hash, recorded_by)
    values (:id, :agency, gen_random_uuid(), 'survivor', 'written', '1', 'es', decode(repeat('00', 32), 'hex'), :member)
"""
HANG_ON_A_KEY = """
    insert into release (id, agency_id, recipient_agency_id, data_key_id, purpose, categories, status, starts_at,
      expires_at, created_at)
    values (gen_random_uuid(), :agency, :recipient, :id, 'shelter', '{needs}', 'active', now(),
      now() + interval '1 day', now())
"""
SEAL_UNDER_A_KEY = """
    insert into survivor (id, agency_id, data_key_id, given_name_sealed, family_name_sealed, created_by, created_at)
    values (gen_random_uuid(), :agency, :id, '', '', :member, now())
"""


@pytest.mark.rule("C6")
@pytest.mark.parametrize("attempt", [HANG_ON_A_RELEASE, HANG_ON_A_KEY, SEAL_UNDER_A_KEY])
async def test_an_outsider_s_attempt_on_a_release_or_a_key_fails_as_for_one_that_is_not_there(
    stage: Stage, case: Case, attempt: str
) -> None:
    key_id = await stage.superuser.fetchval("select data_key_id from release where id = $1", case.release_id)
    theirs = case.release_id if attempt is HANG_ON_A_RELEASE else key_id
    outsider, told = stage.partners.stranger.coordinator, set()
    for wanted in (theirs, uuid4()):
        given = {
            "id": wanted,
            "agency": outsider.agency_id,
            "member": outsider.member_id,
            "recipient": stage.partners.recipient.agency_id,
        }
        with pytest.raises(DBAPIError) as refused:
            async with stage.app.transaction(outsider) as session:
                await session.execute(text(attempt), {name: given[name] for name in given if f":{name}" in attempt})
        told.add(str(refused.value.orig).replace(str(wanted), "…"))
    assert len(told) == 1, told


@pytest.mark.rule("C11")
async def test_the_database_keeps_no_disclosure_and_no_reading_without_its_row_in_the_trail(stage: Stage) -> None:
    case = await make_case(stage)
    release_id = await make_release(stage, case.survivor_id)
    with pytest.raises(DBAPIError, match="not without its row"):
        await _insert_disclosure(stage, release_id, case, written_down=False)
    reader = await at_the_desk(stage.app, stage.partners.recipient.intake)
    with pytest.raises(DBAPIError, match="not without its row"):
        async with stage.app.transaction(reader) as session:
            await session.execute(
                text("insert into disclosure_reading (disclosure_id, agency_id, member_id, stepped_up_at)"
                     " values (:id, acting_agency(), acting_member(), :stepped_up_at)"),
                {"id": case.disclosure_id, "stepped_up_at": reader.stepped_up_at},
            )  # fmt: skip


@pytest.mark.rule("U1")
async def test_without_a_reading_in_the_same_transaction_the_database_shows_the_recipient_no_item(
    stage: Stage, case: Case
) -> None:
    assert (await readable(stage, stage.partners.recipient.intake, case))["item"] == 3
    async with stage.app.transaction(stage.partners.recipient.intake) as session:
        left = await session.execute(text("select count(*) from disclosure_item"))
        assert left.scalar_one() == 0, "an earlier reading opens nothing later"


@pytest.mark.rule("A5")
async def test_the_database_notes_a_reading_with_a_fresh_second_factor_of_one_s_own_alone(
    stage: Stage, case: Case
) -> None:
    reader = await at_the_desk(stage.app, stage.partners.recipient.intake)
    stale = await at_the_desk(stage.app, stage.partners.recipient.intake, now=present() - timedelta(minutes=6))
    other = await at_the_desk(stage.app, stage.partners.recipient.auditor)
    for stepped_up_at in (present(), stale.stepped_up_at, other.stepped_up_at):
        with pytest.raises(DBAPIError, match="row-level security"):
            async with stage.app.transaction(reader) as session:
                await note_reading(session, case, replace(reader, stepped_up_at=stepped_up_at))

"""Other names, numbers, notes and corrections: kept sealed, several, with what was there before."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.exc import DBAPIError

from referralnet.database.acting import Custodian, Dispatcher, Member
from referralnet.database.transactions import Database
from referralnet.encryption.data_keys import load_data_key
from referralnet.encryption.sealing import seal
from referralnet.errors import InvalidInput, NotFound
from referralnet.identity.step_up import StepUpNeeded
from referralnet.referrals.marking import mark_signer_as_abuser
from referralnet.survivors.abuser_marks import AbuserOf
from referralnet.survivors.aliases import ALIASES_MAX, AliasKind, NewAlias, add_alias, remove_alias
from referralnet.survivors.contact_plans import UnsafeNumber, keep_contact_plan
from referralnet.survivors.correcting import Clearable, Correction, correct_survivor
from referralnet.survivors.facts import Fact, open_facts
from referralnet.survivors.notes import NoteCategory, NoteChanged, write_note
from referralnet.survivors.phone_numbers import NewPhone, PhoneKind, add_phone, mark_phone, remove_phone
from referralnet.survivors.revealing import SurvivorHistory, SurvivorIdentity, read_history, reveal_survivor
from referralnet.survivors.tables import SurvivorNote
from tests.factories.survivors import PHONE, Houses, make_signer, make_survivor, new_plan, new_survivor, present

PARTS = (
    "survivor_alias", "survivor_phone", "survivor_note", "survivor_correction", "survivor_search_key",
    "survivor_signer", "survivor_signer_mark",
)  # fmt: skip


async def somebody(houses: Houses, **changes: object) -> UUID:
    new = replace(new_survivor(), **changes)  # type: ignore[arg-type]
    return await make_survivor(houses.app, houses.ours.coordinator, houses.keyring, new=new)


async def reveal(houses: Houses, survivor_id: UUID) -> SurvivorIdentity:
    actor = houses.ours.coordinator
    async with houses.app.transaction(actor) as session:
        return await reveal_survivor(session, actor, survivor_id, keyring=houses.keyring, now=present())


async def history(houses: Houses, survivor_id: UUID, actor: Member | None = None) -> SurvivorHistory:
    actor = actor or houses.ours.coordinator
    async with houses.app.transaction(actor) as session:
        return await read_history(session, actor, survivor_id, keyring=houses.keyring, now=present())


async def correct(houses: Houses, survivor_id: UUID, actor: Member | None = None, **changes: object) -> None:
    actor = actor or houses.ours.coordinator
    async with houses.app.transaction(actor) as session:
        correction = Correction(**changes)  # type: ignore[arg-type]
        await correct_survivor(session, actor, survivor_id, correction, keyring=houses.keyring, now=present())


async def write(
    houses: Houses, survivor_id: UUID, text: str | None, *, after: int = 0, category: str = "legal"
) -> UUID:
    actor = houses.ours.coordinator
    async with houses.app.transaction(actor) as session:
        return await write_note(
            session, actor, survivor_id, NoteCategory(category), text, after_version=after,
            keyring=houses.keyring, now=present(),
        )  # fmt: skip


async def test_a_correction_shows_at_once_and_what_was_there_stays_in_the_history(houses: Houses) -> None:
    survivor_id = await somebody(houses, pronouns="she/her")
    await correct(
        houses, survivor_id, given_name="Anna", date_of_birth=date(1996, 4, 5), cleared=frozenset({Clearable.PRONOUNS})
    )
    identity = await reveal(houses, survivor_id)
    assert (identity.given_name, identity.family_name) == ("Anna", "Invented")
    assert (identity.date_of_birth, identity.pronouns) == (date(1996, 4, 5), None)
    told = await history(houses, survivor_id)
    assert {(former.of_field, former.value) for former in told.corrections} == {
        ("given_name", "Ana"), ("date_of_birth", "1996-05-04"), ("pronouns", "she/her"),
    }  # fmt: skip
    assert {former.corrected_by for former in told.corrections} == {houses.ours.coordinator.member_id}


async def test_the_name_that_was_there_can_stay_an_alias(houses: Houses) -> None:
    survivor_id = await somebody(houses)
    await correct(houses, survivor_id, given_name="Luz", keep_former_name=True)
    assert [(alias.name, alias.kind) for alias in (await reveal(houses, survivor_id)).aliases] == [
        ("Ana Invented", AliasKind.FORMER)
    ]


@pytest.mark.rule("P3")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({}, "correction"),
        ({"given_name": "Ana"}, "correction"),
        ({"given_name": " "}, "given_name"),
        ({"family_name": "a" * 201}, "family_name"),
        ({"date_of_birth": date(1850, 1, 1)}, "date_of_birth"),
        ({"case_label": "Invented 3"}, "case_label"),
        ({"cleared": frozenset({"given_name"})}, "cleared"),
    ],
)
async def test_a_correction_that_cannot_be_changes_nothing(houses: Houses, changes: dict[str, Any], field: str) -> None:
    survivor_id = await somebody(houses)
    with pytest.raises(InvalidInput) as refused:
        await correct(houses, survivor_id, **changes)
    assert refused.value.field == field
    assert (await history(houses, survivor_id)).corrections == ()


async def test_a_label_that_a_corrected_name_would_stand_in_refuses_the_correction(houses: Houses) -> None:
    survivor_id = await somebody(houses, case_label="Maple 7")
    with pytest.raises(InvalidInput) as refused:
        await correct(houses, survivor_id, family_name="Maple")
    assert refused.value.field == "case_label"
    await correct(houses, survivor_id, family_name="Maple", case_label="Blue kite")


async def test_whoever_speaks_sql_changes_no_name_without_its_history_and_makes_none_up(houses: Houses) -> None:
    survivor_id, actor = await somebody(houses), houses.ours.coordinator
    async with houses.app.transaction(actor) as session:
        connection = await session.connection()
        await connection.exec_driver_sql(f"update survivor set given_name_sealed = '\\x01' where id = '{survivor_id}'")
    kept = "select field, corrected_by from survivor_correction where survivor_id = $1"
    rows = await houses.superuser.fetch(kept, survivor_id)
    assert [tuple(row) for row in rows] == [("given_name", actor.member_id)]
    owner = f"'{actor.agency_id}', '{survivor_id}'"
    for statement in (
        f"insert into survivor_correction (agency_id, survivor_id, field) values ({owner}, 'given_name')",
        "delete from survivor_correction",
        "update survivor_correction set value_sealed = null",
        "update survivor_note set text_sealed = null",
        "delete from survivor_note",
    ):
        async with houses.app.transaction(actor) as session:
            connection = await session.connection()
            with pytest.raises(DBAPIError, match="permission denied"):
                await connection.exec_driver_sql(statement)


async def test_other_names_come_and_go_and_are_bounded(houses: Houses) -> None:
    survivor_id, actor = await somebody(houses), houses.ours.coordinator
    async with houses.app.transaction(actor) as session:
        ids = [
            await add_alias(
                session, actor, survivor_id, NewAlias(f"Name {number}", AliasKind.ALSO_USED),
                keyring=houses.keyring, now=present(),
            )
            for number in range(ALIASES_MAX)
        ]  # fmt: skip
        one_more = NewAlias("One more", AliasKind.FORMER)
        with pytest.raises(InvalidInput):
            await add_alias(session, actor, survivor_id, one_more, keyring=houses.keyring, now=present())
        await remove_alias(session, actor, ids[0], keyring=houses.keyring, now=present())
        with pytest.raises(NotFound):
            await remove_alias(session, actor, ids[0], keyring=houses.keyring, now=present())
        await add_alias(session, actor, survivor_id, one_more, keyring=houses.keyring, now=present())
    names = {alias.name for alias in (await reveal(houses, survivor_id)).aliases}
    assert len(names) == ALIASES_MAX
    assert ("Name 0" in names, "One more" in names) == (False, True)


async def test_the_same_number_is_safe_until_she_says_that_it_is_not(houses: Houses) -> None:
    """Then the plan that uses it pauses, and none is kept with it until she says otherwise."""
    survivor_id, actor = await somebody(houses), houses.ours.coordinator
    async with houses.app.transaction(actor) as session:
        await keep_contact_plan(session, actor, survivor_id, new_plan(), keyring=houses.keyring, now=present())
        own = NewPhone(PHONE, PhoneKind.OWN, safe=True)
        phone_id = await add_phone(session, actor, survivor_id, own, keyring=houses.keyring, now=present())
    paused = "select paused_reason from contact_plan where survivor_id = $1"
    assert await houses.superuser.fetchval(paused, survivor_id) is None
    async with houses.app.transaction(actor) as session:
        await mark_phone(session, actor, phone_id, safe=False, keyring=houses.keyring, now=present())
    assert await houses.superuser.fetchval(paused, survivor_id) == "unsafe"
    async with houses.app.transaction(actor) as session:
        with pytest.raises(UnsafeNumber):
            await keep_contact_plan(session, actor, survivor_id, new_plan(), keyring=houses.keyring, now=present())
        await mark_phone(session, actor, phone_id, safe=True, keyring=houses.keyring, now=present())
    assert await houses.superuser.fetchval(paused, survivor_id) == "unsafe", "somebody asks her first"
    async with houses.app.transaction(actor) as session:
        await keep_contact_plan(session, actor, survivor_id, new_plan(), keyring=houses.keyring, now=present())
        await remove_phone(session, actor, phone_id, keyring=houses.keyring, now=present())
    assert await houses.superuser.fetchval(paused, survivor_id) is None
    assert (await reveal(houses, survivor_id)).phones == ()


async def test_a_number_recorded_as_unsafe_pauses_the_plan_that_uses_it(houses: Houses) -> None:
    survivor_id, actor = await somebody(houses), houses.ours.coordinator
    paused = "select paused_reason from contact_plan where survivor_id = $1"
    async with houses.app.transaction(actor) as session:
        await keep_contact_plan(session, actor, survivor_id, new_plan(), keyring=houses.keyring, now=present())
        other = NewPhone("312 555 0190", PhoneKind.SHARED, safe=False)
        await add_phone(session, actor, survivor_id, other, keyring=houses.keyring, now=present())
    assert await houses.superuser.fetchval(paused, survivor_id) is None
    async with houses.app.transaction(actor) as session:
        same = NewPhone(PHONE, PhoneKind.OWN, safe=False)
        await add_phone(session, actor, survivor_id, same, keyring=houses.keyring, now=present())
    assert await houses.superuser.fetchval(paused, survivor_id) == "unsafe"


async def test_a_note_has_versions_and_says_who_wrote_each(houses: Houses) -> None:
    survivor_id = await somebody(houses)
    await write(houses, survivor_id, "A hearing in May.\nAsk for an interpreter.")
    await write(houses, survivor_id, "A hearing in June.", after=1)
    await write(houses, survivor_id, None, after=2)
    await write(houses, survivor_id, "Asthma.", category="medical")
    present_notes = {note.category: note.text for note in (await reveal(houses, survivor_id)).notes}
    assert present_notes == {NoteCategory.LEGAL: None, NoteCategory.MEDICAL: "Asthma."}
    told = await history(houses, survivor_id)
    legal = [(note.version, note.text) for note in told.notes if note.category is NoteCategory.LEGAL]
    assert legal == [(3, None), (2, "A hearing in June."), (1, "A hearing in May.\nAsk for an interpreter.")]
    assert {note.written_by for note in told.notes} == {houses.ours.coordinator.member_id}


async def test_nobody_writes_over_what_a_colleague_has_just_written(houses: Houses) -> None:
    survivor_id = await somebody(houses)
    outcomes = await asyncio.gather(
        *(write(houses, survivor_id, f"Mine {number}") for number in range(4)), return_exceptions=True
    )
    assert sum(isinstance(outcome, UUID) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, NoteChanged) for outcome in outcomes) == 3


@pytest.mark.rule("P3")
@pytest.mark.parametrize(("text", "category"), [("a" * 2001, "legal"), ("a\x00", "legal")])
async def test_a_note_that_cannot_be_is_refused(houses: Houses, text: str, category: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await write(houses, await somebody(houses), text, category=category)
    assert refused.value.field == "text"


async def test_a_note_from_before_there_were_categories_still_opens(houses: Houses) -> None:
    survivor_id, actor = await somebody(houses), houses.ours.coordinator
    key_id = await houses.superuser.fetchval("select data_key_id from survivor where id = $1", survivor_id)
    async with houses.app.transaction(actor) as session:
        key = await load_data_key(session, houses.keyring, key_id)
    sealed = seal(key, "Not by the river.", f"survivor.safety_note_sealed:{survivor_id}")
    await houses.superuser.execute(
        f"insert into {SurvivorNote.__tablename__} (id, agency_id, survivor_id, category, version, text_sealed, moved,"
        " written_by, written_at) values ($1, $2, $3, 'safety', 1, $4, true, $5, now())",
        uuid4(), actor.agency_id, survivor_id, sealed, actor.member_id,
    )  # fmt: skip
    assert (await reveal(houses, survivor_id)).note(NoteCategory.SAFETY) == "Not by the river."


@pytest.mark.rule("A5")
@pytest.mark.rule("U1")
async def test_the_history_wants_a_fresh_second_factor_and_leaves_its_row_in_the_trail(houses: Houses) -> None:
    survivor_id, actor = await somebody(houses), houses.ours.coordinator
    trail = "select member_id from audit_event where action = 'survivor_history_read' and subject_id = $1"
    for stepped_up_at in (None, present() - timedelta(minutes=6)):
        with pytest.raises(StepUpNeeded):
            await history(houses, survivor_id, replace(actor, stepped_up_at=stepped_up_at))
    assert await houses.superuser.fetch(trail, survivor_id) == []
    await history(houses, survivor_id)
    assert [row["member_id"] for row in await houses.superuser.fetch(trail, survivor_id)] == [actor.member_id]


@pytest.mark.rule("C6")
async def test_another_agency_changes_nothing_and_learns_nothing(houses: Houses) -> None:
    survivor_id, actor = await somebody(houses), houses.theirs.coordinator
    answers = set()
    for wanted in (survivor_id, uuid4()):
        for attempt in (correct(houses, wanted, actor, given_name="X"), history(houses, wanted, actor)):
            with pytest.raises(NotFound) as refused:
                await attempt
            answers.add((refused.value.code, refused.value.message, refused.value.field))
    assert len(answers) == 1


@pytest.mark.rule("C2")
@pytest.mark.parametrize("table", PARTS)
async def test_no_row_hangs_on_another_agency_s_survivor_and_none_is_read(houses: Houses, table: str) -> None:
    """By raw SQL; the foreign key is of the pair, and the error is the same whether she exists or not."""
    survivor_id, stranger = await somebody(houses), houses.theirs.coordinator
    await write(houses, survivor_id, "A hearing in May.")
    columns = {
        "survivor_alias": (
            "id, kind, name_sealed, recorded_by, recorded_at",
            "gen_random_uuid(), 'former', '\\x01', {me}, now()",
        ),
        "survivor_phone": (
            "id, kind, safe, number_sealed, recorded_by, recorded_at",
            "gen_random_uuid(), 'own', true, '\\x01', {me}, now()",
        ),
        "survivor_note": (
            "id, category, version, text_sealed, written_by, written_at",
            "gen_random_uuid(), 'legal', 1, '\\x01', {me}, now()",
        ),
        "survivor_correction": ("field", "'given_name'"),
        "survivor_signer": (
            "id, relationship, name_sealed, recorded_by, recorded_at",
            "gen_random_uuid(), 'parent', '\\x01', {me}, now()",
        ),
        "survivor_signer_mark": (
            "id, signer_id, abuser_of, marked_by, marked_at",
            "gen_random_uuid(), gen_random_uuid(), 'survivor', {me}, now()",
        ),
        "survivor_search_key": ("kind, hash", "'name', decode(repeat('00', 16), 'hex')"),
    }[table]  # fmt: skip
    me, errors = f"'{stranger.member_id}'", set()
    for custodian in (stranger.agency_id, houses.ours.agency_id):
        for wanted in (survivor_id, uuid4()):
            async with houses.app.transaction(stranger) as session:
                connection = await session.connection()
                with pytest.raises(DBAPIError) as refused:
                    await connection.exec_driver_sql(
                        f"insert into {table} (agency_id, survivor_id, {columns[0]})"
                        f" values ('{custodian}', '{wanted}', {columns[1].format(me=me)})"
                    )
            errors.add((custodian, type(refused.value.orig.__cause__).__name__))  # type: ignore[union-attr]
    assert len(errors) == 2, errors
    async with houses.app.transaction(stranger) as session:
        seen = await (await session.connection()).exec_driver_sql(f"select count(*) from {table}")
        assert seen.scalar() == 0


@pytest.mark.rule("C2")
async def test_the_worker_opens_notes_in_its_agency_s_custody_alone(houses: Houses, worker: Database) -> None:
    """It makes the disclosure for the next choice of a routing plan."""
    survivor_id = await somebody(houses)
    await write(houses, survivor_id, "A hearing in May.")
    async with worker.transaction(Custodian(houses.ours.agency_id)) as session:
        facts = await open_facts(session, survivor_id, {Fact.LEGAL_NOTE, Fact.SAFETY_NOTE}, keyring=houses.keyring)
    assert facts == {Fact.LEGAL_NOTE: "A hearing in May."}
    for actor in (Custodian(houses.theirs.agency_id), Dispatcher()):
        async with worker.transaction(actor) as session:
            seen = await (await session.connection()).exec_driver_sql("select count(*) from survivor_note")
            assert seen.scalar() == 0


@pytest.mark.rule("C2")
async def test_nobody_signs_a_note_in_a_colleague_s_name(houses: Houses) -> None:
    survivor_id, actor = await somebody(houses), houses.ours.coordinator
    async with houses.app.transaction(actor) as session:
        connection = await session.connection()
        with pytest.raises(DBAPIError, match="row-level security"):
            await connection.exec_driver_sql(
                "insert into survivor_note (id, agency_id, survivor_id, category, version, written_by, written_at)"
                f" values (gen_random_uuid(), '{actor.agency_id}', '{survivor_id}', 'legal', 1,"
                f" '{houses.ours.intake.member_id}', now())"
            )


@pytest.mark.rule("A1")
@pytest.mark.parametrize("role", ["intake", "agency_admin", "network_admin", "auditor"])
async def test_the_parts_of_a_record_are_a_coordinator_s_to_see_in_the_database_too(houses: Houses, role: str) -> None:
    survivor_id = await somebody(houses)
    await write(houses, survivor_id, "A hearing in May.")
    await correct(houses, survivor_id, given_name="Anna", keep_former_name=True)
    signer_id = await make_signer(houses.app, houses.ours.coordinator, houses.keyring, survivor_id)
    async with houses.app.transaction(houses.ours.coordinator) as session:
        await mark_signer_as_abuser(
            session, houses.ours.coordinator, signer_id, abuser_of=AbuserOf.SURVIVOR, now=present()
        )
    for table in PARTS:
        counts = []
        for actor in (getattr(houses.ours, role), houses.ours.coordinator):
            async with houses.app.transaction(actor) as session:
                seen = await (await session.connection()).exec_driver_sql(f"select count(*) from {table}")
                counts.append(seen.scalar())
        assert counts[0] == 0, table
        assert counts[1] or table == "survivor_phone"

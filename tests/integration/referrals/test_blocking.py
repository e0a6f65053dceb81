"""Whom she has blocked sees and does nothing of hers, whatever their role, and is told nothing of it (C12, A1)."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from pyotp import TOTP
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referralnet.consent.disclosures import read_disclosure
from referralnet.consent.minors import Purpose, Signer
from referralnet.consent.refusals import NoLiveRelease
from referralnet.consent.releases import Method
from referralnet.consent.signing import NewRelease, record_release
from referralnet.database.acting import Member, Nobody, Role
from referralnet.database.direct import fetch_all
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput, NotFound, NotPermitted
from referralnet.identity import invitations, members
from referralnet.identity.agencies import new_totp_secret
from referralnet.identity.invitations import Chosen
from referralnet.identity.members import NewColleague
from referralnet.identity.tasks import list_tasks
from referralnet.referrals import reading
from referralnet.referrals.blocking import block_from_survivor
from referralnet.referrals.matching import match_need
from referralnet.referrals.reading import inbox, referral, sent
from referralnet.referrals.sending import send_referral
from referralnet.survivors.blocks import BlockedBySurvivor, NoSuchMember, list_blocks
from referralnet.survivors.recording import list_survivors
from referralnet.survivors.revealing import reveal_survivor
from tests.factories.blocks import (
    Watched,
    add_colleague,
    block_colleague,
    ids_of_hers,
    make_watched,
    make_whole_case,
    set_block,
)
from tests.factories.identity import MadeMember, make_member
from tests.factories.referrals import CATEGORIES, Look, Network, Sent, present, run

TRAINED_UNTIL = (present() + timedelta(days=90)).date()
# Where a blocked person may still find ids that are hers: what they did themselves before.
THEIR_OWN = {"public.idempotency_key"}
READABLE = """
select relname as table_name, nspname || '.' || relname as name,
  array_agg(attname::text order by attnum) filter (where has_column_privilege(attrelid, attnum, 'select')) as columns
from pg_class join pg_namespace on pg_namespace.oid = relnamespace join pg_attribute on attrelid = pg_class.oid
where relkind = 'r' and nspname in ('public', 'keystore') and attnum > 0 and not attisdropped
  and has_any_column_privilege(pg_class.oid, 'select')
group by 1, 2 order by 2
"""


@pytest_asyncio.fixture(scope="module")
async def watched(owner: Database, keyring: Keyring, network: Network) -> Watched:
    return await make_watched(owner, keyring, network)


@pytest_asyncio.fixture
async def bystander(app: Database, watched: Watched, keyring: Keyring, look: Look) -> Sent:
    """Somebody else's case."""
    return await make_whole_case(app, watched, keyring, look)


@pytest_asyncio.fixture
async def case(bystander: Sent, app: Database, watched: Watched, keyring: Keyring, look: Look) -> Sent:
    return await make_whole_case(app, watched, keyring, look)


async def tables_with_hers(app: Database, actor: Member, hers: list[UUID]) -> set[str]:
    """Every table in which the actor reads a row that holds one of the ids."""
    found = set()
    async with app.transaction(actor) as session:
        for table in await session.execute(text(READABLE)):
            row = f"concat_ws(' ', {', '.join(table.columns)})"
            counted = f"select count(*) from {table.name} where {row} ~ :ids"
            if await session.scalar(text(counted), {"ids": "|".join(map(str, hers))}):
                found.add(table.name)
    return found


def blocking(whom: str) -> Callable[[Database, Watched, UUID], Awaitable[UUID]]:
    """How `whom` is blocked."""

    async def block(app: Database, watched: Watched, survivor_id: UUID) -> UUID:
        if whom == "colleague":
            return await block_colleague(app, watched, survivor_id)
        member = watched.officer.login if whom == "officer" else None
        return await set_block(app, watched, survivor_id, agency_id=watched.target_id, member=member)

    return block


def person(watched: Watched, whom: str) -> MadeMember:
    return watched.colleague if whom == "colleague" else watched.officer


WHOM = ("colleague", "officer", "whole agency")
SEES = {
    "colleague": {
        "keystore.data_key", "public.appointment", "public.audit_event", "public.contact_plan",
        "public.contact_plan_version", "public.disclosure",
        "public.disclosure_item", "public.need", "public.notice", "public.referral", "public.referral_event",
        "public.release", "public.survivor", "public.survivor_alias", "public.survivor_correction",
        "public.survivor_likeness", "public.survivor_note", "public.survivor_phone", "public.survivor_referral",
        "public.survivor_release", "public.survivor_search_key", "public.survivor_signer",
        "public.survivor_signer_mark", "public.handoff", "public.task",
        "public.text_message",
    },
    "officer": {
        "keystore.data_key", "public.appointment", "public.audit_event", "public.disclosure", "public.referral",
        "public.referral_event", "public.task",
    },
}  # fmt: skip


@pytest.mark.rule("C12", "A1")
@pytest.mark.parametrize("whom", WHOM)
async def test_in_no_table_is_there_a_row_of_hers_for_whom_she_blocked(
    app: Database, watched: Watched, case: Sent, look: Look, whom: str
) -> None:
    actor = person(watched, whom).actor
    before = await tables_with_hers(app, actor, await ids_of_hers(look, case.survivor_id))
    assert before == SEES["colleague" if whom == "colleague" else "officer"]
    await blocking(whom)(app, watched, case.survivor_id)
    after = await tables_with_hers(app, actor, await ids_of_hers(look, case.survivor_id))
    assert after <= THEIR_OWN


@pytest.mark.rule("C12")
async def test_whoever_joins_a_blocked_agency_later_is_blocked_as_well(
    app: Database, owner: Database, keyring: Keyring, watched: Watched, case: Sent, look: Look
) -> None:
    await blocking("whole agency")(app, watched, case.survivor_id)
    joined = await add_colleague(owner, keyring, watched.target_id)
    assert await tables_with_hers(app, joined.actor, await ids_of_hers(look, case.survivor_id)) == set()


async def take_up(app: Database, keyring: Keyring, code: str) -> None:
    """Choose a password and an authenticator by an invitation."""
    secret = new_totp_secret()
    chosen = Chosen("a sentence that I remember", secret, TOTP(secret).at(present()))
    await invitations.accept(app, code, chosen, keyring=keyring, now=present())


async def let_in(app: Database, keyring: Keyring, admin: Member) -> Member:
    """A coordinator whom an admin has invited, and who has taken the invitation up."""
    roles = (Role.COORDINATOR, Role.AGENCY_ADMIN)
    new = NewColleague(f"{uuid4()}@lakeside.example", "Noa Example", roles, TRAINED_UNTIL)
    member_id, code = await run(app, admin, members.invite, new, now=present())
    await take_up(app, keyring, code)
    return replace(admin, member_id=member_id, roles=frozenset(roles))


@pytest.mark.rule("C12")
async def test_whom_a_blocked_admin_lets_in_afterwards_is_blocked_as_well(
    app: Database, keyring: Keyring, watched: Watched, case: Sent, look: Look
) -> None:
    earlier = await let_in(app, keyring, watched.colleague.actor)
    await block_colleague(app, watched, case.survivor_id)
    hers = await ids_of_hers(look, case.survivor_id)
    afterwards = await let_in(app, keyring, watched.colleague.actor)
    by_them = await let_in(app, keyring, afterwards)
    for actor in (afterwards, by_them):
        assert await tables_with_hers(app, actor, hers) == set()
    assert "public.survivor" in await tables_with_hers(app, earlier, hers), "whoever was there before keeps her record"
    by_others = await let_in(app, keyring, earlier)
    assert "public.survivor" in await tables_with_hers(app, by_others, hers)


@pytest.mark.rule("C12")
async def test_an_account_that_a_blocked_admin_takes_over_reads_nothing_of_hers(
    app: Database, keyring: Keyring, watched: Watched, case: Sent, look: Look
) -> None:
    taken = await let_in(app, keyring, watched.colleague.actor)
    await block_colleague(app, watched, case.survivor_id)
    again = await run(app, watched.colleague.actor, members.invite_again, taken.member_id, now=present())
    await take_up(app, keyring, again)
    assert await tables_with_hers(app, taken, await ids_of_hers(look, case.survivor_id)) == set()


@pytest.mark.rule("C12")
async def test_others_lose_nothing_when_one_person_is_blocked(
    app: Database, keyring: Keyring, watched: Watched, case: Sent
) -> None:
    await blocking("officer")(app, watched, case.survivor_id)
    await block_colleague(app, watched, case.survivor_id)
    told = await run(app, watched.network.intake, read_disclosure, case.id, keyring=keyring, now=present())
    assert set(told.categories) == CATEGORIES
    assert (await run(app, watched.network.coordinator, referral, case.id)).id == case.id


@pytest.mark.rule("C12")
async def test_a_blocked_person_keeps_what_is_others(
    app: Database, watched: Watched, bystander: Sent, case: Sent, keyring: Keyring
) -> None:
    await block_colleague(app, watched, case.survivor_id)
    colleague = watched.colleague.actor
    assert bystander.survivor_id in {row.id for row in await run(app, colleague, list_survivors, keyring=keyring)}
    assert bystander.id in {row.id for row in await run(app, colleague, sent)}
    assert case.id not in {row.id for row in await run(app, colleague, sent)}


@pytest.mark.rule("C12")
async def test_a_blocked_agency_s_inbox_and_worklist_are_as_if_nothing_had_come(
    app: Database, watched: Watched, case: Sent
) -> None:
    await blocking("whole agency")(app, watched, case.survivor_id)
    intake = watched.network.intake
    assert case.id not in {row.id for row in await run(app, intake, inbox)}
    async with app.transaction(intake) as session:
        assert case.id not in {task.subject_id for task in await list_tasks(session, first=200)}
    with pytest.raises(NotFound):
        await run(app, intake, referral, case.id)


@pytest.mark.rule("C12", "C4")
async def test_what_stood_open_towards_a_blocked_agency_ends_in_the_same_transaction(
    app: Database, watched: Watched, case: Sent, look: Look
) -> None:
    await blocking("whole agency")(app, watched, case.survivor_id)
    (release,) = await look(
        """
        select status, ended_via, wrapped from release join survivor_release on release_id = release.id
          join keystore.data_key on data_key.id = data_key_id where release.id = $1
        """,
        case.release_id,
    )
    assert (release["status"], release["ended_via"], release["wrapped"]) == ("inactive", "blocked", None)
    (closed,) = await look("select status, status_reason from referral where id = $1", case.id)
    assert tuple(closed.values()) == ("cancelled", "consent_withdrawn")
    assert await look("select from appointment where referral_id = $1 and status = 'booked'", case.id) == []
    assert await look("select from text_message where subject_id = $1 and state = 'scheduled'", case.id) == []


@pytest.mark.rule("C12")
async def test_one_blocked_person_ends_nothing(app: Database, watched: Watched, case: Sent, look: Look) -> None:
    await blocking("officer")(app, watched, case.survivor_id)
    (row,) = await look("select status from referral where id = $1", case.id)
    assert row["status"] == "in_progress"


@pytest.mark.rule("C12")
async def test_nothing_can_be_released_to_sent_to_or_matched_with_a_blocked_agency(
    app: Database, watched: Watched, case: Sent, keyring: Keyring, look: Look
) -> None:
    coordinator, entry = watched.network.coordinator, watched.network.service_at_location_id
    await look("update directory_entry set categories = '{shelter}' where service_at_location_id = $1", entry)
    matched = await run(app, coordinator, match_need, case.need_id, now=present())
    assert entry in {found.service_at_location_id for found in matched}
    await blocking("whole agency")(app, watched, case.survivor_id)
    matched = await run(app, coordinator, match_need, case.need_id, now=present())
    assert entry not in {found.service_at_location_id for found in matched}
    release = NewRelease(watched.target_id, Purpose.SHELTER, CATEGORIES, Signer.SURVIVOR, Method.WRITTEN, "es")
    with pytest.raises(BlockedBySurvivor) as refused:
        await run(app, coordinator, record_release, case.survivor_id, release, keyring=keyring, now=present())
    assert refused.value.field == "recipient_agency_id"
    again = {
        "survivor_id": case.survivor_id, "need_id": case.need_id, "release_id": case.release_id,
        "service_at_location_id": entry, "categories": CATEGORIES,
    }  # fmt: skip
    with pytest.raises(BlockedBySurvivor) as refused:
        await run(app, coordinator, send_referral, **again, keyring=keyring, now=present())
    assert refused.value.field == "service_at_location_id"


@pytest.mark.rule("C12")
async def test_a_blocked_colleague_finds_no_survivor_to_read_write_or_send(
    app: Database, watched: Watched, case: Sent, keyring: Keyring
) -> None:
    await block_colleague(app, watched, case.survivor_id)
    colleague = watched.colleague.actor
    again = {
        "survivor_id": case.survivor_id, "need_id": case.need_id, "release_id": case.release_id,
        "service_at_location_id": watched.network.service_at_location_id, "categories": CATEGORIES,
    }  # fmt: skip
    with pytest.raises(NotFound):
        await run(app, colleague, reveal_survivor, case.survivor_id, keyring=keyring, now=present())
    with pytest.raises(NotFound):
        await run(app, colleague, send_referral, **again, keyring=keyring, now=present())
    with pytest.raises(NotFound):
        await run(app, colleague, list_blocks, case.survivor_id)
    with pytest.raises(NotFound):
        await run(app, colleague, match_need, case.need_id, now=present())


@pytest.mark.rule("C12")
async def test_a_blocked_recipient_is_told_as_if_there_had_never_been_a_release(
    app: Database, watched: Watched, case: Sent, keyring: Keyring
) -> None:
    await blocking("officer")(app, watched, case.survivor_id)
    with pytest.raises(NoLiveRelease):
        await run(app, watched.officer.actor, read_disclosure, case.id, keyring=keyring, now=present())


async def test_a_block_is_set_by_a_coordinator_of_her_custodian_and_tells_whom_it_names(
    app: Database, watched: Watched, case: Sent
) -> None:
    for stranger in (watched.officer.actor, watched.network.outsider):
        with pytest.raises(NotFound):
            await run(
                app, stranger, block_from_survivor, case.survivor_id,
                agency_id=watched.target_id, member=None, now=present(),
            )  # fmt: skip
    with pytest.raises(NotPermitted):
        await run(
            app, watched.network.intake, block_from_survivor, case.survivor_id,
            agency_id=watched.target_id, member=None, now=present(),
        )  # fmt: skip
    first = await blocking("officer")(app, watched, case.survivor_id)
    assert await blocking("officer")(app, watched, case.survivor_id) == first
    await block_colleague(app, watched, case.survivor_id)
    rows = await run(app, watched.network.coordinator, list_blocks, case.survivor_id)
    assert [row.member_name for row in rows] == [
        f"Member {made.login.partition('@')[0]}" for made in (watched.officer, watched.colleague)
    ]


async def test_a_person_is_found_by_login_or_full_name_in_one_agency_and_no_list_is_given(
    app: Database, watched: Watched, case: Sent
) -> None:
    login = watched.officer.login
    for wrong in ("", login[:-1], "Member", f"{login}%"):
        with pytest.raises(NoSuchMember):
            await set_block(app, watched, case.survivor_id, agency_id=watched.target_id, member=wrong)
    with pytest.raises(NoSuchMember):
        await set_block(app, watched, case.survivor_id, agency_id=watched.custodian_id, member=login)
    named = f"  MEMBER {login.partition('@')[0]} "
    await set_block(app, watched, case.survivor_id, agency_id=watched.target_id, member=named)


async def test_neither_her_custodian_as_a_whole_nor_oneself_is_blocked(
    app: Database, watched: Watched, case: Sent
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await set_block(app, watched, case.survivor_id, agency_id=watched.custodian_id, member=None)
    assert refused.value.field == "agency_id"
    own = f"Member {watched.network.coordinator.member_id.hex[:8]}"
    with pytest.raises(InvalidInput) as refused:
        await set_block(app, watched, case.survivor_id, agency_id=watched.custodian_id, member=own)
    assert refused.value.field == "member"


# --- by raw SQL, as the application role ------------------------------------------------------------------------------

HANG = {
    "a need": """insert into need (id, agency_id, survivor_id, service_type, urgency, region, language, household_size,
        age_band, immigration_sensitive, created_at)
        values (gen_random_uuid(), :agency, :survivor, 'x', 'urgent', 'US-IL', 'es', 1, '25_59', false, now())""",
    "a plan": """insert into contact_plan (id, agency_id, survivor_id, phone_sealed, phone_lookup, language, time_zone,
        safe_windows, sender_label, voicemail_ok, reconfirm_by)
        values (gen_random_uuid(), :agency, :survivor, '', '', 'es', 'UTC', '[]', 'x', false, current_date)""",
    "a block": """insert into survivor_block (id, agency_id, survivor_id, blocked_agency_id, set_by, set_at)
        select gen_random_uuid(), :agency, :survivor, id, :member, now() from agency where id <> :agency limit 1""",
    "a release": """insert into survivor_release (release_id, proposal_id, agency_id, survivor_id, form_version,
        form_language, form_hash, recorded_by) values (:release, :release, :agency, :survivor, '1', 'es',
        decode(repeat('00', 32), 'hex'), :member)""",
    "her release on another": """insert into survivor_release (release_id, proposal_id, agency_id, survivor_id,
        form_version, form_language, form_hash, recorded_by) select :release, :release, :agency, id, '1', 'es',
        decode(repeat('00', 32), 'hex'), :member from survivor limit 1""",
    "an alias": """insert into survivor_alias (id, agency_id, survivor_id, kind, name_sealed, recorded_by, recorded_at)
        values (gen_random_uuid(), :agency, :survivor, 'nickname', '', :member, now())""",
    "a number": """insert into survivor_phone (id, agency_id, survivor_id, kind, safe, number_sealed, recorded_by,
        recorded_at) values (gen_random_uuid(), :agency, :survivor, 'own', true, '', :member, now())""",
    "a note": """insert into survivor_note (id, agency_id, survivor_id, category, version, written_by, written_at)
        values (gen_random_uuid(), :agency, :survivor, 'safety', 1, :member, now())""",
    "a key to find her by": """insert into survivor_search_key (agency_id, survivor_id, kind, hash)
        values (:agency, :survivor, 'name', decode(repeat('00', 16), 'hex'))""",
    "a likeness to her": """insert into survivor_likeness (id, agency_id, survivor_id, other_id, decision, decided_by,
        decided_at) select gen_random_uuid(), :agency, id, :survivor, 'same', :member, now() from survivor limit 1""",
    "her likeness to another": """insert into survivor_likeness (id, agency_id, other_id, survivor_id, decision,
        decided_by, decided_at) select gen_random_uuid(), :agency, id, :survivor, 'same', :member, now()
        from survivor limit 1""",
    "a handoff": """insert into handoff (id, agency_id, survivor_id, service_at_location_id, organization_name,
        service_name, made_by, made_at)
        values (gen_random_uuid(), :agency, :survivor, gen_random_uuid(), '', '', :member, now())""",
    "her release declined": """insert into handoff (id, agency_id, survivor_id, service_at_location_id,
        organization_name, service_name, declined_release_id, made_by, made_at)
        select gen_random_uuid(), :agency, id, gen_random_uuid(), '', '', :release, :member, now()
        from survivor limit 1""",
    "a link": """insert into survivor_referral (referral_id, agency_id, survivor_id, need_id, release_id,
        coordinator_id) values (:referral, :agency, :survivor, :need, :release, :member)""",
    "her need on another's link": """insert into survivor_referral (referral_id, agency_id, survivor_id, need_id,
        release_id, coordinator_id) select :drafted, :agency, survivor_id, :need, release_id, :member
        from survivor_referral limit 1""",
    "her release on another's link": """insert into survivor_referral (referral_id, agency_id, survivor_id, need_id,
        release_id, coordinator_id) select :drafted, :agency, survivor_id, need_id, :release, :member
        from survivor_referral limit 1""",
    "a task about her": """insert into task (agency_id, kind, subject_kind, subject_id, opened_at)
        values (:agency, 'survivor_unsafe', 'survivor', :survivor, now())""",
    "a task about her, called another's": """insert into task (agency_id, kind, subject_kind, subject_id, opened_at)
        values (:agency, 'survivor_unsafe', 'member', :survivor, now())""",
    "a task about her, of no known kind": """insert into task (agency_id, kind, subject_kind, subject_id, opened_at)
        values (:agency, 'survivor_unsafe', 'x', :survivor, now())""",
    "a disclosure": """insert into disclosure (id, agency_id, recipient_agency_id, release_id, data_key_id, referral_id,
        made_at) values (gen_random_uuid(), :agency, :other, :release, :key, :referral, now())""",
    "a survivor under her key": """insert into survivor (id, agency_id, data_key_id, given_name_sealed,
        family_name_sealed, created_by, created_at)
        values (gen_random_uuid(), :agency, :key, '', '', :member, now())""",
    "a release under her key": """insert into release (id, agency_id, recipient_agency_id, data_key_id, purpose,
        categories, status, starts_at, expires_at, created_at) values (gen_random_uuid(), :agency, :other, :key,
        'shelter', '{needs}', 'active', now(), now() + interval '1 day', now())""",
    "a visit": """insert into appointment (id, referral_id, source_agency_id, target_agency_id, starts_at, time_zone,
        duration_minutes, mode, status, created_at) values (gen_random_uuid(), :referral, :other, :agency, now(), 'UTC',
        60, 'phone', 'booked', now())""",
    "a notice": """insert into notice (id, agency_id, referral_id, kind, occurrence, created_at) values
        (gen_random_uuid(), :agency, :referral, 'appointment_set', '{"appointment_id":
        "6f0f1b3e-5d0e-4f8e-9c53-0a1b2c3d4e5f", "starts_at": "2026-01-01T00:00:00Z", "time_zone": "UTC"}', now())""",
    "her plan moved": """update contact_plan set survivor_id = :survivor where survivor_id <> :survivor""",
    "her need moved": """update need set survivor_id = :survivor where survivor_id <> :survivor""",
    "a change of hers": "update survivor set safety_note_sealed = '' where id = :survivor",
    "an end of hers": "update release set status = 'inactive' where id = :release",
    "a lock on hers": "select id from survivor where id = :survivor for update",
    "a lock on her referral": "select id from referral where id = :referral for update",
    "when it lives": "select live_until(:release)",
    "what is released": "select is_released(:release, 'identity')",
    "her name in a block": "select blocked_member_name(:block)",
}


async def told(app: Database, actor: Member, statement: str, values: dict[str, Any]) -> str:
    """What the database says to a statement: the rows, how many it changed, or its error; nothing of it stays."""
    async with app.transaction(actor) as session:
        try:
            result = await session.execute(text(statement), values)
            return f"{result.rowcount} {result.all() if result.returns_rows else ''}"  # type: ignore[attr-defined]
        except DBAPIError as refused:
            return re.sub(r"\(Background.*", "", str(refused.orig), flags=re.DOTALL)
        finally:
            await session.rollback()


@pytest.mark.rule("C12", "C6")
@pytest.mark.parametrize("attempt", HANG)
@pytest.mark.parametrize("whom", ["colleague", "officer"])
async def test_the_database_says_the_same_of_what_is_blocked_and_of_what_is_not_there(
    app: Database, watched: Watched, case: Sent, look: Look, whom: str, attempt: str
) -> None:
    block_id = await blocking(whom)(app, watched, case.survivor_id)
    actor = person(watched, whom).actor
    (keys,) = await look("select data_key_id from survivor where id = $1", case.survivor_id)
    drafted = await draft(app, watched) if whom == "colleague" else uuid4()
    other = watched.target_id if whom == "colleague" else watched.custodian_id
    alike = {"agency": actor.agency_id, "member": actor.member_id, "other": other, "drafted": drafted}
    hers = {
        "survivor": case.survivor_id, "need": case.need_id, "release": case.release_id, "referral": case.id,
        "key": keys["data_key_id"], "block": block_id,
    }  # fmt: skip
    used = {name for name in alike | hers if re.search(rf":{name}\b", HANG[attempt])}
    answers = [
        await told(app, actor, HANG[attempt], {name: value for name, value in (alike | ids).items() if name in used})
        for ids in (hers, dict.fromkeys(hers, uuid4()))
    ]
    assert answers[0] == answers[1]


async def worked(app: Database, actor: Member, referral_id: UUID) -> list[tuple[str, bool]]:
    """Each step of the plan that reads a referral, and whether it was taken."""
    explain = f"explain (analyze, costs off, timing off, summary off, buffers off) {reading._one()._sql}"
    async with app.transaction(actor) as session:
        lines = [row[0] for row in await fetch_all(session, explain, referral_id)]
    steps = [line.split("->")[1] for line in lines if "->" in line]
    return [(step.split("(")[0].strip(), "never executed" not in step) for step in steps]


@pytest.mark.rule("C12")
@pytest.mark.parametrize("whom", ["colleague", "officer"])
async def test_row_security_works_as_much_for_what_does_not_exist_as_for_what_is_blocked(
    app: Database, watched: Watched, case: Sent, whom: str
) -> None:
    await blocking(whom)(app, watched, case.survivor_id)
    actor = person(watched, whom).actor
    blocked, missing = [await worked(app, actor, asked) for asked in (case.id, uuid4())]
    assert blocked == missing
    assert ("ProjectSet", True) in missing, "it was asked who is blocked"


async def draft(app: Database, watched: Watched) -> UUID:
    """A referral of the custodian's own that names nobody yet."""
    referral_id = uuid4()
    async with app.transaction(watched.network.coordinator) as session:
        await session.execute(
            text("""
                insert into referral (id, source_agency_id, source_agency_kind, target_agency_id,
                  service_at_location_id, status, changed_at, service_type, urgency, region, language,
                  household_size, age_band, accessibility, immigration_sensitive, created_at)
                values (:id, :source, 'victim_services', :target, :entry, 'draft', now(), 'shelter', 'urgent', 'US-IL',
                  'es', 1, '25_59', '{}', false, now())
            """),
            {
                "id": referral_id,
                "source": watched.custodian_id,
                "target": watched.target_id,
                "entry": watched.network.service_at_location_id,
            },
        )
    return referral_id


@pytest.mark.rule("C12")
async def test_the_database_itself_refuses_what_would_tell_a_blocked_agency_of_her(
    app: Database, watched: Watched, case: Sent, look: Look
) -> None:
    """Though Python forgot to ask."""
    await blocking("whole agency")(app, watched, case.survivor_id)
    coordinator = watched.network.coordinator
    made = {"agency": watched.custodian_id, "target": watched.target_id, "member": coordinator.member_id}
    ids = {"id": uuid4(), "her": case.survivor_id}
    with pytest.raises(DBAPIError, match="she has blocked them"):
        await run_all(app, coordinator, RELEASE_TO_THEM, made | ids)
    drafted = await draft(app, watched)
    with pytest.raises(DBAPIError, match="she has blocked them"):
        async with app.transaction(coordinator) as session:
            await session.execute(
                text("""insert into survivor_referral (referral_id, agency_id, survivor_id, need_id, release_id,
                    coordinator_id) values (:id, :agency, :her, :need, :release, :member)"""),
                made | {"id": drafted, "her": case.survivor_id, "need": case.need_id, "release": case.release_id},
            )


async def run_all(app: Database, actor: Member, statements: tuple[str, ...], values: dict[str, Any]) -> None:
    async with app.transaction(actor) as session:
        for statement in statements:
            await session.execute(text(statement), values)


RELEASE_TO_THEM = (
    """insert into release (id, agency_id, recipient_agency_id, purpose, categories, status, starts_at, expires_at,
        created_at)
        values (:id, :agency, :target, 'shelter', '{needs}', 'proposed', now(), now() + interval '1 day', now())""",
    """insert into survivor_release (release_id, proposal_id, agency_id, survivor_id, form_version, form_language,
        form_hash, recorded_by)
        values (:id, :id, :agency, :her, '1', 'es', decode(repeat('00', 32), 'hex'), :member)""",
)


@pytest.mark.rule("C12")
async def test_nobody_sets_a_block_in_another_s_name_lifts_one_or_sees_one_of_another_agency(
    app: Database, watched: Watched, case: Sent
) -> None:
    block_id = await blocking("officer")(app, watched, case.survivor_id)
    coordinator = watched.network.coordinator
    forged = """insert into survivor_block (id, agency_id, survivor_id, blocked_agency_id, set_by, set_at)
        values (gen_random_uuid(), :agency, :her, :target, :other, now())"""
    values = {
        "agency": watched.custodian_id, "her": case.survivor_id, "target": watched.target_id,
        "other": watched.colleague.actor.member_id,
    }  # fmt: skip
    assert "row-level security" in await told(app, coordinator, forged, values)
    for statement in ("update survivor_block set lifted_at = now()", "delete from survivor_block"):
        assert "permission denied" in await told(app, coordinator, statement, {})
    for nobody in (watched.network.outsider, watched.officer.actor, watched.network.intake, Nobody()):
        async with app.transaction(nobody) as session:
            assert (
                await session.scalar(text("select count(*) from survivor_block where id = :id"), {"id": block_id}) == 0
            )


@pytest.mark.rule("C12")
async def test_only_a_coordinator_can_ask_which_member_a_name_is(
    app: Database, owner: Database, keyring: Keyring, watched: Watched
) -> None:
    ask = text("select count(*) from members_to_block(:agency, :login)")
    values = {"agency": watched.target_id, "login": watched.officer.login}
    for role in Role:
        made = await make_member(owner, keyring, watched.custodian_id, [role])
        async with app.transaction(made.actor) as session:
            assert await session.scalar(ask, values) == (1 if role is Role.COORDINATOR else 0)


CASE_COLUMNS = {"survivor_id", "referral_id", "release_id", "disclosure_id", "subject_id", "data_key_id"}
# Asks whether the row it hangs on is seen, which is out of reach itself.
REACHED_THROUGH_ANOTHER = {
    "public.referral_event",
    "public.disclosure_item",
    "public.disclosure_reading",
    "public.routing_choice",
}


@pytest.mark.rule("C12", "A1")
async def test_every_table_that_hangs_on_a_case_is_out_of_reach_of_the_blocked(app: Database, look: Look) -> None:
    """A table added later without it fails here."""
    rows = await look(
        """
        select nspname || '.' || relname as name,
          exists (select from pg_policy where polrelid = pg_class.oid and not polpermissive
            and pg_get_expr(polqual, polrelid) like '%acting_blocked_%') as guarded
        from pg_class join pg_namespace on pg_namespace.oid = relnamespace
        where relkind = 'r' and has_any_column_privilege('referralnet_app', pg_class.oid, 'select')
          and (relname in ('survivor', 'release', 'referral', 'disclosure', 'data_key') or exists (
            select from pg_attribute where attrelid = pg_class.oid and attname = any ($1)))
        """,
        list(CASE_COLUMNS),
    )
    assert len(rows) > 12
    assert {row["name"] for row in rows if not row["guarded"]} == REACHED_THROUGH_ANOTHER

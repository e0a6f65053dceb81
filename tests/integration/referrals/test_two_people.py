"""Lifting a block and following a mandate take two people, whoever speaks SQL included (C10, C12)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referralnet.consent.categories import Category
from referralnet.consent.compelled import Mandate, NewCompelled, propose_compelled, told_under_mandates
from referralnet.consent.disclosures import read_disclosure
from referralnet.consent.refusals import NoLiveRelease
from referralnet.database.acting import Member, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput, NotFound, NotPermitted
from referralnet.identity.step_up import StepUpNeeded
from referralnet.identity.tasks import close_task
from referralnet.referrals.reading import referral
from referralnet.survivors.blocks import list_blocks
from referralnet.survivors.two_people import (
    ActIsOver,
    AlreadyProposed,
    SecondPersonNeeded,
    act,
    cancel,
    confirm,
    list_acts,
    propose_lifting,
)
from tests.factories.blocks import Watched, block_colleague, make_watched, make_whole_case
from tests.factories.identity import make_member
from tests.factories.referrals import Look, Network, Sent, present, run
from tests.factories.survivors import tables_that_show

COURT = "Circuit Court of Invented County"
CONFIRM = text("update two_person_act set decision = 'confirmed', decided_by = :me, decided_at = now() where id = :id")


@pytest_asyncio.fixture(scope="module")
async def watched(owner: Database, keyring: Keyring, network: Network) -> Watched:
    return await make_watched(owner, keyring, network)


@pytest_asyncio.fixture(scope="module")
async def second(owner: Database, keyring: Keyring, watched: Watched) -> Member:
    made = await make_member(
        owner, keyring, watched.custodian_id, [Role.COORDINATOR], now=present(), stepped_up_at=present()
    )
    return made.actor


@pytest_asyncio.fixture
async def case(app: Database, watched: Watched, keyring: Keyring, look: Look) -> Sent:
    return await make_whole_case(app, watched, keyring, look)


@pytest_asyncio.fixture
async def proposed(app: Database, watched: Watched, case: Sent) -> UUID:
    """A proposal to lift the block of her custodian's colleague."""
    block_id = await block_colleague(app, watched, case.survivor_id)
    return await run(app, watched.network.coordinator, propose_lifting, block_id, now=present())


def mandate(**changes: object) -> NewCompelled:
    values: dict[str, object] = {
        "mandate": Mandate.COURT_ORDER, "authority": COURT, "reference": "26 MR 0142", "recipient": "The clerk",
        "mandated_on": present().date(), "categories": frozenset({Category.NEEDS}),
    }  # fmt: skip
    return NewCompelled(**{**values, **changes})  # type: ignore[arg-type]


async def compel(app: Database, watched: Watched, case: Sent, keyring: Keyring, **changes: object) -> UUID:
    new, coordinator = mandate(**changes), watched.network.coordinator
    return await run(app, coordinator, propose_compelled, case.survivor_id, new, keyring=keyring, now=present())


@pytest.mark.rule("C12")
async def test_a_block_holds_until_a_second_coordinator_confirms(
    app: Database, watched: Watched, case: Sent, proposed: UUID, second: Member
) -> None:
    colleague = watched.colleague.actor
    with pytest.raises(NotFound):
        await run(app, colleague, referral, case.id)
    await run(app, second, confirm, proposed, now=present())
    assert (await run(app, colleague, referral, case.id)).id == case.id
    assert await run(app, watched.network.coordinator, list_blocks, case.survivor_id) == []
    (row,) = await run(app, second, list_acts, case.survivor_id)
    assert row.decision == "confirmed"


@pytest.mark.rule("C10")
async def test_whoever_proposed_it_does_not_confirm_it(app: Database, watched: Watched, proposed: UUID) -> None:
    coordinator = watched.network.coordinator
    with pytest.raises(SecondPersonNeeded):
        await run(app, coordinator, confirm, proposed, now=present())
    with pytest.raises(DBAPIError, match="act_takes_two"):
        await confirm_by_sql(app, coordinator, proposed)


async def confirm_by_sql(app: Database, actor: Member, act_id: UUID) -> int:
    async with app.transaction(actor) as session:
        done = await session.execute(CONFIRM, {"me": actor.member_id, "id": act_id})
        return int(done.rowcount)  # type: ignore[attr-defined]


@pytest.mark.rule("C10", "C12")
async def test_the_blocked_the_outsider_and_the_intake_confirm_nothing(
    app: Database, watched: Watched, proposed: UUID, owner: Database, keyring: Keyring
) -> None:
    intake = (await make_member(owner, keyring, watched.custodian_id, [Role.INTAKE], stepped_up_at=present())).actor
    for nobody in (watched.colleague.actor, watched.officer.actor, watched.network.outsider, intake):
        with pytest.raises((NotFound, NotPermitted)):
            await run(app, nobody, confirm, proposed, now=present())
        assert await confirm_by_sql(app, nobody, proposed) == 0


@pytest.mark.rule("C10")
@pytest.mark.parametrize(
    "meanwhile",
    [
        "update member set disabled_at = now() where id = $1",
        "update member set roles = '{intake}' where id = $1",
        """insert into survivor_block (id, agency_id, survivor_id, blocked_member_id, set_by, set_at)
           select gen_random_uuid(), agency_id, survivor_id, $1, (select id from member where id <> $1 limit 1), now()
           from two_person_act where proposed_by = $1""",
        "update two_person_act set expires_at = now(), proposed_at = now() - interval '1 hour' where proposed_by = $1",
    ],
    ids=["disabled", "no coordinator any more", "blocked", "too late"],
)
async def test_what_a_person_proposed_who_may_no_more_or_too_long_ago_is_not_confirmed(
    app: Database, owner: Database, keyring: Keyring, watched: Watched, case: Sent, second: Member, look: Look,
    meanwhile: str,
) -> None:  # fmt: skip
    proposer = (await make_member(owner, keyring, watched.custodian_id, [Role.COORDINATOR])).actor
    block_id = await block_colleague(app, watched, case.survivor_id)
    act_id = await run(app, proposer, propose_lifting, block_id, now=present())
    await look("set session_replication_role = replica")
    await look(meanwhile, proposer.member_id)
    await look("set session_replication_role = origin")
    with pytest.raises(ActIsOver):
        await run(app, second, confirm, act_id, now=present())
    with pytest.raises(DBAPIError, match="confirmed no more"):
        await confirm_by_sql(app, second, act_id)


@pytest.mark.rule("C10")
async def test_what_was_decided_stays_decided_and_can_be_proposed_anew(
    app: Database, watched: Watched, case: Sent, proposed: UUID, second: Member
) -> None:
    coordinator = watched.network.coordinator
    block_id = (await run(app, second, act, proposed)).subject_id
    with pytest.raises(AlreadyProposed):
        await run(app, second, propose_lifting, block_id, now=present())
    await run(app, second, cancel, proposed, now=present())
    for decide in (confirm, cancel):
        with pytest.raises(ActIsOver):
            await run(app, second, decide, proposed, now=present())
    with pytest.raises(DBAPIError, match="it was decided"):
        await confirm_by_sql(app, second, proposed)
    assert len(await run(app, coordinator, list_blocks, case.survivor_id)) == 1
    again = await run(app, second, propose_lifting, block_id, now=present())
    late = present() + timedelta(hours=73)
    assert await run(app, coordinator, propose_lifting, block_id, now=late) != again


async def test_confirming_wants_a_fresh_second_factor(
    app: Database, owner: Database, keyring: Keyring, watched: Watched, proposed: UUID
) -> None:
    tired = (await make_member(owner, keyring, watched.custodian_id, [Role.COORDINATOR])).actor
    with pytest.raises(StepUpNeeded):
        await run(app, tired, confirm, proposed, now=present())


async def test_of_two_who_confirm_at_once_one_does(
    app: Database, proposed: UUID, second: Member, owner: Database, keyring: Keyring, watched: Watched
) -> None:
    third = await make_member(owner, keyring, watched.custodian_id, [Role.COORDINATOR], stepped_up_at=present())
    outcomes = await asyncio.gather(
        *(run(app, one, confirm, proposed, now=present()) for one in (second, third.actor)), return_exceptions=True
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["ActIsOver", "NoneType"]


@pytest.mark.rule("C10")
async def test_a_mandate_is_followed_by_two_people_and_she_is_to_be_told(
    app: Database, watched: Watched, case: Sent, keyring: Keyring, second: Member, look: Look
) -> None:
    act_id = await compel(app, watched, case, keyring)
    read: Callable[[], object] = lambda: run(  # noqa: E731 (asked before and after)
        app, second, told_under_mandates, case.survivor_id, keyring=keyring, now=present()
    )
    assert await read() == []  # type: ignore[misc]
    compelled_id = (await run(app, second, act, act_id)).subject_id
    task = "select id from task where kind = 'notify_of_compelled_disclosure' and subject_id = $1 and agency_id = $2"
    assert await look(task, compelled_id, watched.custodian_id) == []
    await run(app, second, confirm, act_id, now=present())
    (to_tell_her,) = await look(task, compelled_id, watched.custodian_id)
    await run(app, second, close_task, to_tell_her["id"], now=present())
    (told,) = await read()  # type: ignore[misc]
    assert (told.authority, told.reference, told.recipient) == (COURT, "26 MR 0142", "The clerk")
    assert told.categories == {Category.NEEDS}


@pytest.mark.rule("C10")
async def test_a_mandate_opens_nothing_to_an_agency_of_the_network(
    app: Database, watched: Watched, case: Sent, keyring: Keyring, second: Member, look: Look
) -> None:
    before = await look("select count(*) from disclosure")
    await look("update release set status = 'inactive' where id = $1", case.release_id)
    await run(app, second, confirm, await compel(app, watched, case, keyring), now=present())
    assert await look("select count(*) from disclosure") == before
    with pytest.raises(NoLiveRelease):
        await run(app, watched.network.intake, read_disclosure, case.id, keyring=keyring, now=present())


@pytest.mark.rule("C10")
@pytest.mark.parametrize(
    "forged",
    [
        "update survivor_block set lifted_at = now() where survivor_id = :her",
        "update compelled_disclosure set told_at = now() where survivor_id = :her",
        "update two_person_act set proposed_by = (select id from member where id <> proposed_by limit 1)",
        "delete from two_person_act",
        """insert into two_person_act (id, agency_id, kind, survivor_id, subject_id, proposed_by, proposed_at,
             expires_at) select gen_random_uuid(), agency_id, kind, survivor_id, subject_id,
             (select id from member where id <> acting_member() limit 1), now(), now() + interval '1 hour'
           from two_person_act limit 1""",
        """insert into compelled_disclosure (id, agency_id, survivor_id, mandate, authority_sealed, reference_sealed,
             recipient_sealed, mandated_on, categories, recorded_by, recorded_at, told_at)
           values (gen_random_uuid(), acting_agency(), :her, 'statute', '', '', '', current_date, '{needs}',
             acting_member(), now(), now())""",
    ],
    ids=["lifted", "told", "another's proposal", "gone", "proposed in another's name", "told at once"],
)
async def test_one_person_who_speaks_sql_does_nothing_alone(
    app: Database, watched: Watched, case: Sent, keyring: Keyring, proposed: UUID, forged: str
) -> None:
    await compel(app, watched, case, keyring)
    values = {"her": case.survivor_id} if ":her" in forged else {}
    with pytest.raises(DBAPIError, match=r"permission denied|row-level security"):
        await one_statement(app, watched.network.coordinator, forged, values)


async def one_statement(app: Database, actor: Member, statement: str, values: dict[str, UUID]) -> None:
    async with app.transaction(actor) as session:
        await session.execute(text(statement), values)


@pytest.mark.rule("C12")
async def test_the_blocked_see_neither_mandates_nor_proposals(
    app: Database, watched: Watched, case: Sent, keyring: Keyring, proposed: UUID
) -> None:
    colleague = watched.colleague.actor
    others = await mandates_told(app, colleague)
    act_id = await compel(app, watched, case, keyring)
    assert await run(app, colleague, list_acts, case.survivor_id) == []
    for one in (act_id, proposed):
        with pytest.raises(NotFound):
            await run(app, colleague, act, one)
    with pytest.raises(NotFound):
        await compel_as(app, colleague, case, keyring)
    async with app.transaction(colleague) as session:
        seen = text("select count(*) from audit_event where subject_id in (:act, :proposed)")
        assert await session.scalar(seen, {"act": act_id, "proposed": proposed}) == 0
    assert await mandates_told(app, colleague) == others


async def mandates_told(app: Database, actor: Member) -> int:
    """How many events about mandates the member sees: those of other tests' survivors, who did not block her."""
    async with app.transaction(actor) as session:
        told = text("select count(*) from audit_event where subject_kind = 'compelled_disclosure'")
        return int(await session.scalar(told) or 0)


async def compel_as(app: Database, actor: Member, case: Sent, keyring: Keyring) -> UUID:
    return await run(app, actor, propose_compelled, case.survivor_id, mandate(), keyring=keyring, now=present())


@pytest.mark.rule("P4")
async def test_whose_court_and_number_are_sealed(
    app: Database, watched: Watched, case: Sent, keyring: Keyring, database_urls: object
) -> None:
    from tests.factories.survivors import connect_as_superuser

    await compel(app, watched, case, keyring)
    superuser = await connect_as_superuser(database_urls)  # type: ignore[arg-type]
    try:
        assert await tables_that_show(superuser, COURT, "26 MR 0142", "The clerk") == set()
    finally:
        await superuser.close()


@pytest.mark.parametrize("changes", [{"authority": " "}, {"reference": "x" * 301}, {"recipient": ""}])
async def test_a_mandate_without_its_particulars_is_refused(
    app: Database, watched: Watched, case: Sent, keyring: Keyring, changes: dict[str, str]
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await compel(app, watched, case, keyring, **changes)
    assert refused.value.field in changes
    with pytest.raises(InvalidInput):
        await compel(app, watched, case, keyring, mandated_on=present().date() + timedelta(days=2))

"""What each party sees of a referral, what nobody else sees, and pages that lose and repeat nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from referralnet.appointments.reading import appointments
from referralnet.appointments.tables import Mode
from referralnet.database.acting import AgencyKind, Member
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput, NotFound, NotPermitted
from referralnet.referrals.answering import accept, reject, waitlist
from referralnet.referrals.lifecycle import RejectReason, Status
from referralnet.referrals.reading import Position, ReferralEventRow, events, inbox, referral, sent
from referralnet.referrals.visiting import mark_no_show, schedule_visit
from tests.factories.referrals import Network, Sent, make_network, present, run, send


async def history(app: Database, actor: Member, referral_id: UUID) -> list[ReferralEventRow]:
    async with app.transaction(actor) as session:
        return (await events(session, [referral_id])).get(referral_id, [])


async def book(app: Database, network: Network, made: Sent) -> None:
    await run(app, network.intake, accept, made.id, now=present())
    start = (present() + timedelta(days=3)).replace(hour=12, minute=0, second=0, microsecond=0, tzinfo=None)
    await run(
        app,
        network.intake,
        schedule_visit,
        made.id,
        local_start=start,
        time_zone="America/Chicago",
        duration_minutes=45,
        mode=Mode.IN_PERSON,
        now=present(),
    )


@pytest.mark.rule("R4")
async def test_before_acceptance_the_target_sees_the_need_and_the_senders_kind_and_not_who_sent_it(
    app: Database, network: Network, keyring: Keyring
) -> None:
    made = await send(app, network, keyring, now=present())
    for answer in (None, waitlist):
        if answer is not None:
            await run(app, network.intake, answer, made.id, now=present())
        row = await run(app, network.intake, referral, made.id)
        assert row.need.service_type == "shelter"
        assert row.source_agency_kind is AgencyKind.VICTIM_SERVICES
        assert (row.source_agency_id, row.source_agency_name) == (None, None)
        assert (await history(app, network.intake, made.id))[0].by_agency_name is None
    await run(app, network.intake, accept, made.id, now=present())
    row = await run(app, network.intake, referral, made.id)
    assert row.source_agency_id == network.coordinator.agency_id
    assert (await history(app, network.intake, made.id))[0].by_agency_name == row.source_agency_name is not None


@pytest.mark.rule("R4")
async def test_a_referral_that_was_declined_never_tells_who_sent_it(
    app: Database, network: Network, keyring: Keyring
) -> None:
    made = await send(app, network, keyring, now=present())
    await run(app, network.intake, reject, made.id, reason=RejectReason.DUPLICATE, now=present())
    assert (await run(app, network.intake, referral, made.id)).source_agency_name is None
    assert [row.source_agency_id for row in await run(app, network.intake, inbox) if row.id == made.id] == [None]
    own = await run(app, network.coordinator, referral, made.id)
    assert own.source_agency_id == network.coordinator.agency_id


@pytest.mark.rule("C6")
async def test_to_everybody_else_a_referral_does_not_exist(app: Database, network: Network, keyring: Keyring) -> None:
    made = await send(app, network, keyring, now=present())
    await book(app, network, made)
    answers = []
    for referral_id in (made.id, uuid4()):
        with pytest.raises(NotFound) as refused:
            await run(app, network.outsider, referral, referral_id)
        answers.append((refused.value.code, refused.value.message, refused.value.field, vars(refused.value)))
    assert answers[0] == answers[1]
    assert await run(app, network.outsider, inbox) == []
    assert await run(app, network.outsider, sent) == []
    assert await history(app, network.outsider, made.id) == []
    assert await run(app, network.outsider, appointments, [made.id]) == {}


@pytest.mark.rule("C6")
@pytest.mark.parametrize("table", ["referral", "referral_event", "survivor_referral", "appointment", "disclosure"])
async def test_row_security_shows_other_agencies_nothing(
    app: Database, network: Network, keyring: Keyring, table: str
) -> None:
    made = await send(app, network, keyring, now=present())
    await book(app, network, made)
    column = "id" if table == "referral" else "referral_id"
    query = text(f"select count(*) from {table} where {column} = :id")
    async with app.transaction(network.coordinator) as session:
        assert await session.scalar(query, {"id": made.id})
    async with app.transaction(network.outsider) as session:
        assert await session.scalar(query, {"id": made.id}) == 0


@pytest.mark.rule("C5")
async def test_the_target_sees_no_row_that_names_the_survivor(
    app: Database, network: Network, keyring: Keyring
) -> None:
    made = await send(app, network, keyring, now=present())
    await run(app, network.intake, accept, made.id, now=present())
    async with app.transaction(network.intake) as session:
        for table in ("survivor_referral", "survivor", "need", "survivor_release", "contact_plan"):
            assert await session.scalar(text(f"select count(*) from {table}")) == 0
        shared = await session.execute(text("select * from referral where id = :id"), {"id": made.id})
        values = {str(value) for value in shared.one()}
    assert values.isdisjoint({str(made.survivor_id), str(made.need_id), str(made.release_id)})


async def test_members_without_a_case_role_read_no_referral(app: Database, network: Network, keyring: Keyring) -> None:
    auditor = Member(
        network.intake.member_id, network.intake.agency_id, network.intake.agency_kind, frozenset(), uuid4(), None
    )
    with pytest.raises(NotPermitted):
        await run(app, auditor, inbox)


@pytest.mark.rule("A8")
async def test_members_whose_training_has_lapsed_read_no_referral(
    app: Database, owner: Database, keyring: Keyring
) -> None:
    network = await make_network(owner)
    made = await send(app, network, keyring, now=present())
    async with owner.transaction(network.intake) as session:
        await session.execute(
            text("update member set trained_until = current_date - 1 where id = :id"), {"id": network.intake.member_id}
        )
    assert await run(app, network.intake, inbox) == []
    with pytest.raises(NotFound):
        await run(app, network.intake, referral, made.id)


@pytest.mark.rule("R5")
@pytest.mark.parametrize("kind", [AgencyKind.LAW_ENFORCEMENT, AgencyKind.PROSECUTION])
async def test_police_and_prosecution_learn_the_status_and_nothing_of_how_or_where(
    app: Database, owner: Database, keyring: Keyring, kind: AgencyKind
) -> None:
    network = await make_network(owner, source_kind=kind)
    made = await send(app, network, keyring, now=present())
    seen = await run(app, network.intake, referral, made.id)
    assert seen.source_agency_kind is kind, "the target is told that police ask"
    await book(app, network, made)
    row = await run(app, network.coordinator, referral, made.id)
    assert (row.status, row.business_status) == (Status.IN_PROGRESS, "5.1.1")
    (visit,) = (await run(app, network.coordinator, appointments, [made.id]))[made.id]
    assert (visit.mode, visit.duration_minutes) == (None, None)
    assert visit.status == "booked"
    (kept,) = (await run(app, network.intake, appointments, [made.id]))[made.id]
    assert (kept.mode, kept.duration_minutes) == (Mode.IN_PERSON, 45)
    for step in await history(app, network.coordinator, made.id):
        assert step.by_agency_name in {row.source_agency_name, row.target_agency_name}
        assert step.by_member_name is None or step.by_agency_name == row.source_agency_name


@pytest.mark.rule("R5")
async def test_a_victim_service_source_sees_how_they_meet(app: Database, network: Network, keyring: Keyring) -> None:
    made = await send(app, network, keyring, now=present())
    await book(app, network, made)
    (visit,) = (await run(app, network.coordinator, appointments, [made.id]))[made.id]
    assert (visit.mode, visit.duration_minutes, visit.time_zone) == (Mode.IN_PERSON, 45, "America/Chicago")


async def test_the_coordinator_sees_every_step_and_only_her_own_agencys_people(
    app: Database, network: Network, keyring: Keyring
) -> None:
    made = await send(app, network, keyring, now=present())
    await book(app, network, made)
    await run(app, network.intake, mark_no_show, made.id, now=present())
    for actor, own_steps in ((network.coordinator, {"send"}), (network.intake, {"accept", "schedule", "no_show"})):
        steps = await history(app, actor, made.id)
        assert [step.event for step in steps] == ["send", "accept", "schedule", "no_show"]
        assert [step.sequence for step in steps] == [1, 2, 3, 4]
        assert {step.event for step in steps if step.by_member_name is not None} == own_steps


async def test_pages_give_every_referral_once_even_when_many_came_in_the_same_instant(
    app: Database, owner: Database, keyring: Keyring
) -> None:
    network = await make_network(owner)
    now = present()
    made = {(await send(app, network, keyring, now=now)).id for _ in range(5)}
    made |= {(await send(app, network, keyring, now=now - timedelta(minutes=step))).id for step in (1, 2)}
    for actor, page, at in ((network.intake, inbox, "requested_at"), (network.coordinator, sent, "created_at")):
        read: list[tuple[datetime, UUID]] = []
        while rows := await run(app, actor, page, first=3, after=Position(*read[-1]) if read else None):
            assert len(rows) <= 3
            read += [(getattr(row, at), row.id) for row in rows]
        assert read == sorted(read, reverse=True)
        assert len(read) == 7
        assert {referral_id for _, referral_id in read} == made


async def test_a_page_can_be_asked_by_status_and_is_bounded(app: Database, network: Network, keyring: Keyring) -> None:
    made = await send(app, network, keyring, now=present())
    await run(app, network.intake, accept, made.id, now=present())
    accepted = await run(app, network.intake, inbox, status=Status.ACCEPTED)
    assert made.id in {row.id for row in accepted}
    assert {row.status for row in accepted} == {Status.ACCEPTED}
    assert made.id not in {row.id for row in await run(app, network.intake, inbox, status=Status.REQUESTED)}
    assert await run(app, network.intake, sent) == []
    for first in (0, 201):
        with pytest.raises(InvalidInput) as refused:
            await run(app, network.intake, inbox, first=first)
        assert refused.value.field == "first"

"""Beside the steps: who of an agency has it, a warm handoff, notes under her release, and referring on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referralnet.consent.ending import Via
from referralnet.consent.refusals import NoLiveRelease
from referralnet.database.acting import AgencyKind, Member, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput, NotFound, NotPermitted
from referralnet.identity.step_up import StepUpNeeded
from referralnet.referrals.answering import accept, complete
from referralnet.referrals.assigning import assign
from referralnet.referrals.handing_over import AlreadyConfirmed, HandoffKind, confirm_warm_handoff, confirmations
from referralnet.referrals.lifecycle import Outcome, Party
from referralnet.referrals.noting import Note, SenderIsToldStatusOnly, read_notes, write_note
from referralnet.referrals.reading import referral
from referralnet.referrals.refusals import NotAccepted, ReferralOver
from referralnet.referrals.sending import send_referral
from referralnet.referrals.withdrawing import withdraw_consent
from tests.factories.referrals import CATEGORIES, Look, Network, Sent, make_case, make_network, present, run, send

BODY = "Ask for her by the blue folder."


async def accepted(app: Database, network: Network, keyring: Keyring) -> Sent:
    made = await send(app, network, keyring, now=present())
    await run(app, network.intake, accept, made.id, now=present())
    return made


async def write(app: Database, actor: Member, made: Sent, keyring: Keyring, body: str = BODY) -> None:
    await run(app, actor, write_note, made.id, body=body, keyring=keyring, now=present())


async def notes(app: Database, actor: Member, made: Sent, keyring: Keyring) -> list[Note]:
    return await run(app, replace(actor, stepped_up_at=present()), read_notes, made.id, keyring=keyring, now=present())


async def confirm(app: Database, actor: Member, made: Sent, kind: HandoffKind = HandoffKind.WITH_SURVIVOR) -> None:
    await run(app, actor, confirm_warm_handoff, made.id, kind=kind, now=present())


async def sql(app: Database, actor: Member, statement: str, **values: Any) -> int:
    async with app.transaction(actor) as session:
        return int(getattr(await session.execute(text(statement), values), "rowcount", -1))


async def test_each_side_gives_a_referral_to_one_of_its_own(
    app: Database, network: Network, keyring: Keyring, look: Look
) -> None:
    made = await send(app, network, keyring, now=present())
    other = network.other_intake
    await run(app, network.intake, assign, made.id, member_id=network.intake.member_id, now=present())
    await run(app, network.intake, assign, made.id, member_id=other.member_id, now=present())
    assert (await run(app, network.intake, referral, made.id)).assignee_id == other.member_id
    seen = await run(app, network.coordinator, referral, made.id)
    assert (seen.assignee_id, seen.assignee_name) == (None, None), "the sender learns nothing of the target's people"
    await run(app, network.coordinator, assign, made.id, member_id=network.coordinator.member_id, now=present())
    assert (await run(app, network.coordinator, referral, made.id)).assignee_id == network.coordinator.member_id
    assert (await run(app, other, referral, made.id)).assignee_id == other.member_id
    trail = await look(
        "select member_id from audit_event where action = 'referral_assigned' and subject_id = $1", made.id
    )
    assert len(trail) == 3


async def test_it_is_given_to_nobody_who_may_not_work_on_it(
    app: Database, owner: Database, network: Network, keyring: Keyring, look: Look
) -> None:
    made = await send(app, network, keyring, now=present())
    gone = (await make_network(owner)).other_intake
    for wrong in (network.coordinator.member_id, gone.member_id, uuid4()):
        with pytest.raises(InvalidInput):
            await run(app, network.intake, assign, made.id, member_id=wrong, now=present())
    coordinator_there = replace(network.other_intake, roles=frozenset({Role.COORDINATOR}))
    with pytest.raises(NotPermitted):
        await run(app, coordinator_there, assign, made.id, member_id=network.intake.member_id, now=present())
    with pytest.raises(NotFound):
        await run(app, network.outsider, assign, made.id, member_id=network.outsider.member_id, now=present())
    await run(app, network.intake, accept, made.id, now=present())
    await run(app, network.intake, complete, made.id, outcome=Outcome.NOT_RECEIVED, now=present())
    with pytest.raises(ReferralOver):
        await run(app, network.intake, assign, made.id, member_id=network.intake.member_id, now=present())


@pytest.mark.rule("C6")
async def test_sql_assigns_no_referral_of_others_and_sees_nobody_of_the_other_side(
    app: Database, network: Network, keyring: Keyring
) -> None:
    made = await send(app, network, keyring, now=present())
    await run(app, network.intake, assign, made.id, member_id=network.intake.member_id, now=present())
    put = """
        insert into referral_assignee (referral_id, agency_id, member_id, assigned_by, assigned_at)
          values (:id, :agency, :member, :by, now())
    """
    outsider = network.outsider
    told = set()
    for referral_id in (made.id, uuid4()):
        values = {"agency": outsider.agency_id, "member": outsider.member_id, "by": outsider.member_id}
        with pytest.raises(DBAPIError) as refused:
            await sql(app, outsider, put, id=referral_id, **values)
        told.add(str(refused.value.orig))
    assert len(told) == 1
    async with app.transaction(network.coordinator) as session:
        assert await session.scalar(text("select count(*) from referral_assignee where referral_id = :id"),
                                    {"id": made.id}) == 0  # fmt: skip


async def test_a_handoff_is_warm_once_both_have_said_so(app: Database, network: Network, keyring: Keyring) -> None:
    made = await send(app, network, keyring, now=present())
    with pytest.raises(NotAccepted):
        await run(
            app, network.coordinator, confirm_warm_handoff, made.id, kind=HandoffKind.BETWEEN_STAFF, now=present()
        )
    await run(app, network.intake, accept, made.id, now=present())

    async def said(actor: Member) -> list[tuple[Party, HandoffKind]]:
        async with app.transaction(actor) as session:
            return [(one.party, one.kind) for one in (await confirmations(session, [made.id])).get(made.id, [])]

    await confirm(app, network.intake, made)
    assert await said(network.coordinator) == [(Party.TARGET, HandoffKind.WITH_SURVIVOR)]
    with pytest.raises(AlreadyConfirmed):
        await run(
            app, network.other_intake, confirm_warm_handoff, made.id, kind=HandoffKind.BETWEEN_STAFF, now=present()
        )
    await run(app, network.coordinator, confirm_warm_handoff, made.id, kind=HandoffKind.WITH_SURVIVOR, now=present())
    assert len(await said(network.intake)) == 2
    assert await said(network.outsider) == []


@pytest.mark.rule("R1")
async def test_nobody_confirms_for_the_other_side(app: Database, network: Network, keyring: Keyring) -> None:
    made = await accepted(app, network, keyring)
    say = """
        insert into warm_handoff (referral_id, agency_id, kind, confirmed_at)
          values (:id, :agency, 'between_staff', now())
    """
    for actor, agency in (
        (network.coordinator, network.intake.agency_id),
        (network.outsider, network.outsider.agency_id),
        (network.outsider, network.intake.agency_id),
    ):
        with pytest.raises(DBAPIError, match="row-level security"):
            await sql(app, actor, say, id=made.id, agency=agency)


@pytest.mark.rule("C1", "C3")
async def test_notes_pass_between_the_parties_while_her_release_lives(
    app: Database, network: Network, keyring: Keyring, look: Look
) -> None:
    made = await send(app, network, keyring, now=present())
    with pytest.raises(NotAccepted):
        await write(app, network.coordinator, made, keyring)
    with pytest.raises(NoLiveRelease):
        await write(app, network.intake, made, keyring)
    await run(app, network.intake, accept, made.id, now=present())
    await write(app, network.coordinator, made, keyring)
    await write(app, network.intake, made, keyring, body="  She came.  ")
    for reader in (network.coordinator, network.intake):
        read = await notes(app, reader, made, keyring)
        assert [(note.by, note.body) for note in read] == [(Party.SOURCE, BODY), (Party.TARGET, "She came.")]
    kept = await look("select body_sealed from referral_note where referral_id = $1", made.id)
    assert not any(b"blue folder" in row["body_sealed"] for row in kept)
    trail = await look(
        "select action, count(*) from audit_event where subject_id = $1 and action like 'referral_note%'"
        " group by action order by action", made.id,
    )  # fmt: skip
    assert [tuple(row.values()) for row in trail] == [("referral_noted", 2), ("referral_notes_read", 2)]
    await run(app, network.coordinator, withdraw_consent, release_id=made.release_id, via=Via.ORAL, now=present())
    for reader in (network.coordinator, network.intake):
        with pytest.raises(NoLiveRelease):
            await notes(app, reader, made, keyring)
        async with app.transaction(reader) as session:
            assert await session.scalar(text("select count(*) from referral_note where referral_id = :id"),
                                        {"id": made.id}) == 0  # fmt: skip


@pytest.mark.rule("C3")
async def test_a_note_is_gone_the_second_her_release_has_run_out(
    app: Database, network: Network, keyring: Keyring, look: Look
) -> None:
    made = await accepted(app, network, keyring)
    await write(app, network.intake, made, keyring)
    await look("update release set starts_at = now() - interval '2 days', expires_at = now() - interval '1 second'"
               " where id = $1", made.release_id)  # fmt: skip
    for reader in (network.coordinator, network.intake):
        with pytest.raises(NoLiveRelease):
            await notes(app, reader, made, keyring)


@pytest.mark.rule("R5")
@pytest.mark.parametrize("kind", [AgencyKind.LAW_ENFORCEMENT, AgencyKind.PROSECUTION])
async def test_a_police_source_is_written_nothing_and_reads_its_own_alone(
    app: Database, owner: Database, keyring: Keyring, look: Look, kind: AgencyKind
) -> None:
    network = await make_network(owner, source_kind=kind)
    made = await accepted(app, network, keyring)
    await write(app, network.coordinator, made, keyring)
    with pytest.raises(SenderIsToldStatusOnly):
        await write(app, network.intake, made, keyring)
    assert [note.body for note in await notes(app, network.intake, made, keyring)] == [BODY]
    put = """
        insert into referral_note (id, referral_id, release_id, data_key_id, author_agency_id, body_sealed, written_at)
          select :note, referral_id, release_id, data_key_id, :agency, '\\x00', now() from referral_note
          where referral_id = :id limit 1
    """
    with pytest.raises(DBAPIError, match="row-level security"):
        await sql(app, network.intake, put, note=uuid4(), id=made.id, agency=network.intake.agency_id)
    # Even one that had got there shows to the police in no way.
    await look(
        "insert into referral_note select gen_random_uuid(), referral_id, release_id, data_key_id, $2, body_sealed,"
        " now() from referral_note where referral_id = $1", made.id, network.intake.agency_id,
    )  # fmt: skip
    async with app.transaction(network.coordinator) as session:
        assert await session.scalar(text("select count(*) from referral_note")) == 1


@pytest.mark.rule("C6", "U1")
async def test_notes_are_read_by_the_two_parties_alone_after_a_second_factor(
    app: Database, network: Network, keyring: Keyring, look: Look
) -> None:
    made = await accepted(app, network, keyring)
    await write(app, network.intake, made, keyring)
    stale = replace(network.intake, stepped_up_at=present() - timedelta(minutes=6))
    with pytest.raises(StepUpNeeded):
        await run(app, stale, read_notes, made.id, keyring=keyring, now=present())
    for outsider in (network.outsider, replace(network.outsider, stepped_up_at=present())):
        with pytest.raises(NotFound):
            await notes(app, outsider, made, keyring)
    for body in ("", "   ", "x" * 2001):
        with pytest.raises(InvalidInput):
            await write(app, network.intake, made, keyring, body=body)
    async with app.transaction(network.outsider) as session:
        assert await session.scalar(text("select count(*) from referral_note")) == 0


async def own_case(app: Database, from_: Network, to: Network, keyring: Keyring) -> tuple[UUID, UUID, UUID]:
    """The shelter's own record of her, and her release naming the third agency."""
    onward = replace(to, coordinator=from_.other_intake)
    async with app.transaction(from_.other_intake) as session:
        return await make_case(session, onward, keyring, now=present())


async def refer_on(
    app: Database, from_: Network, to: Network, keyring: Keyring, part_of: UUID, actor: Member | None = None
) -> UUID:
    survivor_id, need_id, release_id = await own_case(app, from_, to, keyring)
    return await run(
        app, actor or from_.other_intake, send_referral, survivor_id=survivor_id, need_id=need_id,
        service_at_location_id=to.service_at_location_id, release_id=release_id, categories=CATEGORIES,
        part_of=part_of, keyring=keyring, now=present(),
    )  # fmt: skip


@pytest.mark.rule("C5", "C6")
async def test_referring_on_tells_neither_the_first_agency_nor_the_third_of_the_other(
    app: Database, owner: Database, network: Network, keyring: Keyring
) -> None:
    third = await make_network(owner)
    made = await accepted(app, network, keyring)
    onward_id = await refer_on(app, network, third, keyring, made.id)
    assert (await run(app, network.other_intake, referral, onward_id)).part_of == made.id
    await run(app, third.intake, accept, onward_id, now=present())
    seen = await run(app, third.intake, referral, onward_id)
    assert seen.part_of is None
    for stranger, hidden in ((network.coordinator, onward_id), (third.intake, made.id)):
        with pytest.raises(NotFound):
            await run(app, stranger, referral, hidden)
        async with app.transaction(stranger) as session:
            assert await session.scalar(text("select count(*) from onward_referral")) == 0
    await run(app, network.intake, complete, made.id, outcome=Outcome.REFERRED_ELSEWHERE, now=present())
    row = await run(app, network.intake, referral, made.id)
    first = await run(app, network.coordinator, referral, made.id)
    assert (first.outcome, first.status) == (row.outcome, row.status), "that she was referred on, and not to whom"


async def test_only_what_ones_own_agency_has_accepted_is_referred_on(
    app: Database, owner: Database, network: Network, keyring: Keyring
) -> None:
    third = await make_network(owner)
    unanswered = await send(app, network, keyring, now=present())
    elsewhere = await accepted(app, third, keyring)
    for part_of in (unanswered.id, elsewhere.id, uuid4()):
        with pytest.raises(InvalidInput):
            await refer_on(app, network, third, keyring, part_of)
    made = await accepted(app, network, keyring)
    own = await send(app, network, keyring, now=present())
    hang = "insert into onward_referral (referral_id, agency_id, part_of) values (:id, :agency, :part_of)"
    with pytest.raises(DBAPIError, match="row-level security"):
        await sql(app, network.intake, hang, id=own.id, agency=network.intake.agency_id, part_of=made.id)

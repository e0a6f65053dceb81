"""Worklists as their readers meet them: in order of what is due, paged, counted, and nobody's else."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from referralnet.consent.disclosures import NEWS_TASK
from referralnet.database.acting import Member, Operator, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput, NotFound, NotPermitted
from referralnet.identity.task_kinds import TASK_KINDS
from referralnet.identity.tasks import ALARMS, assign_task, close_task
from referralnet.messaging.claiming import NOT_SENT_TASK
from referralnet.messaging.inbound import _TASKS
from referralnet.messaging.outbox import UNSETTLED_TASK
from referralnet.referrals import answering, visiting
from referralnet.referrals.assigning import assign
from referralnet.referrals.policy import LADDER, OFFER_FREE_UNIT, TELLS, WAITS_FOR
from referralnet.referrals.worklists import Place, Worklist, WorklistRow, counts, worklist
from referralnet.survivors.contact_plans import RECONFIRM_TASK
from referralnet.survivors.needs import Urgency
from tests.factories.blocks import Watched, make_watched, set_block
from tests.factories.identity import make_member
from tests.factories.referrals import Look, Network, Sent, make_network, present, run, send


@pytest.fixture
async def network(owner: Database) -> Network:
    """Of each test's own: lists are counted."""
    return await make_network(owner)


async def read(app: Database, actor: Member, which: Worklist = Worklist.AGENCY) -> list[WorklistRow]:
    return await run(app, actor, worklist, which, now=present())


async def counted(app: Database, actor: Member, now: datetime | None = None) -> tuple[int, ...]:
    return tuple(await run(app, actor, counts, now=now or present()))


async def take(app: Database, actor: Member, task_id: UUID, member: Member | None) -> None:
    async with app.transaction(actor) as session:
        await assign_task(session, task_id, member_id=member.member_id if member else None)


async def waiting(app: Database, actor: Member, made: Sent) -> WorklistRow:
    """The one task of an agency about a referral."""
    (row,) = [row for row in await read(app, actor) if row.subject_id == made.id]
    return row


async def test_the_database_knows_the_same_kinds(look: Look) -> None:
    rows = {row["kind"]: (set(row["may"]), row["within_hours"]) for row in await look("select * from task_kinds()")}
    assert rows == {
        code: ({role.value for role in kind.may}, kind.within / timedelta(hours=1)) for code, kind in TASK_KINDS.items()
    }


def test_every_kind_that_the_program_opens_is_known() -> None:
    of_referrals = {kind for _, kind in [*WAITS_FOR.values(), *TELLS.values()]}
    of_ladder = {rung.tells[1] for rung in LADDER.values() if rung.tells}
    of_texts = {*_TASKS.values(), UNSETTLED_TASK, NOT_SENT_TASK}
    assert {*of_referrals, *of_ladder, *of_texts, *ALARMS, OFFER_FREE_UNIT, NEWS_TASK, RECONFIRM_TASK} <= set(
        TASK_KINDS
    )


async def test_what_is_due_first_stands_first_and_pages_leave_nothing_out(
    app: Database, network: Network, keyring: Keyring
) -> None:
    sent = {
        urgency: await send(app, network, keyring, urgency=urgency, now=present())
        for urgency in (Urgency.ROUTINE, Urgency.URGENT, Urgency.PRIORITY)
    }
    rows = await read(app, network.intake)
    assert [row.subject_id for row in rows] == [
        sent[urgency].id for urgency in (Urgency.URGENT, Urgency.PRIORITY, Urgency.ROUTINE)
    ]
    assert rows[0].due_at - rows[0].opened_at == timedelta(hours=4), "an answer is due when the referral says"
    assert rows[0].need is not None
    assert (rows[0].need.service_type, rows[0].need.urgency) == ("shelter", "urgent")
    turned: list[WorklistRow] = []
    while page := await run(
        app, network.intake, worklist, now=present(), first=2,
        after=Place(turned[-1].due_at, turned[-1].id) if turned else None,
    ):  # fmt: skip
        turned += page
    assert turned == rows
    of_one_kind = await run(app, network.intake, worklist, now=present(), kinds=["referral_is_over"])
    assert of_one_kind == []


async def test_an_urgent_need_makes_whatever_waits_due_sooner(
    app: Database, network: Network, keyring: Keyring
) -> None:
    spans = {}
    for urgency in Urgency:
        made = await send(app, network, keyring, urgency=urgency, now=present())
        await run(app, network.intake, answering.accept, made.id, now=present())
        row = await waiting(app, network.intake, made)
        spans[urgency] = row.due_at - row.opened_at
    assert spans == {
        Urgency.URGENT: timedelta(hours=12),
        Urgency.PRIORITY: timedelta(hours=24),
        Urgency.ROUTINE: timedelta(hours=48),
    }


async def test_each_list_holds_what_it_says_and_is_counted(
    app: Database, network: Network, keyring: Keyring, look: Look
) -> None:
    made, other = [await send(app, network, keyring, now=present()) for _ in range(2)]
    intake, source = network.intake, network.coordinator
    task = await waiting(app, intake, made)
    await take(app, intake, task.id, intake)
    assert [row.id for row in await read(app, intake, Worklist.MINE)] == [task.id]
    assert (await waiting(app, intake, made)).assignee_name == f"Member {intake.member_id.hex[:8]}"
    assert await counted(app, intake) == (1, 2, 0, 0)
    assert await counted(app, network.other_intake) == (0, 2, 0, 0)
    assert await counted(app, intake, present() + timedelta(hours=5)) == (1, 2, 2, 0)
    await look("update task set due_at = now() - interval '1 minute' where id = $1", task.id)
    assert [row.id for row in await read(app, intake, Worklist.OVERDUE)] == [task.id]
    # A visit that she missed: the program does nothing more about it, and the source's people have to.
    await run(app, intake, answering.accept, other.id, now=present())
    visit = {"local_start": (present() + timedelta(days=9)).replace(hour=18, tzinfo=None), "duration_minutes": 30}
    more = {**visit, "time_zone": "America/Chicago", "mode": "phone"}
    await run(app, intake, visiting.schedule_visit, other.id, **more, now=present())
    await run(app, intake, visiting.mark_no_show, other.id, now=present())
    (alone,) = await read(app, source, Worklist.NEEDS_PERSON)
    assert (alone.kind, alone.subject_id) == ("follow_up_missed_visit", other.id)
    assert await counted(app, source) == (0, 1, 0, 1)


async def test_a_task_is_taken_given_and_given_back(app: Database, network: Network, keyring: Keyring) -> None:
    made = await send(app, network, keyring, now=present())
    intake, colleague = network.intake, network.other_intake
    task = await waiting(app, intake, made)
    for member in (intake, colleague, None):
        await take(app, intake, task.id, member)
        assert (await waiting(app, intake, made)).assignee_id == (member and member.member_id)
    with pytest.raises(NotFound):
        await take(app, network.outsider, task.id, network.outsider)


@pytest.mark.rule("A1")
async def test_nobody_is_given_what_is_not_theirs_to_do(
    app: Database, owner: Database, network: Network, keyring: Keyring
) -> None:
    made = await send(app, network, keyring, now=present())
    task = await waiting(app, network.intake, made)
    agency_id = network.intake.agency_id
    unfit = [
        network.outsider,
        (await make_member(owner, keyring, agency_id, [Role.COORDINATOR])).actor,
        (await make_member(owner, keyring, agency_id, [Role.AGENCY_ADMIN])).actor,
        (await make_member(owner, keyring, agency_id, [Role.INTAKE], trained_until=None)).actor,
    ]
    for member in unfit:
        with pytest.raises(InvalidInput) as refused:
            await take(app, network.intake, task.id, member)
        assert refused.value.field == "member_id"
        with pytest.raises(ProgrammingError, match="may not do this task"):
            async with app.transaction(network.intake) as session:
                await session.execute(
                    text("update task set assignee_id = :member where id = :id"),
                    {"member": member.member_id, "id": task.id},
                )


CHANGES = {
    "disabled": "update member set disabled_at = now() where id = :id",
    "of another role": "update member set roles = '{coordinator}' where id = :id",
    "no longer trained": "update member set trained_until = current_date - 1 where id = :id",
}


@pytest.mark.rule("A3", "R6")
@pytest.mark.parametrize("change", CHANGES)
async def test_the_tasks_of_whoever_may_do_them_no_more_go_back(
    app: Database, owner: Database, network: Network, keyring: Keyring, change: str
) -> None:
    made, later = [await send(app, network, keyring, now=present()) for _ in range(2)]
    await take(app, network.intake, (await waiting(app, network.intake, made)).id, network.intake)
    await run(app, network.intake, assign, later.id, member_id=network.intake.member_id, now=present())
    assert (await counted(app, network.intake))[0] == 2, "whoever is given a referral has what waits about it"
    async with owner.transaction(Operator()) as session:
        await session.execute(text(CHANGES[change]), {"id": network.intake.member_id})
    assert {row.assignee_id for row in await read(app, network.other_intake)} == {None}
    await run(app, network.other_intake, answering.accept, later.id, now=present())
    assert (await waiting(app, network.other_intake, later)).assignee_id is None


async def test_what_follows_of_a_referral_is_whose_the_referral_is(
    app: Database, network: Network, keyring: Keyring
) -> None:
    made = await send(app, network, keyring, now=present())
    await run(app, network.intake, assign, made.id, member_id=network.intake.member_id, now=present())
    await run(app, network.intake, answering.accept, made.id, now=present())
    followed = await waiting(app, network.intake, made)
    assert (followed.kind, followed.assignee_id) == ("arrange_service", network.intake.member_id)


@pytest.mark.rule("R6")
async def test_taking_a_task_is_not_a_way_to_tick_it_off(app: Database, network: Network, keyring: Keyring) -> None:
    made = await send(app, network, keyring, now=present())
    task = await waiting(app, network.intake, made)
    await take(app, network.intake, task.id, network.intake)
    with pytest.raises(ProgrammingError, match="ends_with_its_step"):
        async with app.transaction(network.intake) as session:
            await session.execute(
                text("update task set done_at = now(), assignee_id = null where id = :id"), {"id": task.id}
            )


@pytest.mark.rule("A4")
@pytest.mark.parametrize("role", [Role.AUDITOR, Role.NETWORK_ADMIN, Role.AGENCY_ADMIN])
async def test_who_reads_no_case_reads_and_counts_no_list(
    app: Database, owner: Database, network: Network, keyring: Keyring, role: Role
) -> None:
    onlooker = (await make_member(owner, keyring, network.intake.agency_id, [role])).actor
    for act in (worklist, counts):
        with pytest.raises(NotPermitted):
            await run(app, onlooker, act, now=present())


@pytest.mark.rule("C12")
@pytest.mark.parametrize("whole_agency", [True, False], ids=["agency", "person"])
async def test_the_blocked_see_and_count_as_if_she_had_never_been_there(
    app: Database, owner: Database, network: Network, keyring: Keyring, whole_agency: bool
) -> None:
    watched: Watched = await make_watched(owner, keyring, network)
    officer = watched.officer
    kept, hidden = [await send(app, network, keyring, now=present()) for _ in range(2)]
    for made in (kept, hidden):
        await take(app, officer.actor, (await waiting(app, officer.actor, made)).id, officer.actor)
    assert await counted(app, officer.actor) == (2, 2, 0, 0)
    out_of_reach = await waiting(app, officer.actor, hidden)
    named = None if whole_agency else officer.login
    await set_block(app, watched, hidden.survivor_id, agency_id=watched.target_id, member=named)
    # A step that was taken for her is over by a block of the whole agency; what is left of it is hidden as well.
    assert await counted(app, officer.actor) == (1, 1, 0, 0)
    assert {row.subject_id for row in await read(app, officer.actor)} == {kept.id}
    for member in (officer.actor, None):
        with pytest.raises(NotFound):
            await take(app, officer.actor, out_of_reach.id, member)
    with pytest.raises(NotFound):
        await run(app, officer.actor, close_task, out_of_reach.id, now=present())

"""While nobody answers: each step once, whoever works and dies; an answer takes away what is left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from referralnet.clock import FixedClock
from referralnet.database.acting import AgencyKind, Custodian, Dispatcher, Member, Operator, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.errors import NotFound
from referralnet.identity.tasks import ALARMS, TaskRow, close_task, list_tasks
from referralnet.jobs import climb_ladders
from referralnet.referrals.answering import accept, reject, waitlist
from referralnet.referrals.ladder import climb, due_on_ladder
from referralnet.referrals.lifecycle import Event, RejectReason, Status
from referralnet.referrals.policy import LADDER, LadderStep
from referralnet.referrals.reading import events, referral
from referralnet.referrals.withdrawing import withdraw_referral
from tests.factories.referrals import Look, Network, Sent, Tasks, make_member, make_network, present, run, send
from tests.factories.work import make_work

HOUR = timedelta(hours=1)
REMINDED, ALARMED, TOLD = "answer_reminder", "answer_late_for_admin", "answer_nearly_due"


async def steps_of(look: Look, referral_id: UUID) -> list[dict[str, Any]]:
    return await look("select step, due_at from ladder_step where referral_id = $1 order by due_at", referral_id)


async def taken_of(look: Look, referral_id: UUID) -> list[str]:
    rows = await look(
        "select detail->>'step' as step from audit_event where action = 'answer_awaited' and subject_id = $1",
        referral_id,
    )
    return sorted(row["step"] for row in rows)


async def climb_as_source(worker: Database, network: Network, made: Sent, now: datetime) -> list[LadderStep]:
    async with worker.transaction(Custodian(network.coordinator.agency_id)) as session:
        return await climb(session, made.id, now)


@pytest.mark.rule("R6")
async def test_the_database_writes_the_instants_that_the_policy_says(
    databases: dict[str, Database], network: Network, keyring: Keyring, look: Look
) -> None:
    stored = {row["step"]: row["share"] for row in await look("select step, share from answer_ladder()")}
    assert stored == {step.value: rung.share for step, rung in LADDER.items()}
    sent_at = present()
    made = await send(databases["app"], network, keyring, now=sent_at)
    assert [(row["step"], row["due_at"] - sent_at) for row in await steps_of(look, made.id)] == [
        ("remind_intake", HOUR),
        ("alert_admin", 2 * HOUR),
        ("alert_source", 3.5 * HOUR),
        ("expire", 4 * HOUR),
    ]


@pytest.mark.rule("R6")
async def test_each_step_tells_its_own_people_and_the_last_one_ends_it(
    databases: dict[str, Database], network: Network, keyring: Keyring, open_tasks: Tasks, look: Look
) -> None:
    app, worker = databases["app"], databases["worker"]
    target, source = network.intake.agency_id, network.coordinator.agency_id
    sent_at = present()
    made = await send(app, network, keyring, now=sent_at)
    waiting = {(target, "answer_referral")}
    async with worker.transaction(Dispatcher()) as session:
        assert made.id not in dict(await due_on_ladder(session, sent_at + 0.99 * HOUR))
        assert dict(await due_on_ladder(session, sent_at + HOUR))[made.id] == source
    assert await climb_as_source(worker, network, made, sent_at + 0.99 * HOUR) == []
    for hours, task in ((1, (target, REMINDED)), (2, (target, ALARMED)), (3.5, (source, TOLD))):
        assert len(await climb_as_source(worker, network, made, sent_at + hours * HOUR)) == 1
        assert await climb_as_source(worker, network, made, sent_at + hours * HOUR) == [], "once"
        waiting.add(task)
        assert await open_tasks(made.id) == waiting
    assert await climb_as_source(worker, network, made, sent_at + 4 * HOUR) == [LadderStep.EXPIRE]
    assert await climb_as_source(worker, network, made, sent_at + 9 * HOUR) == []
    assert await open_tasks(made.id) == {(source, "choose_next_service")}
    row = await run(app, network.coordinator, referral, made.id)
    assert (row.status, row.last_event, row.ended_at) == (Status.EXPIRED, Event.EXPIRE, sent_at + 4 * HOUR)
    async with app.transaction(network.coordinator) as session:
        last = (await events(session, [made.id]))[made.id][-1]
    assert (last.event, last.by_agency_name, last.by_member_name) == (Event.EXPIRE, None, None)
    assert await taken_of(look, made.id) == ["alert_admin", "alert_source", "remind_intake"]


@pytest.mark.rule("R6")
@pytest.mark.parametrize(
    ("hours", "taken"),
    [
        (2.5, ["remind_intake", "alert_admin"]),
        (3.9, ["remind_intake", "alert_admin", "alert_source"]),
        (90, ["expire"]),
    ],
)
async def test_after_an_outage_what_is_late_is_done_together_and_nobody_is_reminded_of_what_is_over(
    databases: dict[str, Database], network: Network, keyring: Keyring, look: Look, hours: float, taken: list[str]
) -> None:
    sent_at = present()
    made = await send(databases["app"], network, keyring, now=sent_at)
    assert await climb_as_source(databases["worker"], network, made, sent_at + hours * HOUR) == taken
    assert await taken_of(look, made.id) == sorted(set(taken) - {"expire"})


@pytest.mark.rule("R6")
async def test_an_answer_takes_away_what_is_left_and_what_was_told(
    databases: dict[str, Database], network: Network, keyring: Keyring, look: Look, open_tasks: Tasks
) -> None:
    app, worker = databases["app"], databases["worker"]
    answers: dict[str, Callable[[Sent], Awaitable[object]]] = {
        "accepted": lambda made: run(app, network.intake, accept, made.id, now=present()),
        "on_hold": lambda made: run(app, network.intake, waitlist, made.id, now=present()),
        "rejected": lambda made: run(
            app, network.intake, reject, made.id, reason=RejectReason.NO_CAPACITY, now=present()
        ),
        "cancelled": lambda made: run(app, network.coordinator, withdraw_referral, made.id, now=present()),
    }
    for status, answer in answers.items():
        made = await send(app, network, keyring, now=present())
        await climb_as_source(worker, network, made, present() + 3.9 * HOUR)
        assert {REMINDED, ALARMED, TOLD} < {kind for _, kind in await open_tasks(made.id)}
        await answer(made)
        assert await steps_of(look, made.id) == []
        assert not {REMINDED, ALARMED, TOLD} & {kind for _, kind in await open_tasks(made.id)}
        assert await climb_as_source(worker, network, made, present() + 90 * HOUR) == []
        assert (await run(app, network.coordinator, referral, made.id)).status == status


@pytest.mark.rule("R1", "R6")
async def test_a_step_is_taken_only_in_the_sources_custody(
    databases: dict[str, Database], network: Network, keyring: Keyring, look: Look
) -> None:
    made = await send(databases["app"], network, keyring, now=present())
    for agency_id in (network.intake.agency_id, network.outsider.agency_id):
        with pytest.raises(NotFound):
            async with databases["worker"].transaction(Custodian(agency_id)) as session:
                await climb(session, made.id, present() + 9 * HOUR)
    assert len(await steps_of(look, made.id)) == len(LADDER)


@pytest.mark.rule("R4", "R6", "A4")
async def test_the_admin_of_the_target_alone_is_told_that_an_answer_is_late_and_reads_no_case(
    databases: dict[str, Database], network: Network, keyring: Keyring
) -> None:
    app = databases["app"]
    async with databases["owner"].transaction(Operator()) as session:
        admins = [
            await make_member(session, one.agency_id, AgencyKind.VICTIM_SERVICES, frozenset({Role.AGENCY_ADMIN}))
            for one in (network.intake, network.coordinator, network.outsider)
        ]
    made = await send(app, network, keyring, now=present())
    await climb_as_source(databases["worker"], network, made, present() + 3.9 * HOUR)

    async def alarms(member: Member) -> list[TaskRow]:
        async with app.transaction(member) as session:
            return [row for row in await list_tasks(session, kinds=ALARMS) if row.subject_id == made.id]

    target, *others = admins
    (alarm,) = await alarms(target)
    assert (alarm.kind, alarm.detail) == (ALARMED, {})
    assert [await alarms(member) for member in (*others, network.intake, network.coordinator)] == [[]] * 4
    with pytest.raises(NotFound):
        async with app.transaction(network.intake) as session:
            await close_task(session, network.intake, alarm.id, now=present())
    async with app.transaction(target) as session:
        await close_task(session, target, alarm.id, now=present())
    assert await alarms(target) == []


@pytest.mark.rule("R6")
async def test_three_workers_at_once_take_each_step_once(
    databases: dict[str, Database], keyring: Keyring, look: Look
) -> None:
    network = await make_network(databases["owner"])
    sent_at = present()
    sent = [await send(databases["app"], network, keyring, now=sent_at) for _ in range(12)]
    for hours in (1, 2, 3.5, 4):
        works = [make_work(databases["worker"], keyring, FixedClock(sent_at + hours * HOUR)) for _ in range(3)]
        await asyncio.gather(*(climb_ladders.run(work) for work in works))
    for made in sent:
        assert await taken_of(look, made.id) == ["alert_admin", "alert_source", "remind_intake"]
        (row,) = await look("select count(*) from referral_event where referral_id = $1 and event = 'expire'", made.id)
        assert row["count"] == 1

"""Every open referral is exactly one owner's task, after every transition, and what breaks that is found and told."""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from referralnet.appointments.tables import Mode as VisitMode
from referralnet.consent.ending import Via
from referralnet.database.acting import AgencyKind, Custodian, Dispatcher, Member, Operator, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.errors import Refusal
from referralnet.identity.tasks import ALARMS, TaskEndsWithItsStep, close_task, list_tasks
from referralnet.jobs import check_owners
from referralnet.referrals import answering, planning, visiting, withdrawing
from referralnet.referrals.ladder import climb
from referralnet.referrals.lifecycle import ENDS, TRANSITIONS, Event, Outcome, RejectReason, Status
from referralnet.referrals.owners import Violation, violations
from referralnet.referrals.policy import TELLS, WAITS_FOR
from referralnet.referrals.routing import Mode
from tests.factories.referrals import Look, Network, Sent, make_member, make_network, present, run, send
from tests.factories.routing import Choices, Routed, make_choices, route, work
from tests.factories.work import make_work

Act = Callable[[], Awaitable[Any]]
LATE = timedelta(hours=9)
HISTORIES, ACTS_EACH = 40, 12
BY_THE_TABLE, WORKER_COMES_BY, CONSENT_ENDS = 0.8, 0.6, 0.15


async def all_violations(worker: Database) -> list[Violation]:
    """Of every custody."""
    async with worker.transaction(Dispatcher()) as session:
        agency_ids = (await session.scalars(text("select id from agency"))).all()
    found: list[Violation] = []
    for agency_id in agency_ids:
        async with worker.transaction(Custodian(UUID(str(agency_id)))) as session:
            found += await violations(session, present())
    return found


def acts(databases: dict[str, Database], source: Member, shelter: Network, referral_id: UUID) -> dict[Event, Act]:
    """Everything that anybody can do to one referral."""
    app = databases["app"]
    visit = {
        "local_start": (present() + timedelta(days=9)).replace(hour=12, tzinfo=None),
        "time_zone": "America/Chicago",
        "duration_minutes": 30,
        "mode": VisitMode.VIDEO,
    }

    async def clock() -> None:
        async with databases["worker"].transaction(Custodian(source.agency_id)) as session:
            await climb(session, referral_id, present() + LATE)

    def targets(act: Callable[..., Awaitable[Any]], **more: Any) -> Act:
        return lambda: run(app, shelter.intake, act, referral_id, now=present(), **more)

    return {
        Event.ACCEPT: targets(answering.accept),
        Event.WAITLIST: targets(answering.waitlist),
        Event.REJECT: targets(answering.reject, reason=RejectReason.COULD_NOT_CONTACT),
        Event.COMPLETE: targets(answering.complete, outcome=Outcome.REFERRED_ELSEWHERE),
        Event.CONFIRM_CANCELLATION: targets(answering.confirm_cancellation),
        Event.SCHEDULE: targets(visiting.schedule_visit, **visit),
        Event.RESCHEDULE: targets(visiting.reschedule_visit, **visit),
        Event.APPOINTMENT_CANCELLED: targets(visiting.cancel_visit),
        Event.ATTENDED: targets(visiting.mark_attended),
        Event.NO_SHOW: targets(visiting.mark_no_show),
        Event.WITHDRAW: lambda: run(app, source, withdrawing.withdraw_referral, referral_id, now=present()),
        Event.REQUEST_CANCELLATION: lambda: run(app, source, withdrawing.withdraw_referral, referral_id, now=present()),
        Event.MARK_ENTERED_IN_ERROR: lambda: run(
            app, source, withdrawing.mark_entered_in_error, referral_id, now=present()
        ),
        Event.EXPIRE: clock,
    }


def withdraws_consent(app: Database, source: Member, case: Sent | Routed) -> Act:
    more = {"survivor_id": case.survivor_id, "via": Via.ORAL, "now": present()}
    return lambda: run(app, source, withdrawing.withdraw_consent, **more)


@pytest.mark.slow
@pytest.mark.rule("R6")
async def test_any_two_acts_in_either_order_leave_one_owner(databases: dict[str, Database], keyring: Keyring) -> None:
    app, worker = databases["app"], databases["worker"]
    network = await make_network(databases["owner"], beds=500)
    source = network.coordinator
    number = len(acts(databases, source, network, UUID(int=0))) + 1
    for first, second in product(range(number), repeat=2):
        made = await send(app, network, keyring, now=present())
        possible = [*acts(databases, source, network, made.id).values(), withdraws_consent(app, source, made)]
        for act in (possible[first], possible[second]):
            with contextlib.suppress(Refusal):
                await act()
            async with worker.transaction(Custodian(source.agency_id)) as session:
                found = await violations(session, present())
            async with worker.transaction(Custodian(network.intake.agency_id)) as session:
                found += await violations(session, present())
            assert found == [], (first, second)


def way_to(status: Status) -> list[Event]:
    """Steps of the table that lead there from a referral that was just sent."""
    ways: dict[Status, list[Event]] = {Status.REQUESTED: []}
    while status not in ways:
        for (before, event), step in TRANSITIONS.items():
            if before in ways:
                ways.setdefault(step.to_status, [*ways[before], event])
    return ways[status]


class Walker:
    """Walks a plan at random, and rather along arrows of the table that nobody walked yet or that were tried seldom."""

    def __init__(self, databases: dict[str, Database], choices: Choices, keyring: Keyring, look: Look) -> None:
        self.databases, self.choices, self.keyring, self.look = databases, choices, keyring, look
        self.chance = random.Random(20261126)
        self.tried: Counter[tuple[Status, Event]] = Counter()
        # An arrow may be tried and refused, a visit cancelled that is over: what is walked, the history alone says.
        self.missing = {step for step in TRANSITIONS if step[0] is not Status.DRAFT}
        self.shelters = {shelter.intake.agency_id: shelter for shelter in choices.shelters}

    async def look_back(self) -> None:
        """Strike out of what is missing all that was walked by now."""
        rows = await self.look("select distinct from_status, event from referral_event")
        self.missing -= {(Status(row["from_status"]), Event(row["event"])) for row in rows}

    async def walk_to(self, arrow: tuple[Status, Event]) -> None:
        """One history that goes straight to an arrow which chance did not find."""
        if arrow[1] is Event.FILLED:  # nobody's act: it follows from another's, for one who waits and one not asked yet
            asked_at_once = await route(
                self.databases["app"], self.choices, self.keyring, mode=Mode.TOGETHER, covered=3
            )
            await self.wait_then_accept(asked_at_once)
            await work(self.databases["worker"], self.keyring)
            return
        routed = await route(self.databases["app"], self.choices, self.keyring, mode=Mode.IN_TURN)
        (row,) = await self.look(
            """
            select referral.id, target_agency_id from routing_choice
              join referral on referral.id = routing_choice.referral_id where plan_id = $1
            """,
            routed.plan_id,
        )
        source = self.choices.coordinator
        possible = acts(self.databases, source, self.shelters[row["target_agency_id"]], row["id"])
        possible[Event.CONSENT_WITHDRAWN] = withdraws_consent(self.databases["app"], source, routed)
        for event in (*way_to(arrow[0]), arrow[1]):
            await possible[event]()
        assert await all_violations(self.databases["worker"]) == []

    async def wait_then_accept(self, routed: Routed) -> None:
        """One puts her on its waiting list, another of those asked with it accepts: seldom, and so it is begun with."""
        rows = await self.look(
            "select referral_id as id from routing_choice where plan_id = $1 and referral_id is not null",
            routed.plan_id,
        )
        for row, event in zip(rows, (Event.WAITLIST, Event.ACCEPT), strict=False):
            (target,) = await self.look("select target_agency_id as id from referral where id = $1", row["id"])
            shelter = self.shelters[target["id"]]
            await acts(self.databases, self.choices.coordinator, shelter, row["id"])[event]()

    async def choose(self, routed: Routed) -> Act:
        app, source = self.databases["app"], self.choices.coordinator
        rows = await self.look(
            """
            select referral.id, referral.status, referral.target_agency_id from routing_choice
              join referral on referral.id = routing_choice.referral_id where plan_id = $1
            """,
            routed.plan_id,
        )
        offered = []
        for row in rows:
            possible = acts(self.databases, source, self.shelters[row["target_agency_id"]], row["id"])
            # Seldom: it ends the whole history.
            if self.chance.random() < CONSENT_ENDS:
                possible[Event.CONSENT_WITHDRAWN] = withdraws_consent(app, source, routed)
            offered += [((Status(row["status"]), event), act) for event, act in possible.items()]
        seldom = [one for one in offered if one[0] in TRANSITIONS]
        if seldom and self.chance.random() < BY_THE_TABLE:
            arrow, act = min(
                seldom, key=lambda one: (one[0] not in self.missing, self.tried[one[0]], self.chance.random())
            )
            self.tried[arrow] += 1
            return act
        plan_id = routed.plan_id
        of_plan: list[Act] = [
            lambda: run(app, source, planning.continue_routing, plan_id, keyring=self.keyring, now=present()),
            lambda: run(app, source, planning.close_routing, plan_id, now=present()),
        ]
        return self.chance.choice([*(act for _, act in offered), *of_plan])


@pytest.mark.slow
@pytest.mark.rule("R6")
async def test_random_histories_of_plans_leave_one_owner_after_every_act_and_walk_every_arrow(
    databases: dict[str, Database], keyring: Keyring, look: Look
) -> None:
    worker = databases["worker"]
    choices = await make_choices(databases["owner"], shelters=3, beds=500)
    walker = Walker(databases, choices, keyring, look)
    checks = 0
    for number in range(1, HISTORIES + 1):
        mode = (Mode.IN_TURN, Mode.TOGETHER)[number % 2]
        routed = await route(databases["app"], choices, keyring, mode=mode, covered=walker.chance.choice((1, 3)))
        if number % 3 == 0:
            await walker.wait_then_accept(routed)
        for _ in range(ACTS_EACH):
            act = await walker.choose(routed)
            with contextlib.suppress(Refusal):
                await act()
            # Sometimes the worker has not come by yet: then the plan is its own.
            if walker.chance.random() < WORKER_COMES_BY:
                await work(worker, keyring)
            assert await all_violations(worker) == []
            checks += 1
        await walker.look_back()
    for arrow in sorted(walker.missing):
        await walker.walk_to(arrow)
    await walker.look_back()
    assert walker.missing == set(), "each arrow was walked by some history"
    print(f"{HISTORIES} histories, {checks} states looked at")  # noqa: T201 (a figure)


@pytest.mark.rule("R6")
async def test_the_database_waits_for_whom_the_policy_says(look: Look) -> None:
    waits = {(row["status"], row["party"], row["kind"]) for row in await look("select * from waits_for()")}
    assert waits == {(status.value, party.value, kind) for status, (party, kind) in WAITS_FOR.items()}
    ending = {event for (_, event), step in TRANSITIONS.items() if step.to_status in ENDS}
    tells = {(row["event"], row["party"], row["kind"]) for row in await look("select * from tells_of_end()")}
    assert tells == {(event.value, party.value, kind) for event, (party, kind) in TELLS.items() if event in ending}


BROKEN = {
    "a task that went": (
        "update task set done_at = now() where subject_id = $1 and kind = 'answer_referral'",
        "is nobody's task",
    ),
    "a second task": (
        """
        insert into task (agency_id, kind, subject_kind, subject_id, opened_at)
        select source_agency_id, 'complete_referral', 'referral', id, now() from referral where id = $1
        """,
        "is a task of somebody whom it does not wait for",
    ),
    "the other agency's task": (
        """
        update task set agency_id = (select source_agency_id from referral where id = $1)
        where subject_id = $1 and kind = 'answer_referral'
        """,
        "is a task of somebody whom it does not wait for",
    ),
}


@pytest.mark.rule("R6")
@pytest.mark.parametrize("broken", BROKEN)
async def test_what_is_broken_is_found_and_becomes_an_alarm(
    databases: dict[str, Database], keyring: Keyring, look: Look, broken: str
) -> None:
    network = await make_network(databases["owner"])
    made = await send(databases["app"], network, keyring, now=present())
    assert [one for one in await all_violations(databases["worker"]) if one.subject_id == made.id] == []
    statement, problem = BROKEN[broken]
    await look(statement, made.id)
    found = [one for one in await all_violations(databases["worker"]) if one.subject_id == made.id]
    assert Violation("referral", made.id, problem) in found
    for _ in range(2):
        assert await check_owners.run(make_work(databases["worker"], keyring)) >= 1
    alarms = await look("select count(*) from task where kind = 'referral_without_owner' and subject_id = $1", made.id)
    assert alarms[0]["count"] == len({one.problem for one in found}), "once for each agency that it concerns"


@pytest.mark.rule("R6")
async def test_an_end_that_nobody_was_told_of_and_a_plan_that_was_left_are_found(
    databases: dict[str, Database], keyring: Keyring, look: Look
) -> None:
    app, worker = databases["app"], databases["worker"]
    choices = await make_choices(databases["owner"], shelters=2)
    routed = await route(app, choices, keyring, covered=1)
    (row,) = await look("select referral_id from routing_choice where plan_id = $1 and referral_id is not null",
                        routed.plan_id)  # fmt: skip
    await run(app, choices.home.intake, answering.reject, row["referral_id"],
              reason=RejectReason.NO_CAPACITY, now=present())  # fmt: skip

    async def broken() -> list[Violation]:
        concerned = {routed.plan_id, row["referral_id"]}
        return [one for one in await all_violations(worker) if one.subject_id in concerned]

    assert await broken() == []
    await look("update routing_plan set look_at = now() - interval '11 minutes' where id = $1", routed.plan_id)
    assert await broken() == [Violation("routing_plan", routed.plan_id, "was left by the worker")]
    await work(worker, keyring)
    assert await broken() == []
    await look("update task set done_at = now() where subject_id = $1", routed.plan_id)
    assert await broken() == [Violation("routing_plan", routed.plan_id, "is nobody's task")]
    await look("delete from task where subject_id = $1", row["referral_id"])
    await look("update task set done_at = null where subject_id = $1", routed.plan_id)
    told = Violation("referral", row["referral_id"], "has ended and its party was not told")
    assert await broken() == [told]


@pytest.mark.rule("R6")
async def test_nobody_ticks_off_what_an_open_referral_waits_for(
    databases: dict[str, Database], keyring: Keyring, look: Look
) -> None:
    app = databases["app"]
    network = await make_network(databases["owner"])
    made = await send(app, network, keyring, now=present())
    (task,) = await look("select id from task where subject_id = $1 and done_at is null", made.id)
    with pytest.raises(TaskEndsWithItsStep):
        await run(app, network.intake, close_task, task["id"], now=present())
    with pytest.raises(ProgrammingError, match="ends_with_its_step"):
        async with app.transaction(network.intake) as session:
            await session.execute(text("update task set done_at = now() where id = :id"), {"id": task["id"]})


@pytest.mark.rule("A4", "R6")
async def test_an_alarm_about_a_lost_task_is_an_admins_who_reads_no_case(
    databases: dict[str, Database], keyring: Keyring, look: Look
) -> None:
    network = await make_network(databases["owner"])
    async with databases["owner"].transaction(Operator()) as session:
        kind, roles = AgencyKind.VICTIM_SERVICES, frozenset({Role.AGENCY_ADMIN})
        admin = await make_member(session, network.intake.agency_id, kind, roles)
    made = await send(databases["app"], network, keyring, now=present())
    await look("update task set done_at = now() where subject_id = $1", made.id)
    await check_owners.run(make_work(databases["worker"], keyring))
    async with databases["app"].transaction(admin) as session:
        (alarm,) = await list_tasks(session, kinds=ALARMS)
        assert (alarm.kind, alarm.subject_id, alarm.detail) == ("referral_without_owner", made.id, {})
        await close_task(session, admin, alarm.id, now=present())
        assert await list_tasks(session, kinds=ALARMS) == []

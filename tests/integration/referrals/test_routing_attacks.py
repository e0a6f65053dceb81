"""SQL as the program's own roles, against routing plans: no second acceptance, no look at who else was asked."""

from __future__ import annotations

import contextlib
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referralnet.consent.disclosures import make_disclosure
from referralnet.database.acting import Actor, Custodian, Dispatcher, Nobody, Operator
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.referrals.answering import accept
from referralnet.referrals.planning import close_routing
from referralnet.referrals.routing import Mode
from referralnet.survivors.needs import Urgency
from tests.factories.referrals import CATEGORIES, Look, present, run
from tests.factories.routing import Choices, Routed, make_choices, make_routable, route, sign, work

ACCEPT = """
update referral set status = 'accepted', last_event = 'accept', business_status = '3.0', version = version + 1,
  changed_at = now(), accepted_at = now() where id = :id
"""
STEP = """
update referral set status = :status, last_event = :event, business_status = '{business}', version = version + 1,
  changed_at = now() {more} where id = :id
"""


@pytest.fixture
async def choices(owner: Database) -> Choices:
    return await make_choices(owner)


async def write(database: Database, actor: Actor, sql: str, **values: Any) -> int:
    async with database.transaction(actor) as session:
        return int(getattr(await session.execute(text(sql), values), "rowcount", -1))


async def asked(look: Look, routed: Routed) -> list[UUID]:
    rows = await look(
        "select referral_id from routing_choice where plan_id = $1 and referral_id is not null order by position",
        routed.plan_id,
    )
    return [row["referral_id"] for row in rows]


@pytest.mark.rule("R2")
async def test_the_database_takes_no_second_acceptance_in_one_plan(
    app: Database, choices: Choices, keyring: Keyring, look: Look
) -> None:
    routed = await route(app, choices, keyring, mode=Mode.TOGETHER)
    first, second, third = await asked(look, routed)
    assert await write(app, choices.shelters[0].intake, ACCEPT, id=first) == 1
    for shelter, late in ((choices.shelters[1], second), (choices.shelters[2], third)):
        with pytest.raises(DBAPIError, match="another service has accepted"):
            await write(app, shelter.intake, ACCEPT, id=late)
    with pytest.raises(DBAPIError, match="permission denied"):
        await write(app, choices.coordinator, "update routing_plan set accepted_referral_id = null where id = :id",
                    id=routed.plan_id)  # fmt: skip


@pytest.mark.rule("C6")
async def test_no_target_sees_a_plan_a_choice_or_another_target(
    app: Database, choices: Choices, keyring: Keyring, look: Look
) -> None:
    routed = await route(app, choices, keyring, mode=Mode.TOGETHER)
    first, second, _ = await asked(look, routed)
    insiders: list[Actor] = [
        choices.shelters[0].intake,
        choices.shelters[1].other_intake,
        choices.home.outsider,
        Nobody(),
    ]
    for actor in insiders:
        async with app.transaction(actor) as session:
            for table in ("routing_plan", "routing_choice"):
                assert await session.scalar(text(f"select count(*) from {table}")) == 0
    # To feel for another's referral through the lock is to be told what one is told of nothing.
    held = text("select hold_routing_plan(:id)")
    await run(app, choices.shelters[0].intake, accept, first, now=present())
    told = set()
    for referral_id in (second, uuid4()):
        async with app.transaction(choices.home.outsider) as session:
            told.add(await session.scalar(held, {"id": referral_id}))
    assert told == {False}
    async with app.transaction(choices.shelters[0].intake) as session:
        assert await session.scalar(text("select count(*) from referral")) == 1


@pytest.mark.rule("A2")
async def test_without_custody_the_worker_learns_which_plans_are_due_and_nothing_in_them(
    databases: dict[str, Database], choices: Choices, keyring: Keyring, look: Look
) -> None:
    app, worker, owner = databases["app"], databases["worker"], databases["owner"]
    routed = await route(app, choices, keyring, mode=Mode.TOGETHER)
    first, *_ = await asked(look, routed)
    await run(app, choices.shelters[0].intake, accept, first, now=present())
    idle: list[tuple[Database, Actor]] = [(worker, Dispatcher()), (worker, Custodian(uuid4())), (owner, Operator())]
    for database, actor in idle:
        async with database.transaction(actor) as session:
            assert await session.scalar(text("select count(*) from routing_plan")) == 0
            assert await session.scalar(text("select count(*) from routing_choice")) == 0
    async with worker.transaction(Dispatcher()) as session:
        due = [tuple(row) for row in await session.execute(text("select * from plans_to_follow(10)"))]
    assert (routed.plan_id, choices.coordinator.agency_id) in due
    with pytest.raises(DBAPIError, match="permission denied"):
        await write(app, choices.coordinator, "select * from plans_to_follow(10)")
    await work(worker, keyring)


@pytest.mark.rule("R1")
async def test_the_worker_sends_what_is_planned_and_takes_nothing_back(
    databases: dict[str, Database], choices: Choices, keyring: Keyring, look: Look
) -> None:
    app, worker = databases["app"], databases["worker"]
    routed = await route(app, choices, keyring)
    (first,) = await asked(look, routed)
    here = Custodian(choices.coordinator.agency_id)
    back = STEP.format(business="6.0", more=", ended_at = now()")
    for event, status in (("withdraw", "cancelled"), ("mark_entered_in_error", "entered_in_error")):
        with pytest.raises(DBAPIError, match="belongs to the source"):
            await write(worker, here, back, id=first, event=event, status=status)
    draft_id = uuid4()
    columns = """source_agency_id, source_agency_kind, target_agency_id, service_at_location_id, service_type, urgency,
        region, language, household_size, age_band, accessibility, immigration_sensitive"""
    await look(
        f"insert into referral (id, status, changed_at, created_at, {columns}) select $2, 'draft', now(), now(),"
        f" {columns} from referral where id = $1",
        first, draft_id,
    )  # fmt: skip
    send = STEP.format(business="2.0", more=", requested_at = now(), answer_due_at = now()")
    with pytest.raises(DBAPIError, match="belongs to the source"):
        await write(worker, here, send, id=draft_id, event="send", status="requested")
    elsewhere = Custodian(choices.shelters[1].coordinator.agency_id)
    assert await write(worker, elsewhere, send, id=draft_id, event="send", status="requested") == 0


@pytest.mark.rule("R1")
async def test_what_was_offered_and_what_was_closed_stays(
    app: Database, choices: Choices, keyring: Keyring, look: Look
) -> None:
    routed = await route(app, choices, keyring)
    (first,) = await asked(look, routed)
    for change in ("position = 9", "referral_id = null", "release_id = null, categories = '{}'"):
        with pytest.raises(DBAPIError, match="stays as it was"):
            await write(app, choices.coordinator, f"update routing_choice set {change} where referral_id = :id",
                        id=first)  # fmt: skip
    hang = "update routing_choice set referral_id = :id where plan_id = :plan and position = 2"
    for other in (first, uuid4()):
        with pytest.raises(DBAPIError, match="to its service"):
            await write(app, choices.coordinator, hang, id=other, plan=routed.plan_id)
    await run(app, choices.coordinator, close_routing, routed.plan_id, now=present())
    reopen = "update routing_plan set status = 'open', closed_at = null where id = :id"
    with pytest.raises(DBAPIError, match="append-only"):
        await write(app, choices.coordinator, reopen, id=routed.plan_id)


@pytest.mark.rule("C6")
async def test_an_outsider_that_hangs_a_choice_on_a_plan_is_told_the_same_whether_there_is_one(
    app: Database, choices: Choices, keyring: Keyring, look: Look
) -> None:
    routed = await route(app, choices, keyring)
    (first,) = await asked(look, routed)
    outsider = choices.shelters[1].coordinator
    add = """
        insert into routing_choice (id, agency_id, plan_id, position, service_at_location_id, categories, referral_id)
          values (gen_random_uuid(), :agency, :plan, 1, :service, '{}', :referral)
    """
    service = choices.shelters[2].service_at_location_id  # which the plan has not offered yet
    told = set()
    for plan_id, referral_id in ((routed.plan_id, None), (uuid4(), None), (uuid4(), first), (uuid4(), uuid4())):
        for agency in (outsider.agency_id, choices.coordinator.agency_id):
            with pytest.raises(DBAPIError) as refused:
                await write(app, outsider, add, agency=agency, plan=plan_id, service=service, referral=referral_id)
            kind = (agency == outsider.agency_id, referral_id is None)
            told.add((*kind, str(refused.value.orig).split("DETAIL")[0]))
    assert len(told) == 4, "one answer for each kind of attempt, whatever is there"


@pytest.mark.rule("C1")
async def test_sql_puts_no_routine_need_to_several_at_once(app: Database, choices: Choices, keyring: Keyring) -> None:
    case = await make_routable(app, choices, keyring, urgency=Urgency.ROUTINE)
    plan = """
        insert into routing_plan (id, agency_id, survivor_id, need_id, coordinator_id, mode, status, created_at)
          values (gen_random_uuid(), :agency, :survivor, :need, :member, :mode, 'open', now())
    """
    actor = choices.coordinator
    values = {"agency": actor.agency_id, "survivor": case.survivor_id, "need": case.need_id, "member": actor.member_id}
    with pytest.raises(DBAPIError, match="row-level security"):
        await write(app, actor, plan, **values, mode="together")
    assert await write(app, actor, plan, **values, mode="in_turn") == 1


@pytest.mark.rule("C1")
async def test_the_database_makes_no_disclosure_for_one_of_several_that_has_not_accepted(
    app: Database, choices: Choices, keyring: Keyring, look: Look
) -> None:
    routed = await route(app, choices, keyring, mode=Mode.TOGETHER)
    _, second, _ = await asked(look, routed)
    recipient = choices.shelters[1].intake.agency_id
    release_id = await sign(app, choices, routed.survivor_id, recipient, keyring)
    made = {
        "referral_id": second, "release_id": release_id, "survivor_id": routed.survivor_id,
        "recipient_agency_id": recipient, "categories": CATEGORIES, "keyring": keyring,
    }  # fmt: skip
    with pytest.raises(DBAPIError, match="row-level security"):
        await run(app, choices.coordinator, make_disclosure, **made, now=present())
    await run(app, choices.shelters[1].intake, accept, second, now=present())
    with contextlib.suppress(DBAPIError):
        await run(app, choices.coordinator, make_disclosure, **made, now=present())
    assert await look("select count(*) from disclosure where referral_id = $1", second) == [{"count": 1}]

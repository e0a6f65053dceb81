"""Whoever speaks SQL as the program's own roles gets no further than the program: the database keeps the same table."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referralnet.database.acting import Actor, Custodian, Dispatcher, Member, Nobody, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.referrals.answering import accept
from referralnet.referrals.lifecycle import (
    ENDS,
    TRANSITIONS,
    BusinessStatus,
    CloseReason,
    Event,
    Outcome,
    Party,
    RejectReason,
    Status,
)
from referralnet.referrals.policy import OFFER_FREE_UNIT, WAITS_FOR
from tests.factories.referrals import Look, Network, Sent, make_member, present, run, send

STEP = """
update referral set status = :status, last_event = :event, business_status = :business, status_reason = :reason,
  version = version + 1, changed_at = now(), ended_at = case when :ends then now() end {more} where id = :id
"""
FORBIDDEN = """
insert into referral_event (referral_id, sequence, event, from_status, to_status, at)
  values (:id, 9, 'complete', 'accepted', 'completed', now());
update referral_event set reason = 'x' where referral_id = :id;
delete from referral_event where referral_id = :id;
delete from referral where id = :id;
update referral_transition set party = 'target' where (:id)::uuid is not null
"""
ACCEPT = STEP.format(more=", accepted_at = now()")


def step(event: Event, from_status: Status = Status.REQUESTED) -> dict[str, Any]:
    """The values of one step as the program would write them."""
    transition = TRANSITIONS[from_status, event]
    reason = "duplicate" if event is Event.REJECT else transition.reason
    return {
        "status": str(transition.to_status),
        "event": str(event),
        "business": str(transition.business_status),
        "reason": reason and str(reason),
        "ends": transition.to_status in ENDS,
    }


async def write(database: Database, actor: Actor, sql: str, **values: Any) -> int:
    """Run one statement as that role; how many rows it changed."""
    async with database.transaction(actor) as session:
        result = await session.execute(text(sql), values)
        return int(getattr(result, "rowcount", -1))


async def outcome(database: Database, actor: Actor, sql: str, **values: Any) -> str:
    """Whether the statement was refused, found no row, or was done."""
    try:
        return "done" if await write(database, actor, sql, **values) else "no row"
    except DBAPIError as refused:
        known = ("belongs to the" in str(refused), "permission denied" in str(refused))
        return "refused" if any(known) else str(refused)


@pytest.mark.rule("R1")
async def test_the_database_has_the_same_table_as_the_program(app: Database, network: Network) -> None:
    async with app.transaction(network.intake) as session:
        rows = await session.execute(
            text("select from_status, event, to_status, business_status, reason, party from referral_transition")
        )
        stored = {tuple(row) for row in rows}
    assert stored == {
        (one.from_status, one.event, one.to_status, one.business_status, one.reason, one.party)
        for one in TRANSITIONS.values()
    }


@pytest.mark.rule("R6")
async def test_the_database_closes_the_very_tasks_that_open_states_wait_for(look: Look) -> None:
    (function,) = await look("select pg_get_functiondef('remember_referral_event'::regproc) as definition")
    kinds = function["definition"].split("kind in (")[1].split(")")[0]
    assert set(kinds.split("'")[1::2]) == {kind for _, kind in WAITS_FOR.values()} | {OFFER_FREE_UNIT}


@pytest.mark.rule("R8")
async def test_the_database_knows_no_other_reason_outcome_or_status(look: Look) -> None:
    rows = await look(
        "select pg_get_constraintdef(oid) as definition from pg_constraint where conrelid = 'referral'::regclass"
        " and conname <> 'referral_holds_no_free_text'"
    )
    definitions = " ".join(row["definition"] for row in rows)
    words = {word for word in definitions.split("'")[1::2] if word}
    assert words == {*map(str, Status), *map(str, RejectReason), *map(str, CloseReason), *map(str, Outcome)}
    assert not words & {*map(str, BusinessStatus)}


@pytest.mark.rule("R1")
@pytest.mark.parametrize("event", [event for status, event in TRANSITIONS if status is Status.REQUESTED])
async def test_each_step_can_be_written_by_its_own_party_alone(
    databases: dict[str, Database], network: Network, keyring: Keyring, event: Event
) -> None:
    app, worker = databases["app"], databases["worker"]
    made = await send(app, network, keyring, now=present())
    party = TRANSITIONS[Status.REQUESTED, event].party
    sql = ACCEPT if event is Event.ACCEPT else STEP.format(more="")
    acting: list[tuple[set[Party], Database, Actor]] = [
        (set(), app, network.outsider),
        (set(), app, Nobody()),
        (set(), worker, Dispatcher()),
        (set(), worker, Custodian(network.intake.agency_id)),
        ({Party.TARGET}, app, network.intake),
        ({Party.SOURCE, Party.SURVIVOR}, app, network.coordinator),
        ({Party.CLOCK, Party.SYSTEM, Party.SURVIVOR}, worker, Custodian(network.coordinator.agency_id)),
    ]
    for _, database, actor in [one for one in acting if party not in one[0]]:
        assert await outcome(database, actor, sql, id=made.id, **step(event)) in {"no row", "refused"}
    _, database, actor = next(one for one in acting if party in one[0])
    assert await outcome(database, actor, sql, id=made.id, **step(event)) == "done"


@pytest.mark.rule("R3")
async def test_sql_without_the_intake_role_answers_nothing(
    databases: dict[str, Database], network: Network, keyring: Keyring
) -> None:
    app, owner = databases["app"], databases["owner"]
    made = await send(app, network, keyring, now=present())
    agency_id, kind = network.intake.agency_id, network.intake.agency_kind
    async with owner.transaction(network.intake) as session:
        coordinator_there = await make_member(session, agency_id, kind, frozenset({Role.COORDINATOR}))
    with pytest.raises(DBAPIError, match="belongs to the target"):
        await write(app, coordinator_there, ACCEPT, id=made.id, **step(Event.ACCEPT))
    source_id, source_kind = network.coordinator.agency_id, network.coordinator.agency_kind
    async with owner.transaction(network.intake) as session:
        intake_at_source = await make_member(session, source_id, source_kind, frozenset({Role.INTAKE}))
    with pytest.raises(DBAPIError, match="belongs to the source"):
        await write(app, intake_at_source, STEP.format(more=""), id=made.id, **step(Event.WITHDRAW))


@pytest.mark.rule("R1")
@pytest.mark.parametrize(
    "changed",
    [
        {"event": "complete"},
        {"event": "made_up"},
        {"event": None},
        {"status": "rejected", "reason": "duplicate", "ends": True},
        {"status": "in_progress"},
        {"business": "7.0"},
        {"business": None},
        {"reason": "duplicate"},
        {"ends": True},
    ],
)
async def test_a_step_that_is_not_quite_one_is_refused(
    app: Database, network: Network, keyring: Keyring, changed: dict[str, Any]
) -> None:
    made = await send(app, network, keyring, now=present())
    with pytest.raises(DBAPIError):
        await write(app, network.intake, ACCEPT, id=made.id, **(step(Event.ACCEPT) | changed))
    assert await write(app, network.intake, ACCEPT, id=made.id, **step(Event.ACCEPT)) == 1


@pytest.mark.rule("R1")
@pytest.mark.parametrize(
    "more",
    [
        ", answer_due_at = now() + interval '1 year'",
        ", answer_due_at = null",
        ", requested_at = null",
        ", requested_at = now()",
        ", accepted_at = now()",
        ", version = version + 2",
    ],
)
async def test_a_step_bends_neither_deadlines_nor_versions(
    app: Database, network: Network, keyring: Keyring, more: str
) -> None:
    made = await send(app, network, keyring, now=present())
    waitlist = STEP.replace("version = version + 1,", "") if "version" in more else STEP
    with pytest.raises(DBAPIError, match=r"times of a referral are frozen|no such step"):
        await write(app, network.intake, waitlist.format(more=more), id=made.id, **step(Event.WAITLIST))
    assert await write(app, network.intake, STEP.format(more=""), id=made.id, **step(Event.WAITLIST)) == 1


@pytest.mark.rule("R1")
@pytest.mark.parametrize(
    "changed", [{"status": "accepted"}, {"version": 5}, {"last_event": "send"}, {"requested_at": "now()"}]
)
async def test_a_referral_begins_as_a_draft_and_nowhere_else(
    app: Database, network: Network, changed: dict[str, Any]
) -> None:
    values = {"status": "'draft'", "version": "1", "last_event": "null", "requested_at": "null"}
    values |= {name: value if value == "now()" else repr(value) for name, value in changed.items()}
    with pytest.raises(DBAPIError, match="begins as a draft"):
        await write(
            app,
            network.coordinator,
            f"""
            insert into referral (id, source_agency_id, source_agency_kind, target_agency_id, service_at_location_id,
              service_type, urgency, region, language, household_size, age_band, accessibility, immigration_sensitive,
              created_at, changed_at, {", ".join(values)})
            values (:id, :source, 'victim_services', :target, :place, 'shelter', 'urgent', 'US-IL', 'es', 1, '18_24',
              '{{}}', false, now(), now(), {", ".join(values.values())})
            """,
            id=uuid4(),
            source=network.coordinator.agency_id,
            target=network.intake.agency_id,
            place=network.service_at_location_id,
        )


@pytest.mark.rule("R1")
async def test_history_is_written_with_each_step_and_by_nobody_else(
    databases: dict[str, Database], network: Network, keyring: Keyring, look: Look
) -> None:
    app, worker = databases["app"], databases["worker"]
    made = await send(app, network, keyring, now=present())
    await write(app, network.intake, ACCEPT, id=made.id, **step(Event.ACCEPT))
    rows = await look(
        "select event, by_member_id, by_agency_id from referral_event where referral_id = $1 order by sequence", made.id
    )
    assert [tuple(row.values()) for row in rows] == [
        ("send", network.coordinator.member_id, network.coordinator.agency_id),
        ("accept", network.intake.member_id, network.intake.agency_id),
    ]
    for sql in FORBIDDEN.split(";"):
        for database, actor in ((app, network.intake), (worker, Custodian(network.coordinator.agency_id))):
            with pytest.raises(DBAPIError, match="permission denied"):
                await write(database, actor, sql, id=made.id)


async def visit(app: Database, actor: Member, network: Network, referral_id: UUID, **changed: Any) -> int:
    values = {"source": network.coordinator.agency_id, "target": network.intake.agency_id, "referral": referral_id}
    return await write(
        app,
        actor,
        """
        insert into appointment (id, referral_id, source_agency_id, target_agency_id, starts_at, time_zone,
          duration_minutes, mode, status, created_at)
        values (gen_random_uuid(), :referral, :source, :target, now() + interval '1 day', 'America/Chicago', 60,
          'phone', 'booked', now())
        """,
        **(values | changed),
    )


@pytest.mark.rule("C6")
async def test_a_visit_is_booked_by_the_referrals_own_target_and_moved_by_nobody_else(
    databases: dict[str, Database], network: Network, keyring: Keyring
) -> None:
    app, worker = databases["app"], databases["worker"]
    made: Sent = await send(app, network, keyring, now=present())
    await run(app, network.intake, accept, made.id, now=present())
    with pytest.raises(DBAPIError, match="row-level security"):
        await visit(app, network.intake, network, made.id)  # not in progress yet
    await write(app, network.intake, STEP.format(more=""), id=made.id, **step(Event.SCHEDULE, Status.ACCEPTED))
    for actor, changed in (
        (network.coordinator, {}),
        (network.outsider, {}),
        (network.outsider, {"target": network.outsider.agency_id}),
        (network.intake, {"source": network.outsider.agency_id}),
    ):
        with pytest.raises(DBAPIError, match="row-level security"):
            await visit(app, actor, network, made.id, **changed)
    assert await visit(app, network.intake, network, made.id) == 1
    with pytest.raises(DBAPIError, match="appointment_booked_key"):
        await visit(app, network.intake, network, made.id)
    move = "update appointment set starts_at = now() where referral_id = :id"
    with pytest.raises(DBAPIError, match="a visit is its target's to change"):
        await write(app, network.coordinator, move, id=made.id)
    assert await write(app, network.outsider, move, id=made.id) == 0
    with pytest.raises(DBAPIError, match="permission denied"):
        await write(worker, Custodian(network.coordinator.agency_id), move, id=made.id)


@pytest.mark.rule("A2")
async def test_the_worker_sees_where_a_referral_stands_and_not_what_is_needed(
    worker: Database, app: Database, network: Network, keyring: Keyring
) -> None:
    made = await send(app, network, keyring, now=present())
    async with worker.transaction(Dispatcher()) as session:
        assert await session.scalar(text("select status from referral where id = :id"), {"id": made.id}) == "requested"
        assert await session.scalar(text("select count(*) from survivor_referral")) == 0
    for column in ("service_type", "household_size", "immigration_sensitive", "*"):
        with pytest.raises(DBAPIError, match="permission denied"):
            async with worker.transaction(Dispatcher()) as session:
                await session.execute(text(f"select {column} from referral"))


@pytest.mark.rule("A2")
async def test_without_a_context_there_is_no_referral(app: Database, network: Network, keyring: Keyring) -> None:
    await send(app, network, keyring, now=present())
    async with app.transaction(Nobody()) as session:
        for table in ("referral", "referral_event", "survivor_referral", "appointment"):
            assert await session.scalar(text(f"select count(*) from {table}")) == 0


@pytest.mark.rule("R6")
async def test_a_party_puts_work_on_the_other_partys_list_and_reads_none_of_it(
    app: Database, network: Network, keyring: Keyring
) -> None:
    made = await send(app, network, keyring, now=present())
    put = """
        insert into task (id, agency_id, kind, subject_kind, subject_id, opened_at)
        values (gen_random_uuid(), :agency, 'referral_is_over', 'referral', :id, now())
    """
    async with app.transaction(network.coordinator) as session:
        assert await session.scalar(text("select count(*) from task where subject_id = :id"), {"id": made.id}) == 0
    with pytest.raises(DBAPIError, match="row-level security"):
        await write(app, network.outsider, put, id=made.id, agency=network.intake.agency_id)
    with pytest.raises(DBAPIError, match="row-level security"):
        await write(app, network.coordinator, put, id=made.id, agency=network.outsider.agency_id)
    assert await write(app, network.coordinator, put, id=made.id, agency=network.intake.agency_id) == 1


@pytest.mark.rule("R5")
@pytest.mark.parametrize(("kind", "refused"), [("health", True), (None, False)])
async def test_a_source_cannot_call_itself_another_kind(
    app: Database, network: Network, look: Look, kind: str | None, refused: bool
) -> None:
    """Or police could say that it is a clinic, and read what is kept from police."""
    (own,) = await look("select kind from agency where id = $1", network.coordinator.agency_id)
    assert own["kind"] != "health"
    statement = """
        insert into referral (id, source_agency_id, source_agency_kind, target_agency_id, service_at_location_id,
          service_type, urgency, region, language, household_size, age_band, accessibility, immigration_sensitive,
          created_at, changed_at, status)
        values (:id, :source, :kind, :target, :place, 'shelter', 'urgent', 'US-IL', 'es', 1, '18_24', '{}', false,
          now(), now(), 'draft')
    """
    values = {"id": uuid4(), "source": network.coordinator.agency_id, "kind": kind or own["kind"]}
    values |= {"target": network.intake.agency_id, "place": network.service_at_location_id}
    if refused:
        with pytest.raises(DBAPIError, match="of_its_own_kind"):
            await write(app, network.coordinator, statement, **values)
    else:
        assert await write(app, network.coordinator, statement, **values) == 1

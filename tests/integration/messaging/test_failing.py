"""What fails for ever keeps nobody else, is lost to nobody, and is seen by people who can do something about it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from sqlalchemy import text
from structlog.testing import capture_logs

from referralnet.audit.chain import verify_chain
from referralnet.audit.recording import Action, record
from referralnet.database.acting import AgencyKind, Custodian, Dispatcher, Member, Nobody, Role
from referralnet.encryption.lookup import lookup_hash
from referralnet.identity import failing
from referralnet.identity.failing import (
    FAILURES_UNTIL_TOLD,
    FIRST_PAUSE,
    PAUSE_MAX,
    Row,
    note_failure,
    read_failing,
)
from referralnet.identity.tasks import ALARMS, close_task, list_tasks
from referralnet.jobs import (
    apply_callbacks,
    check_trails,
    climb_ladders,
    expire_releases,
    follow_routing,
    plan_texts,
    read_inbound,
    replan_texts,
    seal_audit,
    send_texts,
    send_webhooks,
    sweep_leases,
    watch_failing,
)
from referralnet.jobs.looks import note_look
from referralnet.jobs.work import Work
from referralnet.messaging.carriers import Report, Written
from referralnet.messaging.receiving import keep_callback, keep_inbound
from referralnet.messaging.sending import Sender
from referralnet.messaging.tables import TextState
from tests.factories.messaging import Case, add_agency, add_member, superuser
from tests.integration.messaging.conftest import Desk, RememberingCarrier

STEP = timedelta(seconds=1)


@pytest.fixture
def work(sender: Sender) -> Work:
    return Work(sender, texts_at_once=2, text_unlisted_seconds=900)


@pytest.fixture(autouse=True)
def _logs() -> Iterator[None]:
    """What is raised here is raised again and again; writing it out for a console takes longer than all the rest."""
    with capture_logs():
        yield


@pytest_asyncio.fixture(autouse=True)
async def nothing_else(desk: Desk) -> None:
    """Every test begins at the same moment, and with nothing that waits."""
    for table in ("failing_row", "text_message", "inbound_text", "notice", "contact_plan_change", "suppression"):
        await desk.alter(f"delete from {table}")


@pytest_asyncio.fixture
async def admin(desk: Desk) -> Member:
    """Of whoever runs the network, who has no other agency for it."""
    async with superuser(desk.urls) as db:
        await db.execute("update agency set kind = 'financial' where kind = 'network_operator'")
        agency_id = await add_agency(db, AgencyKind.NETWORK_OPERATOR)
        return await add_member(db, agency_id, AgencyKind.NETWORK_OPERATOR, Role.NETWORK_ADMIN)


async def alarms(desk: Desk, admin: Member) -> list[tuple[str, UUID]]:
    """(job, row's id) of each open alarm, found by its reference as on the host."""
    await failing.raise_alarms(desk.worker, now=desk.clock.now())
    async with desk.app.transaction(admin) as session:
        open_ones = await list_tasks(session, kinds=ALARMS)
    assert {task.kind for task in open_ones} <= {"row_failing"}
    assert all(task.detail == {} for task in open_ones), "the job and a reference, and nothing of what it says"
    found = []
    for task in open_ones:
        async with desk.worker.transaction(Dispatcher()) as session:
            rows = await read_failing(session, task.subject_id)
        assert {row.job for row in rows} == {task.subject_kind}
        (row_id,) = {row.row_id for row in rows}
        found.append((task.subject_kind, row_id))
    return found


async def written(desk: Desk, work: Work, number: str, body: str) -> UUID:
    async with desk.app.transaction(Nobody()) as session:
        text = Written(f"SM{uuid4().hex}", number, body)
        await keep_inbound(session, work.keyring, text, now=desk.clock.now())
    (row,) = await desk.look("select id from inbound_text where handled_at is null order by received_at desc limit 1")
    inbound_id: UUID = row["id"]
    return inbound_id


async def noted(desk: Desk, row: Row, error: Exception | None = None) -> None:
    async with desk.worker.transaction(row.custody) as session:
        await note_failure(session, row, error or ValueError(), now=desk.clock.now())


async def until_told(desk: Desk, job: Any, work: Work) -> None:
    """The job looks until the row has failed often enough for people to be told."""
    for failures in range(FAILURES_UNTIL_TOLD):
        await job.run(work)
        desk.clock.advance(FIRST_PAUSE * 2**failures)


async def looked(desk: Desk, job: Any, work: Work) -> None:
    """The job looks once more when all pauses are over, and what is over is settled."""
    desk.clock.advance(PAUSE_MAX)
    await job.run(work)
    desk.clock.advance(timedelta(minutes=2))
    name = job.__name__.rpartition(".")[2]
    async with desk.worker.transaction(Dispatcher()) as session:
        await note_look(session, name, now=desk.clock.now())
    await watch_failing.run(work)


@asynccontextmanager
async def broken(desk: Desk, table: str, id_: UUID, holds: str) -> AsyncIterator[None]:
    """Whatever would break `holds` in this row raises, until it is mended."""
    name = f"broken_{uuid4().hex}"
    await desk.alter(f"alter table {table} add constraint {name} check (id <> '{id_}' or {holds}) not valid")
    try:
        yield
    finally:
        await desk.alter(f"alter table {table} drop constraint {name}")


async def zone_of(desk: Desk, case: Case, zone: str) -> None:
    await desk.alter("update contact_plan set time_zone = $2 where id = $1", case.plan_id, zone)
    await desk.alter("delete from contact_plan_change")


@pytest.mark.rule("M5", "M12")
async def test_a_notice_that_fails_comes_again_after_growing_pauses_and_is_seen_and_is_planned_once_it_can_be(
    desk: Desk, arrange: Any, work: Work, admin: Member
) -> None:
    case = await arrange(starts_at=desk.clock.now() + timedelta(days=3))
    await desk.tell(case)
    await zone_of(desk, case, "Nowhere/Nothing")
    (notice,) = await desk.look("select id from notice")
    for failures in range(1, FAILURES_UNTIL_TOLD + 1):
        assert await alarms(desk, admin) == []
        await plan_texts.run(work)
        assert [row["failures"] for row in await desk.look("select failures from failing_row")] == [failures]
        desk.clock.advance(FIRST_PAUSE * 2 ** (failures - 1) - timedelta(milliseconds=1))
        await plan_texts.run(work)
        assert [row["failures"] for row in await desk.look("select failures from failing_row")] == [failures]
        desk.clock.advance(timedelta(milliseconds=1))
    assert await alarms(desk, admin) == [("plan_texts", notice["id"])]
    assert await desk.tasks(case.agency_id) == [("left_undone", "plan_texts")]
    (task,) = await desk.look("select subject_kind, subject_id from task where agency_id = $1", case.agency_id)
    assert (task["subject_kind"], task["subject_id"]) == ("referral", case.referral_id)
    assert [row["error"] for row in await desk.look("select error from failing_row")] == ["ZoneInfoNotFoundError"]

    await zone_of(desk, case, "America/Chicago")
    await looked(desk, plan_texts, work)
    assert len(await desk.texts(case)) == 3, "late, and whole"
    assert await desk.tasks(case.agency_id) == []
    assert (await alarms(desk, admin), await desk.look("select * from failing_row")) == ([], [])


async def test_a_job_that_still_fails_keeps_its_alarm_and_nobody_else_may_close_it(
    desk: Desk, arrange: Any, work: Work, admin: Member
) -> None:
    case = await arrange()
    await desk.tell(case)
    await zone_of(desk, case, "Nowhere/Nothing")
    await until_told(desk, plan_texts, work)
    await looked(desk, plan_texts, work)
    assert len(await alarms(desk, admin)) == 1
    assert await desk.tasks(case.agency_id) == [("left_undone", "plan_texts")]
    for stranger in (case.coordinator, case.intake):
        async with desk.app.transaction(stranger) as session:
            assert await list_tasks(session, kinds=ALARMS) == []
    async with desk.app.transaction(admin) as session:
        (alarm,) = await list_tasks(session, kinds=ALARMS)
        await close_task(session, admin, alarm.id, now=desk.clock.now())
    assert await alarms(desk, admin) == []


async def test_one_mistake_on_every_row_does_not_bury_whoever_runs_the_network(
    desk: Desk, admin: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failing, "ALARMS_MAX", 2)
    rows = [Row("plan_texts", uuid4(), None, "notice", uuid4()) for _ in range(3)]
    for row in rows:
        desk.clock.advance(STEP)
        for _ in range(FAILURES_UNTIL_TOLD):
            await noted(desk, row)
    assert {row_id for _, row_id in await alarms(desk, admin)} == {row.id for row in rows[:2]}
    mine = "(select reference from failing_row where row_id = $1)"
    await desk.alter(f"update task set done_at = now() where subject_id = {mine}", rows[0].id)
    await desk.alter("delete from failing_row where row_id = $1", rows[0].id)
    assert rows[2].id in {row_id for _, row_id in await alarms(desk, admin)}, "the next, when one is over"


@pytest.mark.rule("M4")
async def test_a_stop_that_a_custody_fails_to_handle_holds_at_once_everywhere_else_and_is_never_done_twice(
    desk: Desk, arrange: Any, work: Work, carrier: RememberingCarrier, admin: Member
) -> None:
    failing_one = await arrange()
    sound = await arrange(phone=failing_one.phone)
    for case in (failing_one, sound):
        await desk.tell(case)
    await desk.plan()
    async with broken(desk, "contact_plan", failing_one.plan_id, "paused_at is null"):
        inbound_id = await written(desk, work, failing_one.phone, "STOP")
        await read_inbound.run(work)
        lookup = lookup_hash(work.keyring, "phone", failing_one.phone)
        assert await desk.look("select via from suppression where phone_lookup = $1", lookup) == [{"via": "text"}]
        assert await desk.tasks(sound.agency_id) == [("survivor_stopped_texts", None)]
        assert {state for _, state in await desk.texts(sound)} == {"cancelled"}
        await send_texts.run(work)
        assert [to for to, _, _ in carrier.sent] == [failing_one.phone], "the confirmation, and no text of a custody"
        # Her coordinator has asked her since, and texts her again.
        await desk.alter("update contact_plan set paused_at = null, paused_reason = null where id = $1", sound.plan_id)
        await until_told(desk, read_inbound, work)
        assert await desk.tasks(failing_one.agency_id) == [
            ("survivor_not_texted", "suppressed"), ("left_undone", "read_inbound")
        ]  # fmt: skip
        assert await alarms(desk, admin) == [("read_inbound", inbound_id)]
    await looked(desk, read_inbound, work)
    (plan,) = await desk.look("select paused_reason from contact_plan where id = $1", failing_one.plan_id)
    assert plan["paused_reason"] == "stop"
    (plan,) = await desk.look("select paused_reason from contact_plan where id = $1", sound.plan_id)
    assert plan["paused_reason"] is None
    assert ("left_undone", "read_inbound") not in await desk.tasks(failing_one.agency_id)
    assert (await alarms(desk, admin), await desk.look("select * from inbound_text where handled_at is null")) == (
        [], []
    )  # fmt: skip
    await send_texts.run(work)
    assert len(carrier.sent) == 1


@pytest.mark.rule("M4")
async def test_a_text_that_cannot_be_read_stops_the_number_until_it_can_be(
    desk: Desk, arrange: Any, work: Work, carrier: RememberingCarrier, admin: Member
) -> None:
    case = await arrange()
    inbound_id = await written(desk, work, case.phone, "1")
    (row,) = await desk.look("select body_sealed from inbound_text where id = $1", inbound_id)
    await desk.alter("update inbound_text set body_sealed = '\\x00' where id = $1", inbound_id)
    await until_told(desk, read_inbound, work)
    await desk.tell(case)
    await desk.plan()
    await send_texts.run(work)
    assert carrier.sent == []
    assert ("left_undone", "read_inbound") in await desk.tasks(case.agency_id)
    assert await alarms(desk, admin) == [("read_inbound", inbound_id)]
    await desk.alter("update inbound_text set body_sealed = $2 where id = $1", inbound_id, row["body_sealed"])
    await looked(desk, read_inbound, work)
    assert await desk.look("select * from suppression") == []
    assert await alarms(desk, admin) == []


@pytest.mark.rule("M4")
async def test_while_a_custody_fails_to_learn_that_she_is_unsafe_nobody_texts_her(
    desk: Desk, arrange: Any, work: Work
) -> None:
    case = await arrange()
    async with broken(desk, "contact_plan", case.plan_id, "paused_at is null"):
        await written(desk, work, case.phone, "3")
        await read_inbound.run(work)
        assert [row["via"] for row in await desk.look("select via from suppression")] == ["unread"]
        # What she says of it herself counts for good.
        await written(desk, work, case.phone, "STOP")
        await read_inbound.run(work)
        assert [row["via"] for row in await desk.look("select via from suppression")] == ["text"]
        confirmed = await desk.look("select kind from text_message where kind = 'opt_out_confirmation'")
        assert len(confirmed) == 1
    await looked(desk, read_inbound, work)
    assert ("survivor_unsafe", None) in await desk.tasks(case.agency_id)
    assert [row["via"] for row in await desk.look("select via from suppression")] == ["text"]


@pytest.mark.rule("M4")
async def test_a_start_that_is_read_late_does_not_undo_a_stop_that_was_written_after_it(
    desk: Desk, arrange: Any, work: Work
) -> None:
    case = await arrange()
    lookup = lookup_hash(work.keyring, "phone", case.phone)
    await written(desk, work, case.phone, "STOP")
    await read_inbound.run(work)
    desk.clock.advance(STEP)
    async with broken(desk, "contact_plan", case.plan_id, "paused_reason <> 'staff'"):
        await written(desk, work, case.phone, "START")
        await read_inbound.run(work)
        desk.clock.advance(STEP)
        await written(desk, work, case.phone, "STOP")
        await read_inbound.run(work)
    await looked(desk, read_inbound, work)
    assert await desk.look("select * from inbound_text where handled_at is null") == []
    assert len(await desk.look("select * from suppression where phone_lookup = $1", lookup)) == 1


@pytest.mark.rule("M7")
async def test_a_report_that_fails_keeps_no_other_and_is_applied_once_it_can_be(
    desk: Desk, arrange: Any, work: Work, carrier: RememberingCarrier
) -> None:
    cases = [await arrange() for _ in range(2)]
    for case in cases:
        await desk.tell(case)
    await desk.plan()
    await send_texts.run(work)
    ids = [(await desk.look("select id, carrier_sid from text_message where subject_id = $1 and state = 'accepted'",
                            case.referral_id))[0] for case in cases]  # fmt: skip
    for one in ids:
        async with desk.app.transaction(Nobody()) as session:
            report = Report(one["carrier_sid"], TextState.DELIVERED, None)
            await keep_callback(session, text_id=one["id"], report=report, now=desk.clock.now())
        desk.clock.advance(STEP)
    async with broken(desk, "text_message", ids[0]["id"], "state <> 'delivered'"):
        assert await apply_callbacks.run(work) == 1
        assert ("appointment_set", "delivered") in await desk.texts(cases[1])
        await until_told(desk, apply_callbacks, work)
        assert await desk.tasks(cases[0].agency_id) == [("left_undone", "apply_callbacks")]
    await looked(desk, apply_callbacks, work)
    assert ("appointment_set", "delivered") in await desk.texts(cases[0])
    assert await desk.tasks(cases[0].agency_id) == []


@pytest.mark.rule("M5", "M12")
async def test_a_text_that_fails_to_be_judged_does_not_keep_back_its_custody(
    desk: Desk, arrange: Any, work: Work, carrier: RememberingCarrier
) -> None:
    failing_one = await arrange()
    sound = await arrange(agency_id=failing_one.agency_id)
    for case in (failing_one, sound):
        await desk.tell(case)
    await desk.plan()
    await zone_of(desk, failing_one, "Nowhere/Nothing")
    for _ in range(3):
        await send_texts.run(work)
        desk.clock.advance(STEP)
    assert [to for to, _, _ in carrier.sent] == [sound.phone]
    await until_told(desk, send_texts, work)
    assert await desk.tasks(failing_one.agency_id) == [("left_undone", "send_texts")]
    await zone_of(desk, failing_one, "America/Chicago")
    await looked(desk, send_texts, work)
    assert [to for to, _, _ in carrier.sent] == [sound.phone, failing_one.phone], "once, and late"
    assert await desk.tasks(failing_one.agency_id) == []


@pytest.mark.rule("C5")
async def test_what_is_told_and_logged_of_a_row_of_hers_names_nothing_of_her(
    desk: Desk, arrange: Any, work: Work, admin: Member
) -> None:
    case = await arrange()
    await desk.change_plan(case, time_zone="Nowhere/Nothing")
    with capture_logs() as logs:
        await until_told(desk, replan_texts, work)
    assert await alarms(desk, admin) == [("replan_texts", case.survivor_id)]
    async with desk.app.transaction(admin) as session:
        told = (await session.execute(text("select task.*, now() from task where done_at is null"))).all()
    assert len(told) == 1
    (kept,) = await desk.look("select reference from failing_row")
    for said in (str(told), str([{**log, "exc_info": None} for log in logs])):
        assert str(kept["reference"]) in said
        assert all(str(hers) not in said for hers in (case.survivor_id, case.plan_id, case.referral_id))


async def test_a_row_that_fails_in_several_custodies_is_one_alarm_by_one_reference(
    desk: Desk, arrange: Any, admin: Member
) -> None:
    cases, inbound_id = [await arrange() for _ in range(3)], uuid4()
    rows = [Row("read_inbound", inbound_id, case.agency_id, "survivor", case.survivor_id) for case in cases]
    for row in rows[:2]:
        for _ in range(FAILURES_UNTIL_TOLD):
            await noted(desk, row)
    assert await alarms(desk, admin) == [("read_inbound", inbound_id)]
    # One that comes to fail later is told by the same reference: it is the same row.
    for _ in range(FAILURES_UNTIL_TOLD):
        await noted(desk, rows[2])
    assert await alarms(desk, admin) == [("read_inbound", inbound_id)]
    assert len(await desk.look("select distinct reference from failing_row")) == 1


@pytest.mark.rule("M9")
async def test_a_changed_plan_that_fails_to_move_texts_is_moved_once_it_can_be(
    desk: Desk, arrange: Any, work: Work
) -> None:
    case = await arrange()
    await desk.tell(case)
    await desk.plan()
    await desk.change_plan(case, time_zone="Nowhere/Nothing")
    await until_told(desk, replan_texts, work)
    assert await desk.tasks(case.agency_id) == [("left_undone", "replan_texts")]
    await desk.alter("update contact_plan set time_zone = 'America/Chicago' where id = $1", case.plan_id)
    await looked(desk, replan_texts, work)
    assert await desk.look("select * from contact_plan_change") == []
    assert await desk.tasks(case.agency_id) == []


@pytest.mark.rule("C4", "R6")
async def test_every_job_that_goes_row_by_row_goes_on_behind_one_that_fails(desk: Desk, work: Work) -> None:
    # A row of each job that pauses: the look is the same, and asks for as many others as before.
    for job in (plan_texts, replan_texts, read_inbound, apply_callbacks, sweep_leases, expire_releases, climb_ladders,
                follow_routing, send_webhooks):  # fmt: skip
        name = job.__name__.rpartition(".")[2]
        row = Row(name, uuid4(), None, "row", uuid4())
        await noted(desk, row)
        assert await job.run(work) == 0


@pytest.mark.rule("U2")
async def test_an_agency_whose_chain_cannot_go_on_keeps_no_other_from_being_sealed_and_is_seen(
    desk: Desk, arrange: Any, work: Work, admin: Member
) -> None:
    broken_one, sound = await arrange(), await arrange()
    await seal_audit.run(work)

    async def happens() -> None:
        for case in (broken_one, sound):
            async with desk.worker.transaction(Custodian(case.agency_id)) as session:
                await record(session, Action.TEXT_SENT, "text_message", uuid4())

    await happens()
    broken_by = f"check (agency_id <> '{broken_one.agency_id}') not valid"
    await desk.alter(f"alter table audit_link add constraint broken {broken_by}")
    try:
        assert await seal_audit.run(work) == 1
        await happens()
        assert await seal_audit.run(work) == 1, "while it pauses the others go together again"
        await until_told(desk, seal_audit, work)
        assert await alarms(desk, admin) == [("seal_audit", broken_one.agency_id)]
        assert await desk.look("select distinct agency_id from audit_waiting") == [{"agency_id": broken_one.agency_id}]
    finally:
        await desk.alter("alter table audit_link drop constraint broken")
    desk.clock.advance(PAUSE_MAX)
    assert await seal_audit.run(work) == 2
    assert await desk.look("select * from audit_waiting") == []


@pytest.mark.rule("U2")
async def test_a_chain_that_cannot_be_read_keeps_no_other_from_being_checked(
    desk: Desk, arrange: Any, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_one, sound = await arrange(), await arrange()

    async def read(session: Any, agency_id: UUID) -> Any:
        if agency_id == broken_one.agency_id:
            raise OSError
        return await verify_chain(session, agency_id)

    monkeypatch.setattr("referralnet.audit.checking.verify_chain", read)
    await check_trails.run(work)
    unmade = await desk.look("select agency_id from trail_check where checked_at is null")
    assert unmade == [{"agency_id": broken_one.agency_id}]
    assert await desk.look("select from trail_check where agency_id = $1 and checked_at is not null", sound.agency_id)
    (failing_row,) = await desk.look("select job, error from failing_row")
    assert dict(failing_row) == {"job": "check_trails", "error": "OSError"}


@pytest.mark.rule("C5", "U3")
async def test_what_is_kept_of_a_failure_quotes_nothing(desk: Desk, arrange: Any) -> None:
    case = await arrange()
    row = Row("plan_texts", uuid4(), case.agency_id, "referral", case.referral_id)
    await noted(desk, row, ValueError(f"her number is {case.phone}"))
    (kept,) = await desk.look("select * from failing_row")
    assert case.phone not in str(kept)
    other = await arrange()
    async with desk.worker.transaction(Custodian(other.agency_id)) as session:
        assert await failing.failing_rows(session, "plan_texts") == {}, "no other custody learns of it"

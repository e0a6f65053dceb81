"""What a survivor writes in words is read by her own coordinators, in front of the trail, and by nobody else."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from referralnet.clock import FixedClock
from referralnet.database.acting import AgencyKind, Custodian, Member, Nobody, Role
from referralnet.errors import NotFound, NotPermitted
from referralnet.identity.step_up import StepUpNeeded
from referralnet.jobs import erase_texts, read_inbound
from referralnet.jobs.work import Work
from referralnet.messaging.carriers import Written
from referralnet.messaging.policy import WORDS_KEPT_FOR
from referralnet.messaging.receiving import keep_inbound
from referralnet.messaging.sending import Sender
from referralnet.messaging.words import Words, read_words
from referralnet.survivors.sealed_fields import load_survivor_key, seal_field
from referralnet.survivors.tables import ContactPlan
from tests.factories.messaging import Case, add_member, superuser
from tests.integration.messaging.conftest import Desk

SAID = "my sister has the phone, ask for Lupe"


@pytest.fixture
def work(sender: Sender) -> Work:
    return Work(sender, texts_at_once=2, text_unlisted_seconds=900)


async def write(desk: Desk, work: Work, number: str, body: str) -> None:
    async with desk.app.transaction(Nobody()) as session:
        written = Written(f"SM{uuid4().hex}", number, body)
        await keep_inbound(session, work.keyring, written, now=desk.clock.now())
    await read_inbound.run(work)


def fresh(desk: Desk, member: Member) -> Member:
    at: datetime = desk.clock.now()
    return replace(member, stepped_up_at=at)


async def read(desk: Desk, work: Work, actor: Member, case: Case) -> list[Words]:
    async with desk.app.transaction(actor) as session:
        return list(await read_words(session, actor, case.survivor_id, keyring=work.keyring, now=desk.clock.now()))


@pytest.mark.rule("U1")
async def test_her_coordinator_reads_her_words_after_the_second_factor_and_the_trail_knows(
    desk: Desk, arrange: Any, work: Work, capsys: pytest.CaptureFixture[str]
) -> None:
    case = await arrange()
    await write(desk, work, case.phone, SAID)
    await write(desk, work, case.phone, "1")
    assert ("survivor_wrote", None) in await desk.tasks(case.agency_id)
    with pytest.raises(StepUpNeeded):
        await read(desk, work, case.coordinator, case)
    (words,) = await read(desk, work, fresh(desk, case.coordinator), case)
    assert (words.words, words.received_at) == (SAID, desk.clock.now())
    rows = await desk.look(
        "select member_id, detail::text as detail from audit_event where action = 'survivor_words_read'"
        " and subject_id = $1",
        case.survivor_id,
    )
    assert [row["member_id"] for row in rows] == [case.coordinator.member_id]
    everything = [
        str(row) for row in await desk.look("select survivor_word::text, task::text from survivor_word, task")
    ]
    printed = capsys.readouterr()
    assert not any("Lupe" in told for told in (*everything, repr(words), printed.out, printed.err))


@pytest.mark.rule("A1")
async def test_nobody_else_reads_her_words(desk: Desk, arrange: Any, work: Work) -> None:
    case, elsewhere = await arrange(), await arrange()
    await write(desk, work, case.phone, SAID)
    async with superuser(desk.urls) as db:
        admin = await add_member(db, case.agency_id, AgencyKind.PROSECUTION, Role.AGENCY_ADMIN)
    for actor, refused in ((case.intake, NotPermitted), (admin, NotPermitted), (elsewhere.coordinator, NotFound)):
        with pytest.raises(refused):
            await read(desk, work, fresh(desk, actor), case)
    for actor in (case.intake, admin, elsewhere.coordinator):
        async with desk.app.transaction(actor) as session:
            assert await session.scalar(text("select count(*) from survivor_word")) == 0


async def test_words_of_a_number_in_two_custodies_are_each_custodians_and_come_once(
    desk: Desk, arrange: Any, work: Work
) -> None:
    case = await arrange()
    other = await arrange(phone=case.phone)
    await write(desk, work, case.phone, SAID)
    await desk.alter("update inbound_text set handled_at = null")
    await read_inbound.run(work)
    for each in (case, other):
        assert [one.words for one in await read(desk, work, fresh(desk, each.coordinator), each)] == [SAID]


@pytest.mark.rule("M10")
async def test_her_words_are_forgotten_after_their_time(
    desk: Desk, arrange: Any, work: Work, clock: FixedClock
) -> None:
    case = await arrange()
    await write(desk, work, case.phone, SAID)
    clock.advance(WORDS_KEPT_FOR)
    await erase_texts.run(work)
    assert len(await read(desk, work, fresh(desk, case.coordinator), case)) == 1
    clock.advance(timedelta(seconds=1))
    await erase_texts.run(work)
    assert await read(desk, work, fresh(desk, case.coordinator), case) == []


@pytest.mark.rule("M4", "U1")
@pytest.mark.parametrize(
    ("body", "task"),
    [
        ("STOP he is here", "survivor_stopped_texts"),
        ("Basta, él está aquí conmigo", "survivor_stopped_texts"),
        ("not safe, he found the phone", "survivor_unsafe"),
        ("end all he found the phone", "survivor_may_end_consent"),
    ],
)
async def test_what_she_writes_beside_a_stop_stops_and_is_read_by_her_coordinators(
    desk: Desk, arrange: Any, work: Work, body: str, task: str
) -> None:
    case = await arrange()
    await desk.tell(case)
    await desk.plan()
    await write(desk, work, case.phone, body)
    assert {state for _, state in await desk.texts(case)} == {"cancelled"}
    assert sorted(await desk.tasks(case.agency_id)) == sorted([("survivor_wrote", None), (task, None)])
    assert [one.words for one in await read(desk, work, fresh(desk, case.coordinator), case)] == [body]
    replies = await desk.look("select kind from text_message where survivor_id is null and created_at = $1",
                              desk.clock.now())  # fmt: skip
    assert {row["kind"] for row in replies} <= {"opt_out_confirmation"}, "and nothing is answered to it"
    await desk.alter("delete from text_message")


@pytest.mark.rule("M4")
@pytest.mark.parametrize("body", ["STOP", "please stop", "stpo", "no más mensajes"])
async def test_a_bare_stop_is_no_words_to_read(desk: Desk, arrange: Any, work: Work, body: str) -> None:
    case = await arrange()
    await write(desk, work, case.phone, body)
    assert await desk.tasks(case.agency_id) == [("survivor_stopped_texts", None)]
    assert await desk.look("select id from survivor_word where survivor_id = $1", case.survivor_id) == []


@pytest.mark.rule("C4")
async def test_her_code_phrase_behind_the_words_that_end_everything_is_no_message(
    desk: Desk, arrange: Any, work: Work
) -> None:
    case = await arrange()
    async with desk.worker.transaction(Custodian(case.agency_id)) as session:
        key = await load_survivor_key(session, work.keyring, case.survivor_id)
    sealed = seal_field(key, ContactPlan.code_phrase_sealed, case.plan_id, "blue heron")
    await desk.alter("update contact_plan set code_phrase_sealed = $2 where id = $1", case.plan_id, sealed)
    await write(desk, work, case.phone, "End all blue heron")
    assert ("survivor_wrote", None) not in await desk.tasks(case.agency_id)
    await write(desk, work, case.phone, "End all blue heron, he is at the door")
    assert ("survivor_wrote", None) in await desk.tasks(case.agency_id)

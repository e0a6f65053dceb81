"""A database that was restored on another server texts nobody until a person has said so (M11)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from referralnet.database.acting import AgencyKind, Nobody, Operator, Role
from referralnet.database.transactions import Database
from referralnet.identity.tasks import ALARMS, list_tasks
from referralnet.jobs import apply_callbacks, send_texts, watch_carrier
from referralnet.jobs.work import Work
from referralnet.messaging.carriers import Busy, Report
from referralnet.messaging.permit import Held, allow_sending, hold_sending, may_send
from referralnet.messaging.receiving import keep_callback
from referralnet.messaging.sending import Sender
from referralnet.messaging.tables import TextState
from tests.factories.messaging import Case, add_agency, add_member, superuser
from tests.integration.messaging.conftest import Desk, RememberingCarrier


@pytest.mark.rule("M11")
async def test_a_database_from_another_server_holds_its_texts_until_they_are_allowed(
    desk: Desk, arrange: Callable[..., Awaitable[Case]], sender: Sender, carrier: RememberingCarrier, owner: Database
) -> None:
    work = Work(sender, texts_at_once=1, text_unlisted_seconds=900)
    case = await arrange()
    await desk.tell(case)
    await desk.plan()
    # As a dump brings it: the permit names the server that the dump was made on.
    await desk.alter("update sending_permit set system_identifier = system_identifier + 1")
    desk.clock.advance(timedelta(minutes=1))
    assert await send_texts.run(work) == 0
    assert carrier.sent == []
    await allow(owner)
    assert await send_texts.run(work) == 1
    assert len(carrier.sent) == 1


async def allow(owner: Database) -> None:
    async with owner.transaction(Operator()) as session:
        assert await allow_sending(session)
        assert not await allow_sending(session)


@pytest.mark.rule("M11")
async def test_files_that_were_recovered_elsewhere_hold_their_texts(
    desk: Desk, arrange: Callable[..., Awaitable[Case]], sender: Sender, carrier: RememberingCarrier, owner: Database
) -> None:
    work = Work(sender, texts_at_once=1, text_unlisted_seconds=900)
    await desk.tell(await arrange())
    await desk.plan()
    # As files bring it that were recovered from an archive, or a standby that was promoted: the permit names the
    # timeline on which they were copied.
    await desk.alter("update sending_permit set timeline = '00000000'")
    assert await send_texts.run(work) == 0
    await allow(owner)
    assert await send_texts.run(work) == 1


@pytest.mark.rule("M11", "M5")
async def test_a_report_on_a_text_that_never_left_from_here_holds_all_texts_and_people_learn_of_it(
    desk: Desk, arrange: Callable[..., Awaitable[Case]], sender: Sender, carrier: RememberingCarrier, owner: Database
) -> None:
    work = Work(sender, texts_at_once=1, text_unlisted_seconds=900)
    async with superuser(desk.urls) as db:
        operator = await add_agency(db, AgencyKind.NETWORK_OPERATOR)
        admin = await add_member(db, operator, AgencyKind.NETWORK_OPERATOR, Role.NETWORK_ADMIN)
    mine, others = await arrange(), await arrange()
    for case in (mine, others):
        await desk.tell(case)
    await desk.plan()
    (text,) = await desk.look("select id from text_message where subject_id = $1 and kind = 'appointment_set'",
                              mine.referral_id)  # fmt: skip
    async with desk.app.transaction(Nobody()) as session:
        report = Report("SM-of-the-other", TextState.SENT, None)
        await keep_callback(session, text_id=text["id"], report=report, now=desk.clock.now())
    assert await apply_callbacks.run(work) == 1
    assert await send_texts.run(work) == 0
    await watch_carrier.run(work)
    await watch_carrier.run(work)
    async with desk.app.transaction(admin) as session:
        assert [task.kind for task in await list_tasks(session, kinds=ALARMS)] == ["texts_held"]
    await allow(owner)
    await send_texts.run(work)
    assert [to for to, _, _ in carrier.sent] == [others.phone], "what the other has sent is not sent again"
    await watch_carrier.run(work)
    async with desk.app.transaction(admin) as session:
        assert await list_tasks(session, kinds=ALARMS) == []


@pytest.mark.rule("M11")
async def test_a_report_on_a_text_that_was_handed_over_holds_nothing(
    desk: Desk, arrange: Callable[..., Awaitable[Case]], sender: Sender, carrier: RememberingCarrier
) -> None:
    work = Work(sender, texts_at_once=1, text_unlisted_seconds=900)
    await desk.alter("delete from text_message")
    case, later = await arrange(), await arrange()
    await desk.tell(case)
    await desk.plan()
    # It was asked to come again and took the text nevertheless: that is a carrier that misbehaves, and no copy.
    carrier.fails_with = Busy(1)
    await send_texts.run(work)
    (text,) = await desk.look("select id from text_message where attempts > 0")
    async with desk.app.transaction(Nobody()) as session:
        await keep_callback(session, text_id=text["id"], report=Report("SM1", TextState.SENT, None),
                            now=desk.clock.now())  # fmt: skip
    await apply_callbacks.run(work)
    carrier.fails_with = None
    desk.clock.advance(timedelta(minutes=1))
    await desk.tell(later)
    await desk.plan()
    await send_texts.run(work)
    assert [to for to, _, _ in carrier.sent] == [later.phone]


@pytest.mark.rule("M11")
async def test_an_operator_holds_a_copy_before_it_is_started(desk: Desk, sender: Sender, owner: Database) -> None:
    async with owner.transaction(Operator()) as session:
        await hold_sending(session, Held.BY_OPERATOR)
        assert not await may_send(session)
    await allow(owner)

"""A service that is no member is called; the log says when, by whom and what came of it, and nothing of her (C8)."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referralnet.consent.handoffs import record_handoff
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput, NotFound, NotPermitted
from referralnet.referrals.calling import Call, CallAnswer, calls, record_call
from referralnet.referrals.lifecycle import RejectReason
from tests.factories.referrals import Look, Network, Tasks, make_case, present, run


async def handed(app: Database, network: Network, keyring: Keyring) -> UUID:
    async with app.transaction(network.coordinator) as session:
        survivor_id, *_ = await make_case(session, network, keyring, now=present())
        return await record_handoff(
            session, network.coordinator, survivor_id, network.unlinked_service_at_location_id, now=present()
        )


@pytest.mark.rule("C8")
async def test_calls_are_logged_and_one_to_be_made_again_is_a_task(
    app: Database, network: Network, keyring: Keyring, open_tasks: Tasks, look: Look
) -> None:
    handoff_id = await handed(app, network, keyring)
    again = {(network.coordinator.agency_id, "call_service_again")}
    hour_ago = present() - timedelta(hours=1)
    await run(
        app, network.coordinator, record_call, handoff_id, Call(hour_ago, CallAnswer.NOBODY_REACHED), now=present()
    )
    assert await open_tasks(handoff_id) == again
    no = Call(present(), CallAnswer.DECLINED, RejectReason.NO_CAPACITY)
    await run(app, network.coordinator, record_call, handoff_id, no, now=present())
    assert await open_tasks(handoff_id) == set()
    logged = (await run(app, network.coordinator, calls, [handoff_id]))[handoff_id]
    assert [(call.answer, call.reason) for call in logged] == [
        (CallAnswer.NOBODY_REACHED, None),
        (CallAnswer.DECLINED, RejectReason.NO_CAPACITY),
    ]
    assert {call.made_by for call in logged} == {network.coordinator.member_id}
    trail = await look("select detail from audit_event where action = 'call_logged' and subject_id = $1", handoff_id)
    assert len(trail) == 2


@pytest.mark.rule("R8")
async def test_a_call_that_cannot_be_so_is_refused(app: Database, network: Network, keyring: Keyring) -> None:
    handoff_id = await handed(app, network, keyring)
    now = present()
    for wrong in (
        Call(now + timedelta(hours=1), CallAnswer.TAKES_HER),
        Call(now - timedelta(days=31), CallAnswer.TAKES_HER),
        Call(now.replace(tzinfo=None), CallAnswer.TAKES_HER),
        Call(now, CallAnswer.DECLINED),
        Call(now, CallAnswer.TAKES_HER, RejectReason.DUPLICATE),
    ):
        with pytest.raises(InvalidInput):
            await run(app, network.coordinator, record_call, handoff_id, wrong, now=now)
    log = """
        insert into handoff_call (id, agency_id, handoff_id, made_by, called_at, answer, reason)
          values (gen_random_uuid(), :agency, :id, :member, now(), 'declined', 'criminal_record')
    """
    actor = network.coordinator
    values = {"agency": actor.agency_id, "id": handoff_id, "member": actor.member_id}
    async with app.transaction(actor) as session:
        with pytest.raises(DBAPIError, match="handoff_call_reason_check"):
            await session.execute(text(log), values)
        await session.rollback()


@pytest.mark.rule("C6")
async def test_nobody_else_reads_or_logs_a_call(app: Database, network: Network, keyring: Keyring) -> None:
    handoff_id = await handed(app, network, keyring)
    call = Call(present(), CallAnswer.WAITING_LIST)
    await run(app, network.coordinator, record_call, handoff_id, call, now=present())
    for other in (network.outsider, network.other_intake):
        for named in (handoff_id, uuid4()):
            with pytest.raises(NotFound):
                await run(app, other, record_call, named, call, now=present())
        assert await run(app, other, calls, [handoff_id]) == {}
    with pytest.raises(NotPermitted):
        await run(app, network.intake, record_call, handoff_id, call, now=present())

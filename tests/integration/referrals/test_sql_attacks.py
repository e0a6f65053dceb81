"""Whoever speaks SQL as the program, for a member of one party, cannot turn another's guards, lists or beds around."""

from __future__ import annotations

import contextlib
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referralnet.database.acting import Member
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.referrals.answering import accept
from tests.factories.referrals import Look, Network, make_network, present, run, send

PUT_ON_WORKLIST = """
insert into task (id, agency_id, kind, subject_kind, subject_id, detail, opened_at)
  values (gen_random_uuid(), :agency, :kind, 'referral', :id, cast(:detail as jsonb), now()) on conflict do nothing
"""
SET_ASIDE = "create temporary table referral_transition as select * from public.referral_transition"
ANSWER_ONESELF = """
update referral set status = 'accepted', last_event = 'accept', business_status = '3.0', version = version + 1,
  changed_at = now(), accepted_at = now() where id = :id
"""
CANCEL_HOLDING = """
update referral set status = 'cancellation_requested', last_event = 'request_cancellation', business_status = '5.2',
  version = version + 1, changed_at = now(), held_capacity_id = :capacity where id = :id
"""


@pytest_asyncio.fixture(scope="module")
async def counting(owner: Database) -> Network:
    """Another network, whose shelter counts two beds."""
    return await make_network(owner, beds=2)


async def put_on_worklist(app: Database, actor: Member, **values: Any) -> None:
    async with app.transaction(actor) as session:
        await session.execute(text(PUT_ON_WORKLIST), {"detail": "{}", **values})


@pytest.mark.rule("R1", "R3")
async def test_a_table_of_ones_own_with_the_same_name_does_not_answer_ones_own_referral(
    app: Database, network: Network, keyring: Keyring
) -> None:
    made = await send(app, network, keyring, now=present())
    async with app.transaction(network.coordinator) as session:
        await session.execute(text(SET_ASIDE))
        await session.execute(text("update referral_transition set party = 'source' where event = 'accept'"))
        with pytest.raises(DBAPIError, match="belongs to the target"):
            await session.execute(text(ANSWER_ONESELF), {"id": made.id})
        await session.rollback()


@pytest.mark.rule("C6")
@pytest.mark.parametrize("kind", ["survivor_not_texted", "survivor_unsafe", "confirmation_too_late"])
async def test_the_other_partys_tasks_about_her_cannot_be_felt_for_by_putting_them_there_again(
    app: Database, network: Network, keyring: Keyring, kind: str
) -> None:
    made = await send(app, network, keyring, now=present())
    with pytest.raises(DBAPIError, match="row-level security"):
        await put_on_worklist(app, network.intake, agency=network.coordinator.agency_id, kind=kind, id=made.id)


@pytest.mark.rule("C1")
async def test_a_task_for_the_other_party_carries_no_words(app: Database, network: Network, keyring: Keyring) -> None:
    made = await send(app, network, keyring, now=present())
    told = '{"note": "Ana Invented"}'
    with pytest.raises(DBAPIError, match="row-level security"):
        await put_on_worklist(
            app,
            network.coordinator,
            agency=network.intake.agency_id,
            kind="referral_is_over",
            id=made.id,
            detail=told,
        )


@pytest.mark.rule("R2")
async def test_a_source_cannot_make_its_referral_hold_a_bed_that_another_holds(
    app: Database, network: Network, counting: Network, keyring: Keyring, look: Look
) -> None:
    holding = await send(app, counting, keyring, now=present())
    await run(app, counting.intake, accept, holding.id, now=present())
    made = await send(app, network, keyring, now=present())
    await run(app, network.intake, accept, made.id, now=present())
    with pytest.raises(DBAPIError, match="a unit is held by accepting"):
        async with app.transaction(network.coordinator) as session:
            await session.execute(text(CANCEL_HOLDING), {"id": made.id, "capacity": counting.capacity_id})
    (row,) = await look("select available, held from service_capacity where id = $1", counting.capacity_id)
    assert (row["available"], row["held"]) == (1, 1)


@pytest.mark.rule("M5", "M7")
@pytest.mark.parametrize(("was", "becomes"), [("delivered", "scheduled"), ("cancelled", "scheduled"),
                                              ("sent", "cancelled"), ("scheduled", "delivered")])  # fmt: skip
async def test_the_application_stops_texts_and_does_nothing_else_to_them(
    app: Database, worker: Database, network: Network, keyring: Keyring, look: Look, was: str, becomes: str
) -> None:
    made, text_id = await send(app, network, keyring, now=present()), uuid4()
    await look(
        """
        insert into text_message (id, agency_id, survivor_id, subject_id, kind, priority, due_at, claimable_at,
          send_before, occurrence, state, state_at, created_at)
        values ($1, $2, $3, $4, 'appointment_set', 1, now(), now(), now() + interval '1 hour', '{}', $5, now(), now())
        """,
        text_id,
        network.coordinator.agency_id,
        made.survivor_id,
        made.id,
        was,
    )
    change = text("update text_message set state = :state, fence = fence + 1 where id = :id")
    with contextlib.suppress(DBAPIError):  # a new state that is not its to write; of an old one it finds no row
        async with app.transaction(network.coordinator) as session:
            await session.execute(change, {"state": becomes, "id": text_id})
    (row,) = await look("select state from text_message where id = $1", text_id)
    assert row["state"] == was


LINK = """
insert into survivor_referral (referral_id, agency_id, survivor_id, need_id, release_id, coordinator_id)
  values (:id, :agency, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), :member)
"""


@pytest.mark.rule("C6")
async def test_an_outsider_who_links_a_referral_is_told_the_same_whether_there_is_one(
    app: Database, network: Network, keyring: Keyring
) -> None:
    made, outsider = await send(app, network, keyring, now=present()), network.outsider
    told = set()
    for referral_id in (made.id, uuid4()):
        async with app.transaction(outsider) as session:
            with pytest.raises(DBAPIError) as refused:
                await session.execute(
                    text(LINK), {"id": referral_id, "agency": outsider.agency_id, "member": outsider.member_id}
                )
            await session.rollback()
        told.add(str(refused.value.orig))
    assert len(told) == 1


DISCLOSE = """
insert into disclosure (id, agency_id, recipient_agency_id, release_id, data_key_id, referral_id, made_at)
  select gen_random_uuid(), agency_id, recipient_agency_id, id, data_key_id, :referral, now()
  from release where id = :release
"""


@pytest.mark.rule("C6")
async def test_an_agency_that_discloses_for_a_referral_of_others_is_told_the_same_whether_there_is_one(
    app: Database, network: Network, counting: Network, keyring: Keyring
) -> None:
    made, own = await send(app, network, keyring, now=present()), await send(app, counting, keyring, now=present())
    told = set()
    for referral_id in (made.id, uuid4()):
        async with app.transaction(counting.coordinator) as session:
            with pytest.raises(DBAPIError) as refused:
                await session.execute(text(DISCLOSE), {"referral": referral_id, "release": own.release_id})
            await session.rollback()
        told.add(str(refused.value.orig))
    assert len(told) == 1

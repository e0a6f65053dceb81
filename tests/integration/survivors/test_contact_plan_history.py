"""Each keeping of a contact plan is a version that nobody can make up, and an opt-in is of one number."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy.exc import DBAPIError

from referralnet.errors import NotFound
from referralnet.identity.step_up import StepUpNeeded
from referralnet.survivors.contact_plan_history import PlanHistory, read_contact_plans
from referralnet.survivors.contact_plans import OptInMethod, keep_contact_plan
from tests.factories.survivors import PHONE, Houses, make_survivor, new_plan, present


async def keep(houses: Houses, survivor_id: UUID, **changes: object) -> UUID:
    actor = houses.ours.coordinator
    async with houses.app.transaction(actor) as session:
        return await keep_contact_plan(
            session, actor, survivor_id, new_plan(**changes), keyring=houses.keyring, now=present()
        )


async def history(houses: Houses, survivor_id: UUID) -> PlanHistory:
    actor = houses.ours.coordinator
    async with houses.app.transaction(actor) as session:
        return await read_contact_plans(session, actor, survivor_id, keyring=houses.keyring, now=present())


async def somebody(houses: Houses) -> UUID:
    return await make_survivor(houses.app, houses.ours.coordinator, houses.keyring, plan=new_plan())


async def test_every_keeping_is_told_with_who_when_and_what_changed(houses: Houses) -> None:
    survivor_id = await somebody(houses)
    await keep(houses, survivor_id, language="en", code_phrase="red kite")
    await keep(houses, survivor_id, language="en", code_phrase="red kite", phone="+1 312 555 0199")
    told = await history(houses, survivor_id)
    assert [kept.version for kept in told.versions] == [3, 2, 1]
    assert set(told.versions[0].changed) == {"phone", "opted_in_at"}
    assert told.versions[1].changed == ("language", "code_phrase")
    assert "phone" in told.versions[2].changed
    phones = [kept.terms.phone for kept in told.versions]
    assert phones == ["+13125550199", PHONE, PHONE]
    assert [kept.terms.code_phrase for kept in told.versions] == ["red kite", "red kite", "blue umbrella"]
    assert {kept.kept_by for kept in told.versions} == {houses.ours.coordinator.member_id}
    assert told.paused_reason is None
    assert PHONE not in repr(told)


async def test_a_pause_is_told_and_makes_no_version(houses: Houses) -> None:
    survivor_id = await somebody(houses)
    await houses.superuser.execute(
        "update contact_plan set paused_at = now(), paused_reason = 'unsafe' where survivor_id = $1", survivor_id
    )
    told = await history(houses, survivor_id)
    assert (len(told.versions), told.paused_reason) == (1, "unsafe")


@pytest.mark.rule("M1")
async def test_when_she_agreed_stays_until_she_agrees_on_something_else(houses: Houses) -> None:
    survivor_id = await somebody(houses)
    agreed = (await history(houses, survivor_id)).versions[0].terms.opted_in_at
    for changes, same in (
        ({"language": "en"}, True),
        ({"opt_in_method": OptInMethod.ORAL}, False),
        ({"phone": "+1 312 555 0199", "opt_in_method": OptInMethod.ORAL}, False),
    ):
        await keep(houses, survivor_id, **changes)
        now_agreed = (await history(houses, survivor_id)).versions[0].terms.opted_in_at
        assert (now_agreed == agreed) == same
        agreed = now_agreed
    await keep(houses, survivor_id, phone="+1 312 555 0198", opted_in=False, opt_in_method=None)
    assert (await history(houses, survivor_id)).versions[0].terms.opted_in_at is None


@pytest.mark.rule("M1")
async def test_whoever_speaks_sql_carries_no_opt_in_over_to_another_number(houses: Houses) -> None:
    survivor_id, actor = await somebody(houses), houses.ours.coordinator
    async with houses.app.transaction(actor) as session:
        connection = await session.connection()
        with pytest.raises(DBAPIError, match="an opt-in is of one number"):
            await connection.exec_driver_sql(
                f"update contact_plan set phone_lookup = '\\x01' where survivor_id = '{survivor_id}'"
            )


@pytest.mark.rule("C2")
async def test_the_history_is_the_database_s_and_the_custodian_s_coordinators(houses: Houses) -> None:
    survivor_id, actor = await somebody(houses), houses.ours.coordinator
    for statement in (
        "update contact_plan_version set language = 'en'",
        "delete from contact_plan_version",
        f"insert into contact_plan_version (agency_id, survivor_id) values ('{actor.agency_id}', '{survivor_id}')",
    ):
        async with houses.app.transaction(actor) as session:
            connection = await session.connection()
            with pytest.raises(DBAPIError, match="permission denied"):
                await connection.exec_driver_sql(statement)
    for reader, seen in ((actor, True), (houses.ours.intake, False), (houses.theirs.coordinator, False)):
        async with houses.app.transaction(reader) as session:
            count = await (await session.connection()).exec_driver_sql("select count(*) from contact_plan_version")
            assert bool(count.scalar()) == seen


@pytest.mark.rule("A5")
@pytest.mark.rule("C6")
async def test_reading_wants_a_second_factor_and_another_agency_learns_nothing(houses: Houses) -> None:
    survivor_id = await somebody(houses)
    stale = replace(houses.ours.coordinator, stepped_up_at=present() - timedelta(minutes=6))
    async with houses.app.transaction(stale) as session:
        with pytest.raises(StepUpNeeded):
            await read_contact_plans(session, stale, survivor_id, keyring=houses.keyring, now=present())
    stranger, answers = houses.theirs.coordinator, set()
    for wanted in (survivor_id, uuid4()):
        async with houses.app.transaction(stranger) as session:
            with pytest.raises(NotFound) as refused:
                await read_contact_plans(session, stranger, wanted, keyring=houses.keyring, now=present())
        answers.add((refused.value.code, refused.value.message, refused.value.field))
    assert len(answers) == 1

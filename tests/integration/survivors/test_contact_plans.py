"""Contact plans: kept whole, replaced in place, and never by that alone unpaused after a STOP."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from referralnet.database.acting import Custodian
from referralnet.database.transactions import Database
from referralnet.encryption.lookup import lookup_hash
from referralnet.errors import InvalidInput, NotFound
from referralnet.survivors.contact_plans import RECONFIRM_DAYS_MAX, keep_contact_plan
from referralnet.survivors.facts import Fact, open_facts
from referralnet.survivors.safe_windows import SafeWindow
from tests.factories.survivors import PHONE, Houses, make_survivor, new_plan, present


async def keep(houses: Houses, survivor_id: UUID, **changes: object) -> UUID:
    actor = houses.ours.coordinator
    async with houses.app.transaction(actor) as session:
        return await keep_contact_plan(
            session, actor, survivor_id, new_plan(**changes), keyring=houses.keyring, now=present()
        )


async def stored(houses: Houses, plan_id: UUID) -> dict[str, Any]:
    (row,) = await houses.superuser.fetch("select * from contact_plan where id = $1", plan_id)
    return dict(row)


async def planned(houses: Houses, **changes: object) -> tuple[UUID, UUID]:
    """(survivor id, plan id) of somebody new."""
    survivor_id = await make_survivor(houses.app, houses.ours.coordinator, houses.keyring)
    return survivor_id, await keep(houses, survivor_id, **changes)


async def pause(houses: Houses, plan_id: UUID, reason: str) -> None:
    await houses.superuser.execute(
        "update contact_plan set paused_at = now(), paused_reason = $2 where id = $1", plan_id, reason
    )


async def test_a_plan_is_kept_with_its_number_found_by_a_keyed_hash(houses: Houses) -> None:
    survivor_id, plan_id = await planned(houses, phone="(312) 555-0142")
    row = await stored(houses, plan_id)
    assert row["phone_lookup"] == lookup_hash(houses.keyring, "phone", PHONE)
    assert (row["agency_id"], row["survivor_id"]) == (houses.ours.agency_id, survivor_id)
    assert (row["language"], row["sender_label"], row["voicemail_ok"]) == ("es", "calendar", False)
    assert row["texts_opted_in_at"] is not None
    async with houses.app.transaction(houses.ours.coordinator) as session:
        facts = await open_facts(session, survivor_id, {Fact.PHONE, Fact.SAFE_WINDOWS}, keyring=houses.keyring)
    assert facts == {Fact.PHONE: PHONE, Fact.SAFE_WINDOWS: "Mon, Tue, Wed 09:00-20:00; Sat 10:00-12:00"}


@pytest.mark.rule("M1")
async def test_without_her_word_there_is_no_opt_in(houses: Houses) -> None:
    _, plan_id = await planned(houses, opted_in=False, opt_in_method=None, safe_windows=())
    row = await stored(houses, plan_id)
    assert (row["texts_opted_in_at"], row["opt_in_method"]) == (None, None)


async def test_a_new_plan_takes_the_old_one_s_place(houses: Houses) -> None:
    survivor_id, plan_id = await planned(houses)
    assert await keep(houses, survivor_id, phone="+1 312 555 0199", language="en", code_phrase=None) == plan_id
    row = await stored(houses, plan_id)
    assert (row["language"], row["code_phrase_sealed"]) == ("en", None)
    assert row["phone_lookup"] == lookup_hash(houses.keyring, "phone", "+13125550199")


async def test_two_people_who_keep_a_plan_at_once_leave_the_later_one(houses: Houses) -> None:
    survivor_id = await make_survivor(houses.app, houses.ours.coordinator, houses.keyring)
    actor = houses.ours.coordinator
    async with houses.app.transaction(actor) as session:
        plan_id = await keep_contact_plan(
            session, actor, survivor_id, new_plan(language="es"), keyring=houses.keyring, now=present()
        )
        later = asyncio.create_task(keep(houses, survivor_id, language="en"))
        await asyncio.wait({later}, timeout=0.3)
    assert await later == plan_id
    assert (await stored(houses, plan_id))["language"] == "en"


@pytest.mark.rule("M4")
@pytest.mark.parametrize(
    ("reason", "changes", "paused"),
    [
        ("stop", {}, True),
        ("stop", {"phone": "+1 312 555 0199"}, False),
        ("unsafe", {}, False),
        ("unsafe", {"opted_in": False, "opt_in_method": None}, True),
    ],
)
async def test_a_number_that_said_stop_stays_paused_whatever_is_kept(
    houses: Houses, reason: str, changes: dict[str, object], paused: bool
) -> None:
    survivor_id, plan_id = await planned(houses)
    await pause(houses, plan_id, reason)
    await keep(houses, survivor_id, **changes)
    row = await stored(houses, plan_id)
    assert (row["paused_at"] is not None) == paused
    assert (row["paused_reason"] == reason) == paused


TODAY = present().date()


@pytest.mark.rule("P3")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"phone": "555"}, "phone"),
        ({"language": "fr"}, "language"),
        ({"time_zone": "CST"}, "time_zone"),
        ({"time_zone": "America/Springfield"}, "time_zone"),
        ({"sender_label": "Shelter"}, "sender_label"),
        ({"safe_windows": ()}, "safe_windows"),
        ({"safe_windows": (SafeWindow((8,), "09:00", "10:00"),)}, "safe_windows"),
        ({"code_phrase": "a" * 101}, "code_phrase"),
        ({"opt_in_method": None}, "opt_in_method"),
        ({"opted_in": False}, "opt_in_method"),
        ({"opt_in_method": "assumed"}, "opt_in_method"),
        ({"reconfirm_by": TODAY - timedelta(days=1)}, "reconfirm_by"),
        ({"reconfirm_by": TODAY + timedelta(days=RECONFIRM_DAYS_MAX + 2)}, "reconfirm_by"),
    ],
)
async def test_a_value_that_cannot_be_is_refused_by_its_field(
    houses: Houses, changes: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await planned(houses, **changes)
    assert refused.value.field == field


async def test_the_reconfirm_date_is_judged_on_her_own_calendar(houses: Houses) -> None:
    survivor_id = await make_survivor(houses.app, houses.ours.coordinator, houses.keyring)
    actor = houses.ours.coordinator
    evening = present().replace(year=2026, month=3, day=3, hour=3)  # 2 March, 21:00 in Chicago
    for days, kept in ((0, False), (1, True), (RECONFIRM_DAYS_MAX, True), (RECONFIRM_DAYS_MAX + 1, False)):
        plan = new_plan(reconfirm_by=evening.date() + timedelta(days=days - 1))
        async with houses.app.transaction(actor) as session:
            keeping = keep_contact_plan(session, actor, survivor_id, plan, keyring=houses.keyring, now=evening)
            if kept:
                await keeping
            else:
                with pytest.raises(InvalidInput):
                    await keeping


@pytest.mark.rule("C6")
async def test_nobody_keeps_a_plan_for_another_agency_s_survivor(houses: Houses) -> None:
    survivor_id, actor = (await planned(houses))[0], houses.theirs.coordinator
    answers = set()
    for wanted in (survivor_id, uuid4()):
        async with houses.app.transaction(actor) as session:
            with pytest.raises(NotFound) as refused:
                await keep_contact_plan(session, actor, wanted, new_plan(), keyring=houses.keyring, now=present())
        answers.add((refused.value.code, refused.value.message, refused.value.field))
    assert len(answers) == 1


async def test_the_worker_opens_a_plan_in_its_agency_s_custody_alone(houses: Houses, worker: Database) -> None:
    survivor_id, _ = await planned(houses)
    async with worker.transaction(Custodian(houses.ours.agency_id)) as session:
        facts = await open_facts(session, survivor_id, {Fact.PHONE}, keyring=houses.keyring)
    assert facts == {Fact.PHONE: PHONE}
    async with worker.transaction(Custodian(houses.theirs.agency_id)) as session:
        with pytest.raises(NotFound):
            await open_facts(session, survivor_id, {Fact.PHONE}, keyring=houses.keyring)

"""Two records that may be one person are shown before a third is made, within one agency and by a person's word."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.exc import DBAPIError

from referralnet.audit.recording import Action
from referralnet.database.acting import Member
from referralnet.database.transactions import Database
from referralnet.errors import InvalidInput, NotFound
from referralnet.identity import hourly_caps
from referralnet.survivors.likeness import (
    Likeness,
    LooksAlike,
    StillInUse,
    decide_likeness,
    survivors_like,
    survivors_like_her,
)
from referralnet.survivors.phone_numbers import NewPhone, PhoneKind
from referralnet.survivors.recording import NewSurvivor, list_survivors, record_survivor
from referralnet.survivors.resembling import Reason, Resemblance
from referralnet.survivors.search_keys import Traits
from referralnet.survivors.searching import Asked, search_survivors
from tests.factories.consent import Stage, make_partners, make_release
from tests.factories.survivors import Houses, make_survivor, new_survivor, present


async def record(houses: Houses, new: NewSurvivor, actor: Member | None = None) -> UUID:
    actor = actor or houses.ours.coordinator
    async with houses.app.transaction(actor) as session:
        return await record_survivor(session, actor, new, keyring=houses.keyring, now=present())


async def decide(houses: Houses, survivor_id: UUID, other_id: UUID, decision: str = "same", **who: Member) -> None:
    actor = who.get("actor", houses.ours.coordinator)
    async with houses.app.transaction(actor) as session:
        await decide_likeness(session, actor, survivor_id, other_id, Likeness(decision), now=present())


async def like_her(houses: Houses, survivor_id: UUID) -> set[UUID]:
    actor = houses.ours.coordinator
    async with houses.app.transaction(actor) as session:
        found = await survivors_like_her(session, actor, survivor_id, keyring=houses.keyring)
    return {one.survivor_id for one in found}


async def listed(houses: Houses) -> list[UUID]:
    actor = houses.ours.coordinator
    async with houses.app.transaction(actor) as session:
        return [row.id for row in await list_survivors(session, actor, keyring=houses.keyring)]


@pytest.mark.parametrize(
    ("there", "comes", "alike"),
    [
        ({}, {}, True),
        ({}, {"given_name": "Annah", "family_name": "Invent"}, False),
        ({"given_name": "Lupe"}, {"given_name": "Guadalupe"}, True),
        ({"family_name": "Gonzalez"}, {"family_name": "Gonzales"}, True),
        ({}, {"date_of_birth": date(1996, 4, 5)}, True),
        ({}, {"date_of_birth": date(1997, 5, 4)}, True),
        ({}, {"date_of_birth": date(1980, 5, 4)}, False),
        ({}, {"date_of_birth": None}, True),
        ({}, {"given_name": "Ana", "family_name": "Other", "date_of_birth": None}, False),
        ({"family_name": "Montes Rivera"}, {"family_name": "Rivera"}, True),
        ({}, {"given_name": "Zulma", "family_name": "Other"}, False),
    ],
)
async def test_who_is_alike_is_told_before_she_is_recorded_again(
    houses: Houses, there: dict[str, Any], comes: dict[str, Any], alike: bool
) -> None:
    actor = houses.ours.coordinator
    # So that none is like another case's.
    await houses.superuser.execute("delete from survivor_search_key")
    first = await record(houses, replace(new_survivor(), **there))
    again = replace(new_survivor(), **comes)
    async with houses.app.transaction(actor) as session:
        traits = Traits((again.given_name, again.family_name), (), again.date_of_birth)
        found = await survivors_like(session, actor, traits, keyring=houses.keyring)
    assert [one.survivor_id for one in found] == ([first] if alike else [])
    if not alike:
        await record(houses, again)
        return
    with pytest.raises(LooksAlike) as refused:
        await record(houses, again)
    assert refused.value.field == "not_the_same_as"
    with pytest.raises(LooksAlike):
        await record(houses, replace(again, not_the_same_as=frozenset({uuid4()})))
    second = await record(houses, replace(again, not_the_same_as=frozenset({first})))
    assert first not in await like_her(houses, second), "a person has judged it"


async def test_one_number_is_enough(houses: Houses) -> None:
    phone = NewPhone("312 555 0181", PhoneKind.SHARED, safe=False)
    first = await record(houses, replace(new_survivor("Nadezhda", "Quux", None), phones=(phone,)))
    with pytest.raises(LooksAlike):
        await record(houses, replace(new_survivor("Thea", "Zorn", None), phones=(phone,)))
    async with houses.app.transaction(houses.ours.coordinator) as session:
        traits = Traits(("Thea", "Zorn"), ("+13125550181",))
        found: list[Resemblance] = await survivors_like(
            session, houses.ours.coordinator, traits, keyring=houses.keyring
        )
    assert [(one.survivor_id, one.reasons) for one in found] == [(first, (Reason.PHONE,))]


@pytest.mark.rule("C6")
async def test_another_agency_s_record_warns_nobody(houses: Houses) -> None:
    new = new_survivor("Perpetua", "Solitaria", date(1988, 8, 8))
    await record(houses, new, houses.theirs.coordinator)
    await record(houses, new)
    with pytest.raises(LooksAlike):
        await record(houses, new)


@pytest.mark.rule("U3")
async def test_a_comparison_is_capped_and_the_trail_has_ids_alone(
    houses: Houses, monkeypatch: pytest.MonkeyPatch
) -> None:
    survivor_id = await record(houses, new_survivor("Compared", "Onceonly", None))
    await like_her(houses, survivor_id)
    detail = await houses.superuser.fetchval(
        "select detail::text from audit_event where action = 'survivors_compared' order by at desc limit 1"
    )
    assert detail == '{"count": 0, "found": []}'
    monkeypatch.setitem(hourly_caps.PER_HOUR_MAX, Action.SURVIVORS_COMPARED, 1)
    with pytest.raises(hourly_caps.HourlyCapReached):
        await like_her(houses, survivor_id)


async def test_recording_over_and_over_to_learn_who_is_there_comes_to_an_end(
    houses: Houses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(hourly_caps.PER_HOUR_MAX, Action.ATTEMPT_REFUSED, 0)
    with pytest.raises(hourly_caps.HourlyCapReached):
        await record(houses, new_survivor("Guessed", "Name", None))


async def test_of_one_person_s_records_one_is_shown_and_the_word_can_be_taken_back(houses: Houses) -> None:
    kept = await record(houses, new_survivor("Fabiola", "Primera", None))
    other = await record(houses, new_survivor("Fabiola", "Segunda", None))
    await decide(houses, kept, other)
    assert kept in await listed(houses)
    assert other not in await listed(houses)
    async with houses.app.transaction(houses.ours.coordinator) as session:
        found = await search_survivors(
            session, houses.ours.coordinator, Asked("fabiola segunda"), keyring=houses.keyring
        )
    assert [one.survivor_id for one in found] == [kept]
    await decide(houses, kept, other, "different")
    assert {kept, other} <= set(await listed(houses))
    words = (
        "select decision, undone_at is null as stands from survivor_likeness where other_id = $1 order by decided_at"
    )
    assert [tuple(row) for row in await houses.superuser.fetch(words, other)] == [("same", False), ("different", True)]


async def test_what_gave_way_gives_way_once_and_nothing_stands_for_what_gave_way(houses: Houses) -> None:
    ids = [await record(houses, new_survivor("Chained", f"Name{letter}", None)) for letter in "bfg"]
    await decide(houses, ids[0], ids[1])
    for kept, other in ((ids[2], ids[1]), (ids[1], ids[2]), (ids[2], ids[0])):
        with pytest.raises(InvalidInput):
            await decide(houses, kept, other)
    await decide(houses, ids[0], ids[2])
    with pytest.raises(InvalidInput):
        await decide(houses, ids[0], ids[0])


async def test_a_record_in_use_does_not_give_way(houses: Houses, owner: Database) -> None:
    stage = Stage(houses.app, houses.superuser, houses.keyring, await make_partners(owner, houses.keyring))
    actor = stage.partners.custodian.coordinator
    kept = await make_survivor(houses.app, actor, houses.keyring, new=new_survivor("Kept", "Quietly"))
    released = await make_survivor(houses.app, actor, houses.keyring, new=new_survivor("Released", "Lately"))
    await make_release(stage, released)
    with pytest.raises(StillInUse):
        await decide(houses, kept, released, actor=actor)
    await decide(houses, released, kept, actor=actor)


@pytest.mark.rule("C6")
async def test_nobody_judges_another_agency_s_record(houses: Houses) -> None:
    ours = await record(houses, new_survivor("Judged", "Ours", None))
    theirs = await record(houses, new_survivor("Judged", "Theirs", None), houses.theirs.coordinator)
    answers = set()
    for other in (theirs, uuid4()):
        with pytest.raises(NotFound) as refused:
            await decide(houses, ours, other)
        answers.add((refused.value.code, refused.value.message, refused.value.field))
    assert len(answers) == 1
    for other in (theirs, uuid4()):
        async with houses.app.transaction(houses.ours.coordinator) as session:
            connection = await session.connection()
            with pytest.raises(DBAPIError, match='"within_reach" for table "survivor_likeness"'):
                await connection.exec_driver_sql(
                    "insert into survivor_likeness (id, agency_id, survivor_id, other_id, decision, decided_by,"
                    f" decided_at) values (gen_random_uuid(), '{houses.ours.agency_id}', '{ours}', '{other}', 'same',"
                    f" '{houses.ours.coordinator.member_id}', now())"
                )

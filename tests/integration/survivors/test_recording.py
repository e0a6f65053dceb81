"""Survivors: recorded sealed, listed without identity, revealed by their own agency with a trace."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy.exc import DBAPIError

from referralnet.database.acting import Member
from referralnet.errors import InvalidInput, NotFound, NotPermitted
from referralnet.identity.step_up import StepUpNeeded
from referralnet.survivors.recording import (
    NewSurvivor,
    SurvivorIdentity,
    SurvivorRow,
    list_survivors,
    record_survivor,
    reveal_survivor,
)
from tests.factories.survivors import Houses, make_survivor, new_survivor, present


async def reveal(houses: Houses, actor: Member, survivor_id: UUID) -> SurvivorIdentity:
    async with houses.app.transaction(actor) as session:
        return await reveal_survivor(session, actor, survivor_id, keyring=houses.keyring, now=present())


async def listed(houses: Houses, actor: Member, first: int = 100) -> list[SurvivorRow]:
    async with houses.app.transaction(actor) as session:
        return await list_survivors(session, actor, first=first)


@pytest.mark.parametrize(
    "new",
    [
        NewSurvivor("Inés", "de la Invención", date(1996, 5, 4), "Not by the river.\nNever on Sundays."),
        NewSurvivor("X", "-", None, None),
        NewSurvivor("李", "发明", date(2010, 2, 28), None),
    ],
)
async def test_what_was_recorded_is_what_is_revealed(houses: Houses, new: NewSurvivor) -> None:
    survivor_id = await make_survivor(houses.app, houses.ours.coordinator, houses.keyring, new=new)
    identity = await reveal(houses, houses.ours.coordinator, survivor_id)
    assert identity == SurvivorIdentity(
        survivor_id, new.given_name, new.family_name, new.date_of_birth, new.safety_note
    )


@pytest.mark.rule("U3")
async def test_identity_shows_in_no_representation(houses: Houses) -> None:
    new = new_survivor(given_name="Quetzalina", safety_note="Quetzalina")
    survivor_id = await make_survivor(houses.app, houses.ours.coordinator, houses.keyring, new=new)
    assert "Quetzalina" not in repr(new)
    assert "Quetzalina" not in repr(await reveal(houses, houses.ours.coordinator, survivor_id))


@pytest.mark.rule("P3")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"given_name": " "}, "given_name"),
        ({"given_name": "a\x00"}, "given_name"),
        ({"family_name": "a" * 201}, "family_name"),
        ({"date_of_birth": present().date() + timedelta(days=2)}, "date_of_birth"),
        ({"date_of_birth": date(1850, 1, 1)}, "date_of_birth"),
        ({"safety_note": "a" * 2001}, "safety_note"),
    ],
)
async def test_a_value_that_cannot_be_is_refused_by_its_field(
    houses: Houses, changes: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await make_survivor(
            houses.app,
            houses.ours.coordinator,
            houses.keyring,
            new=replace(new_survivor(), **changes),  # type: ignore[arg-type]
        )
    assert refused.value.field == field


async def test_the_newest_are_listed_first_and_bounded(houses: Houses) -> None:
    made = [await make_survivor(houses.app, houses.ours.coordinator, houses.keyring) for _ in range(3)]
    assert [row.id for row in await listed(houses, houses.ours.coordinator, first=2)] == [made[2], made[1]]


@pytest.mark.rule("C2")
@pytest.mark.rule("C6")
async def test_another_agency_s_survivor_is_as_good_as_none(houses: Houses) -> None:
    survivor_id = await make_survivor(houses.app, houses.ours.coordinator, houses.keyring)
    answers = set()
    for wanted in (survivor_id, uuid4()):
        with pytest.raises(NotFound) as refused:
            await reveal(houses, houses.theirs.coordinator, wanted)
        answers.add((refused.value.code, refused.value.message, refused.value.field))
    assert len(answers) == 1
    assert await listed(houses, houses.theirs.coordinator) == []


@pytest.mark.rule("A5")
async def test_revealing_wants_a_fresh_second_factor(houses: Houses) -> None:
    survivor_id = await make_survivor(houses.app, houses.ours.coordinator, houses.keyring)
    for stepped_up_at in (None, present() - timedelta(minutes=6)):
        with pytest.raises(StepUpNeeded):
            await reveal(houses, replace(houses.ours.coordinator, stepped_up_at=stepped_up_at), survivor_id)


@pytest.mark.rule("A4")
@pytest.mark.parametrize("role", ["intake", "agency_admin", "network_admin", "auditor"])
async def test_only_coordinators_keep_survivors(houses: Houses, role: str) -> None:
    survivor_id = await make_survivor(houses.app, houses.ours.coordinator, houses.keyring)
    actor = getattr(houses.ours, role)
    with pytest.raises(NotPermitted):
        await reveal(houses, actor, survivor_id)
    with pytest.raises(NotPermitted):
        await listed(houses, actor)
    with pytest.raises(NotPermitted):
        await make_survivor(houses.app, actor, houses.keyring)


@pytest.mark.rule("U1")
async def test_a_reveal_and_its_row_in_the_trail_commit_together(houses: Houses) -> None:
    actor = houses.ours.coordinator
    survivor_id = await make_survivor(houses.app, actor, houses.keyring)
    trail = "select member_id from audit_event where action = 'survivor_revealed' and subject_id = $1"

    async def reveal_and_fail() -> None:
        async with houses.app.transaction(actor) as session:
            await reveal_survivor(session, actor, survivor_id, keyring=houses.keyring, now=present())
            raise RuntimeError("lost")

    with pytest.raises(RuntimeError, match="lost"):
        await reveal_and_fail()
    assert await houses.superuser.fetch(trail, survivor_id) == []
    await reveal(houses, actor, survivor_id)
    assert [row["member_id"] for row in await houses.superuser.fetch(trail, survivor_id)] == [actor.member_id]


@pytest.mark.rule("U1")
async def test_where_the_trail_cannot_be_written_nobody_is_revealed(houses: Houses) -> None:
    survivor_id = await make_survivor(houses.app, houses.ours.coordinator, houses.keyring)
    await houses.superuser.execute("revoke insert on audit_event from referralnet_app")
    try:
        with pytest.raises(DBAPIError, match="permission denied"):
            await reveal(houses, houses.ours.coordinator, survivor_id)
    finally:
        await houses.superuser.execute("grant insert on audit_event to referralnet_app")


async def test_a_survivor_is_recorded_in_the_member_s_own_agency_and_traced(houses: Houses) -> None:
    actor = houses.ours.coordinator
    async with houses.app.transaction(actor) as session:
        survivor_id = await record_survivor(session, actor, new_survivor(), keyring=houses.keyring, now=present())
    row = await houses.superuser.fetch("select agency_id, created_by from survivor where id = $1", survivor_id)
    assert [tuple(entry) for entry in row] == [(houses.ours.agency_id, actor.member_id)]
    actions = await houses.superuser.fetch("select action from audit_event where subject_id = $1", survivor_id)
    assert [entry["action"] for entry in actions] == ["survivor_recorded"]

"""Survivors: recorded sealed, listed without identity, revealed by their own agency with a trace."""

from __future__ import annotations

import asyncio
import re
from dataclasses import fields, replace
from datetime import date, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy.exc import DBAPIError

from referralnet.audit.recording import Action
from referralnet.database.acting import Member
from referralnet.errors import InvalidInput, NotFound, NotPermitted
from referralnet.identity import hourly_caps
from referralnet.identity.step_up import StepUpNeeded
from referralnet.survivors.aliases import AliasKind, NewAlias
from referralnet.survivors.notes import NoteCategory
from referralnet.survivors.phone_numbers import NewPhone, PhoneKind
from referralnet.survivors.recording import NewSurvivor, SurvivorRow, list_survivors, record_survivor
from referralnet.survivors.revealing import SurvivorIdentity, reveal_survivor
from tests.factories.survivors import Houses, make_survivor, new_survivor, present


async def reveal(houses: Houses, actor: Member, survivor_id: UUID) -> SurvivorIdentity:
    async with houses.app.transaction(actor) as session:
        return await reveal_survivor(session, actor, survivor_id, keyring=houses.keyring, now=present())


async def listed(houses: Houses, actor: Member, first: int = 100) -> list[SurvivorRow]:
    async with houses.app.transaction(actor) as session:
        return await list_survivors(session, actor, keyring=houses.keyring, first=first)


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
    assert (identity.given_name, identity.family_name) == (new.given_name, new.family_name)
    assert (identity.date_of_birth, identity.note(NoteCategory.SAFETY)) == (new.date_of_birth, new.safety_note)
    assert (identity.pronouns, identity.aliases, identity.phones) == (None, (), ())


async def test_the_whole_record_is_revealed_with_what_can_be_several(houses: Houses) -> None:
    new = replace(
        new_survivor("Ximena", "Entera"),
        pronouns="she/they",
        case_label="Blue kite 7",
        aliases=(NewAlias("Xime", AliasKind.NICKNAME), NewAlias("Candy", AliasKind.IMPOSED)),
        phones=(NewPhone("(312) 555-0151", PhoneKind.OWN, True), NewPhone("312 555 0152", PhoneKind.SHARED, False)),
    )
    survivor_id = await make_survivor(houses.app, houses.ours.coordinator, houses.keyring, new=new)
    identity = await reveal(houses, houses.ours.coordinator, survivor_id)
    assert (identity.pronouns, identity.case_label) == ("she/they", "Blue kite 7")
    assert {(alias.name, alias.kind) for alias in identity.aliases} == {
        ("Xime", AliasKind.NICKNAME),
        ("Candy", AliasKind.IMPOSED),
    }
    assert {(phone.number, phone.kind, phone.safe) for phone in identity.phones} == {
        ("+13125550151", PhoneKind.OWN, True),
        ("+13125550152", PhoneKind.SHARED, False),
    }


@pytest.mark.rule("A5")
async def test_a_list_shows_a_label_of_chance_and_nothing_of_her(houses: Houses) -> None:
    """Without a second factor: somebody may stand behind the coordinator."""
    survivor_id = await make_survivor(houses.app, houses.ours.coordinator, houses.keyring)
    row = (await listed(houses, replace(houses.ours.coordinator, stepped_up_at=None), first=1))[0]
    assert row.id == survivor_id
    assert re.fullmatch(r"[A-Z][a-z]+ [0-9]{3}", row.case_label or "")
    assert {field.name for field in fields(row)} == {"id", "case_label", "created_at"}


async def allow_reveals(houses: Houses, monkeypatch: pytest.MonkeyPatch, more: int) -> None:
    """So many more in this hour."""
    done = await houses.superuser.fetchval(
        "select count(*) from audit_event where action = 'survivor_revealed' and member_id = $1"
        " and at > now() - interval '1 hour'",
        houses.ours.coordinator.member_id,
    )
    monkeypatch.setitem(hourly_caps.PER_HOUR_MAX, Action.SURVIVOR_REVEALED, done + more)


@pytest.mark.rule("A5")
async def test_one_member_reveals_no_more_than_an_hour_allows(houses: Houses, monkeypatch: pytest.MonkeyPatch) -> None:
    survivor_id = await make_survivor(houses.app, houses.ours.coordinator, houses.keyring)
    await allow_reveals(houses, monkeypatch, more=2)
    for _ in range(2):
        await reveal(houses, houses.ours.coordinator, survivor_id)
    with pytest.raises(hourly_caps.HourlyCapReached):
        await reveal(houses, houses.ours.coordinator, survivor_id)
    async with houses.superuser.transaction():
        await houses.superuser.execute("set local session_replication_role = replica")
        await houses.superuser.execute("update audit_event set at = at - interval '61 minutes'")
    await reveal(houses, houses.ours.coordinator, survivor_id)


@pytest.mark.rule("A5")
async def test_reveals_sent_at_once_do_not_slip_under_the_cap_together(
    houses: Houses, monkeypatch: pytest.MonkeyPatch
) -> None:
    survivor_id = await make_survivor(houses.app, houses.ours.coordinator, houses.keyring)
    await allow_reveals(houses, monkeypatch, more=2)
    revealing = (reveal(houses, houses.ours.coordinator, survivor_id) for _ in range(6))
    outcomes = await asyncio.gather(*revealing, return_exceptions=True)
    assert sum(isinstance(outcome, SurvivorIdentity) for outcome in outcomes) == 2
    assert sum(isinstance(outcome, hourly_caps.HourlyCapReached) for outcome in outcomes) == 4


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
        ({"pronouns": "a" * 41}, "pronouns"),
        ({"case_label": "Case of Ana"}, "case_label"),
        ({"case_label": "1996"}, "case_label"),
        ({"aliases": (NewAlias("", AliasKind.FORMER),)}, "name"),
        ({"aliases": (NewAlias("A", AliasKind.FORMER),) * 11}, "aliases"),
        ({"aliases": (NewAlias("A", "pet"),)}, "kind"),  # type: ignore[arg-type]
        ({"phones": (NewPhone("555", PhoneKind.OWN, True),)}, "number"),
        ({"phones": (NewPhone("312 555 0151", PhoneKind.OWN, True),) * 11}, "phones"),
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
        new = new_survivor("Unique", "Unica", date(1971, 1, 31))
        survivor_id = await record_survivor(session, actor, new, keyring=houses.keyring, now=present())
    row = await houses.superuser.fetch("select agency_id, created_by from survivor where id = $1", survivor_id)
    assert [tuple(entry) for entry in row] == [(houses.ours.agency_id, actor.member_id)]
    actions = await houses.superuser.fetch("select action from audit_event where subject_id = $1", survivor_id)
    assert [entry["action"] for entry in actions] == ["survivor_recorded"]

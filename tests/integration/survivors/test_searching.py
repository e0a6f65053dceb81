"""An agency finds its own survivors by names, numbers and birth dates: no identity in the answer, and nobody else's."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from referralnet.audit.recording import Action
from referralnet.database.acting import Member
from referralnet.errors import InvalidInput, NotPermitted
from referralnet.identity import hourly_caps
from referralnet.survivors.aliases import AliasKind, NewAlias, remove_alias
from referralnet.survivors.contact_plans import keep_contact_plan
from referralnet.survivors.correcting import Correction, correct_survivor
from referralnet.survivors.phone_numbers import NewPhone, PhoneKind
from referralnet.survivors.recording import NewSurvivor
from referralnet.survivors.resembling import Reason, Resemblance
from referralnet.survivors.searching import Asked, search_survivors
from tests.factories.survivors import Houses, make_survivor, new_plan, new_survivor, present

ROSA = NewSurvivor(
    "Guadalupe", "García-López", date(1990, 3, 7), case_label="Blue kite 7",
    aliases=(NewAlias("Ximena O'Brien", AliasKind.ALSO_USED),),
    phones=(NewPhone("312 555 0161", PhoneKind.OWN, safe=True),),
)  # fmt: skip


@pytest_asyncio.fixture(scope="module")
async def guadalupe(houses: Houses) -> UUID:
    return await make_survivor(houses.app, houses.ours.coordinator, houses.keyring, new=ROSA)


async def search(
    houses: Houses, words: str | None = None, actor: Member | None = None, **asked: object
) -> list[Resemblance]:
    actor = actor or houses.ours.coordinator
    async with houses.app.transaction(actor) as session:
        wanted = Asked(words, **asked)  # type: ignore[arg-type]
        return await search_survivors(session, actor, wanted, keyring=houses.keyring)


@pytest.mark.parametrize(
    ("words", "reasons"),
    [
        ("garcia", {Reason.NAME}),
        ("LÓPEZ guadalupe", {Reason.NAME}),
        ("Lupita", {Reason.FAMILIAR_NAME}),
        ("Garsia", {Reason.SIMILAR_NAME}),
        ("jimena obrien", {Reason.SIMILAR_NAME, Reason.NAME}),
        ("Guadelupe de la Garcia", {Reason.SIMILAR_NAME, Reason.NAME}),
        ("blue KITE 7", {Reason.CASE_LABEL}),
    ],
)
async def test_she_is_found_however_her_names_are_written(
    houses: Houses, guadalupe: UUID, words: str, reasons: set[Reason]
) -> None:
    (found,) = await search(houses, words)
    assert found.survivor_id == guadalupe
    assert set(found.reasons) == reasons


async def test_she_is_found_by_a_number_and_by_a_birth_date_that_is_near(houses: Houses, guadalupe: UUID) -> None:
    for asked, reason in (
        ({"phone": "+1 (312) 555-0161"}, Reason.PHONE),
        ({"born": date(1990, 3, 7)}, Reason.BIRTH_DATE),
        ({"born": date(1990, 7, 3)}, Reason.BIRTH_DATE_NEAR),
        ({"born": date(1991, 3, 7)}, Reason.BIRTH_DATE_NEAR),
    ):
        (found,) = await search(houses, **asked)
        assert (found.survivor_id, found.reasons) == (guadalupe, (reason,))
    assert await search(houses, phone="312 555 0162") == []
    assert await search(houses, born=date(1990, 3, 9)) == []


async def test_whoever_answers_most_comes_first(houses: Houses) -> None:
    made = {}
    for name in ("Berenice Alcantara", "Verenice Alcantara", "Berenice Quiroga", "Nadia Alcantara"):
        given, family = name.split()
        made[name] = await make_survivor(
            houses.app, houses.ours.coordinator, houses.keyring, new=new_survivor(given, family, None)
        )
    found = [one.survivor_id for one in await search(houses, "Berenice Alcantara")]
    assert found[:2] == [made["Berenice Alcantara"], made["Verenice Alcantara"]]
    assert set(found[2:]) == {made["Berenice Quiroga"], made["Nadia Alcantara"]}


async def test_what_was_corrected_or_removed_finds_her_no_more(houses: Houses) -> None:
    actor = houses.ours.coordinator
    new = replace(new_survivor("Odalys", "Wrongname", None), aliases=(NewAlias("Zafira", AliasKind.IMPOSED),))
    survivor_id = await make_survivor(houses.app, actor, houses.keyring, new=new)
    assert [one.survivor_id for one in await search(houses, "zafira")] == [survivor_id]
    alias_id = await houses.superuser.fetchval("select id from survivor_alias where survivor_id = $1", survivor_id)
    async with houses.app.transaction(actor) as session:
        await remove_alias(session, actor, alias_id, keyring=houses.keyring, now=present())
        correction = Correction(family_name="Rightname")
        await correct_survivor(session, actor, survivor_id, correction, keyring=houses.keyring, now=present())
    assert await search(houses, "zafira") == await search(houses, "wrongname") == []
    assert [one.survivor_id for one in await search(houses, "rightname")] == [survivor_id]


async def test_the_number_of_her_contact_plan_finds_her_until_it_is_another(houses: Houses) -> None:
    actor = houses.ours.coordinator
    survivor_id = await make_survivor(
        houses.app, actor, houses.keyring, new=new_survivor("Planned", "Person", None),
        plan=new_plan(phone="312 555 0171"),
    )  # fmt: skip
    assert [one.survivor_id for one in await search(houses, phone="312 555 0171")] == [survivor_id]
    async with houses.app.transaction(actor) as session:
        plan = new_plan(phone="312 555 0172")
        await keep_contact_plan(session, actor, survivor_id, plan, keyring=houses.keyring, now=present())
    assert await search(houses, phone="312 555 0171") == []


@pytest.mark.rule("C5")
@pytest.mark.rule("C6")
async def test_another_agency_finds_nobody_of_ours_and_shares_no_hash(houses: Houses, guadalupe: UUID) -> None:
    assert await search(houses, "garcia guadalupe", houses.theirs.coordinator) == []
    twin = await make_survivor(houses.app, houses.theirs.coordinator, houses.keyring, new=ROSA)
    (found,) = await search(houses, "garcia guadalupe", houses.theirs.coordinator)
    assert found.survivor_id == twin
    shared = await houses.superuser.fetchval(
        "select count(*) from survivor_search_key ours join survivor_search_key theirs using (hash)"
        " where ours.agency_id <> theirs.agency_id"
    )
    assert shared == 0


@pytest.mark.rule("U1")
@pytest.mark.rule("U3")
async def test_the_trail_has_who_was_found_and_never_what_was_asked(houses: Houses, guadalupe: UUID) -> None:
    await search(houses, "Guadalupe García", born=date(1990, 3, 7))
    row = await houses.superuser.fetchrow(
        "select subject_id, detail from audit_event where action = 'survivors_searched' order by at desc limit 1"
    )
    assert row is not None
    detail = json.loads(row["detail"])
    assert row["subject_id"] == houses.ours.agency_id
    assert set(detail) == {"count", "found"}
    assert str(guadalupe) in detail["found"]


@pytest.mark.rule("A5")
async def test_a_register_is_not_copied_by_searching(houses: Houses, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(hourly_caps.PER_HOUR_MAX, Action.SURVIVORS_SEARCHED, 1)
    theirs = houses.theirs.coordinator
    async with houses.superuser.transaction():
        await houses.superuser.execute("set local session_replication_role = replica")
        await houses.superuser.execute("update audit_event set at = at - interval '2 hours'")
    searches = (search(houses, "nobody", theirs) for _ in range(3))
    outcomes = await asyncio.gather(*searches, return_exceptions=True)
    assert Counter(type(outcome).__name__ for outcome in outcomes) == {"list": 1, "HourlyCapReached": 2}


@pytest.mark.rule("P3")
@pytest.mark.parametrize(
    ("words", "asked", "field"),
    [
        (None, {}, "words"),
        (" - ", {}, "words"),
        ("a" * 201, {}, "words"),
        ("q r s t u v w x z", {}, "words"),
        (None, {"phone": "555"}, "phone"),
    ],
)
async def test_what_asks_nothing_or_too_much_is_refused(
    houses: Houses, words: str | None, asked: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await search(houses, words, **asked)
    assert refused.value.field == field


@pytest.mark.rule("A1")
@pytest.mark.parametrize("role", ["intake", "agency_admin", "network_admin", "auditor"])
async def test_only_coordinators_search(houses: Houses, role: str) -> None:
    with pytest.raises(NotPermitted):
        await search(houses, "garcia", getattr(houses.ours, role))

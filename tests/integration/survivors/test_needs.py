"""Needs are typed and bounded: what is not a code or a small number is not taken."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.exc import DBAPIError

from referralnet.errors import InvalidInput, NotFound
from referralnet.survivors.facts import Fact, open_facts
from referralnet.survivors.needs import (
    Accessibility,
    NeedClosed,
    NeedEnd,
    close_need,
    list_needs,
    record_need,
    update_need,
)
from tests.factories.survivors import Houses, make_survivor, new_need, present


async def needed(houses: Houses, survivor_id: UUID | None = None, **changes: Any) -> tuple[UUID, UUID]:
    """(survivor id, need id), of somebody new unless she is given."""
    actor = houses.ours.coordinator
    survivor_id = survivor_id or await make_survivor(houses.app, actor, houses.keyring)
    async with houses.app.transaction(actor) as session:
        return survivor_id, await record_need(session, actor, survivor_id, new_need(**changes), now=present())


@pytest.mark.parametrize("region", ["US-IL", "MX-CMX", "GB-LND", "606"])
async def test_a_need_is_kept_as_it_was_said(houses: Houses, region: str) -> None:
    both = frozenset({Accessibility.STEP_FREE, Accessibility.SIGN_LANGUAGE})
    _, need_id = await needed(houses, region=region, accessibility=both)
    (row,) = await houses.superuser.fetch("select * from need where id = $1", need_id)
    assert (row["service_type"], row["urgency"], row["region"]) == ("emergency_shelter", "urgent", region)
    assert (row["language"], row["household_size"], row["age_band"]) == ("es", 2, "25_59")
    assert (row["accessibility"], row["immigration_sensitive"]) == (["sign_language", "step_free"], True)


@pytest.mark.rule("P3")
@pytest.mark.rule("R4")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"service_type": "A bed for Ana"}, "service_type"),
        ({"service_type": "vacation"}, "service_type"),
        ({"urgency": "now"}, "urgency"),
        ({"region": "60601"}, "region"),
        ({"region": "Chicago"}, "region"),
        ({"region": "\u0666\u0660\u0666"}, "region"),
        ({"language": "Spanish"}, "language"),
        ({"language": "xx"}, "language"),
        ({"household_size": 0}, "household_size"),
        ({"household_size": 21}, "household_size"),
        ({"age_band": "30"}, "age_band"),
        ({"accessibility": frozenset({"she limps"})}, "accessibility"),
    ],
)
async def test_a_value_that_cannot_be_is_refused_by_its_field(
    houses: Houses, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await needed(houses, **changes)
    assert refused.value.field == field


async def test_a_code_that_is_no_longer_published_is_refused(houses: Houses) -> None:
    await houses.superuser.execute(
        "insert into taxonomy_term (id, package, source_id, code, name, gone_at) "
        "values (gen_random_uuid(), 'made', 'old', 'old_code', 'Old', now())"
    )
    with pytest.raises(InvalidInput) as refused:
        await needed(houses, service_type="old_code")
    assert refused.value.field == "service_type"


async def test_the_need_that_is_asked_for_is_told_and_else_the_newest(houses: Houses) -> None:
    survivor_id, first_id = await needed(houses, language="es")
    _, second_id = await needed(houses, survivor_id, language="ht")
    async with houses.app.transaction(houses.ours.coordinator) as session:
        for need_id, language in ((None, "ht"), (first_id, "es"), (second_id, "ht"), (uuid4(), None)):
            facts = await open_facts(session, survivor_id, {Fact.LANGUAGE}, need_id=need_id, keyring=houses.keyring)
            assert facts.get(Fact.LANGUAGE) == language


@pytest.mark.rule("C6")
async def test_nobody_records_a_need_of_another_agency_s_survivor(houses: Houses) -> None:
    survivor_id, actor = (await needed(houses))[0], houses.theirs.coordinator
    for wanted in (survivor_id, uuid4()):
        async with houses.app.transaction(actor) as session:
            with pytest.raises(NotFound) as refused:
                await record_need(session, actor, wanted, new_need(), now=present())
        assert refused.value.field == "survivor_id"


async def test_a_need_is_said_anew_and_closed_once(houses: Houses) -> None:
    survivor_id, need_id = await needed(houses)
    actor = houses.ours.coordinator
    async with houses.app.transaction(actor) as session:
        await update_need(session, actor, need_id, new_need(language="ht", household_size=3), now=present())
        (need,) = await list_needs(session, actor, survivor_id)
        assert (need.language, need.household_size, need.closed_at) == ("ht", 3, None)
    async with houses.app.transaction(actor) as session:
        await close_need(session, actor, need_id, NeedEnd.MET, now=present())
        (need,) = await list_needs(session, actor, survivor_id)
        assert (need.closed_reason, need.closed_at is not None) == ("met", True)
        with pytest.raises(NeedClosed):
            await close_need(session, actor, need_id, NeedEnd.MET, now=present())
        with pytest.raises(NeedClosed):
            await update_need(session, actor, need_id, new_need(), now=present())


async def test_why_a_need_is_closed_is_a_code(houses: Houses) -> None:
    _, need_id = await needed(houses)
    actor = houses.ours.coordinator
    async with houses.app.transaction(actor) as session:
        with pytest.raises(InvalidInput) as refused:
            await close_need(session, actor, need_id, "Ana has moved", now=present())  # type: ignore[arg-type]
    assert refused.value.field == "reason"


@pytest.mark.rule("C6")
async def test_nobody_changes_another_agency_s_need(houses: Houses) -> None:
    (survivor_id, need_id), actor = await needed(houses), houses.theirs.coordinator
    for wanted in (need_id, uuid4()):
        async with houses.app.transaction(actor) as session:
            with pytest.raises(NotFound) as refused:
                await update_need(session, actor, wanted, new_need(), now=present())
            assert refused.value.field == "need_id"
            with pytest.raises(NotFound):
                await close_need(session, actor, wanted, NeedEnd.MET, now=present())
    async with houses.app.transaction(actor) as session:
        assert await list_needs(session, actor, survivor_id) == []


@pytest.mark.rule("R4")
@pytest.mark.parametrize(
    "assignment",
    [
        "service_type = 'a bed for Ana'",
        "region = '60601'",
        "region = 'Elm Street 5'",
        "language = 'Ana Invented'",
        "accessibility = '{she limps}'",
    ],
)
async def test_no_name_fits_into_a_need_whoever_speaks_sql(houses: Houses, assignment: str) -> None:
    _, need_id = await needed(houses)
    async with houses.app.transaction(houses.ours.coordinator) as session:
        connection = await session.connection()
        with pytest.raises(DBAPIError, match="need_holds_no_free_text"):
            await connection.exec_driver_sql(f"update need set {assignment} where id = '{need_id}'")

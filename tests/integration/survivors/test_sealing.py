"""Identity is unreadable in the database: each value sealed to its own place, nothing in the clear anywhere (P4)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest

from referralnet.consent.categories import Category
from referralnet.consent.disclosures import read_disclosure
from referralnet.database.transactions import Database
from referralnet.encryption.data_keys import KeyGone, destroy_data_key
from referralnet.encryption.sealing import SealBroken
from referralnet.survivors.aliases import AliasKind, NewAlias
from referralnet.survivors.correcting import Correction, correct_survivor
from referralnet.survivors.facts import Fact, open_facts
from referralnet.survivors.notes import NoteCategory, write_note
from referralnet.survivors.phone_numbers import NewPhone, PhoneKind
from referralnet.survivors.revealing import reveal_survivor
from referralnet.survivors.searching import Asked, search_survivors
from tests.factories.consent import Stage, make_case, make_partners
from tests.factories.identity import at_the_desk
from tests.factories.survivors import Houses, make_survivor, new_plan, new_survivor, present, tables_that_show

SEALED = ("given_name", "family_name", "date_of_birth")
CANARIES = (
    "Kanarienvogel", "Lemondrop", "1991-07-23", "yellow warbler", "canary wharf", "13125550187", "Goldammer", "xe/xem",
    "Blue finch 7", "13125550188", "green parrot", "red grouse", "white heron", "Zeisig",
)  # fmt: skip


async def full_survivor(houses: Houses) -> UUID:
    new = new_survivor(safety_note="Not by the river.")
    return await make_survivor(houses.app, houses.ours.coordinator, houses.keyring, new=new, plan=new_plan())


async def move(houses: Houses, table: str, column: str, value: bytes, row_id: UUID) -> None:
    await houses.superuser.execute(f"update {table} set {column} = $1 where id = $2", value, row_id)


@pytest.mark.rule("P4")
@pytest.mark.parametrize("column", SEALED)
async def test_a_value_moved_to_another_column_does_not_open(houses: Houses, column: str) -> None:
    actor, survivor_id = houses.ours.coordinator, await full_survivor(houses)
    neighbour = SEALED[SEALED.index(column) - 1]
    value = await houses.superuser.fetchval(f"select {neighbour}_sealed from survivor where id = $1", survivor_id)
    await move(houses, "survivor", f"{column}_sealed", value, survivor_id)
    async with houses.app.transaction(actor) as session:
        with pytest.raises(SealBroken):
            await open_facts(session, survivor_id, {Fact(column)}, keyring=houses.keyring)


@pytest.mark.rule("P4")
async def test_a_value_moved_to_another_survivor_s_row_does_not_open_even_under_the_same_key(houses: Houses) -> None:
    actor = houses.ours.coordinator
    first_id, second_id = await full_survivor(houses), await full_survivor(houses)
    value = await houses.superuser.fetchval("select given_name_sealed from survivor where id = $1", first_id)
    await move(houses, "survivor", "given_name_sealed", value, second_id)
    await houses.superuser.execute(
        "update survivor set data_key_id = (select data_key_id from survivor where id = $1) where id = $2",
        first_id,
        second_id,
    )
    async with houses.app.transaction(actor) as session:
        with pytest.raises(SealBroken):
            await open_facts(session, second_id, {Fact.GIVEN_NAME}, keyring=houses.keyring)


@pytest.mark.rule("P4")
async def test_two_survivors_of_one_name_share_no_ciphertext(houses: Houses) -> None:
    both = [await full_survivor(houses), await full_survivor(houses)]
    differing = await houses.superuser.fetchval(
        """
        select (count(distinct given_name_sealed), count(distinct family_name_sealed), count(distinct data_key_id))
        from survivor where id = any ($1)
        """,
        both,
    )
    assert differing == (2, 2, 2)


@pytest.mark.rule("P4")
async def test_without_her_key_a_survivor_cannot_be_read_by_anybody(houses: Houses) -> None:
    actor, survivor_id = houses.ours.coordinator, await full_survivor(houses)
    key_id = await houses.superuser.fetchval("select data_key_id from survivor where id = $1", survivor_id)
    async with houses.app.transaction(actor) as session:
        await destroy_data_key(session, key_id, now=present())
    async with houses.app.transaction(actor) as session:
        with pytest.raises(KeyGone):
            await reveal_survivor(session, actor, survivor_id, keyring=houses.keyring, now=present())


@pytest.mark.rule("P4")
@pytest.mark.rule("C5")
async def test_no_table_shows_a_canary_in_the_clear(owner: Database, houses: Houses) -> None:
    stage = Stage(houses.app, houses.superuser, houses.keyring, await make_partners(owner, houses.keyring))
    survivor_id = await make_survivor(
        houses.app,
        stage.partners.custodian.coordinator,
        houses.keyring,
        new=replace(
            new_survivor("Zeisig", "Lemondrop", date(1991, 7, 23), "yellow warbler"),
            pronouns="xe/xem",
            case_label="Blue finch 7",
            aliases=(NewAlias("Goldammer", AliasKind.ALSO_USED),),
            phones=(NewPhone("+1 312 555 0188", PhoneKind.SHARED, safe=False),),
        ),
        plan=new_plan(phone="+1 312 555 0187", code_phrase="canary wharf"),
    )
    actor = stage.partners.custodian.coordinator
    async with houses.app.transaction(actor) as session:
        correction = Correction(given_name="Kanarienvogel", keep_former_name=True)
        await correct_survivor(session, actor, survivor_id, correction, keyring=houses.keyring, now=present())
        for category, words in (("legal", "green parrot"), ("medical", "red grouse"), ("general", "white heron")):
            await write_note(
                session, actor, survivor_id, NoteCategory(category), words, after_version=0,
                keyring=houses.keyring, now=present(),
            )  # fmt: skip
        asked = Asked("Kanarienvogel Lemondrop", "+1 312 555 0188", date(1991, 7, 23))
        (found,) = await search_survivors(session, actor, asked, keyring=houses.keyring)
        assert found.survivor_id == survivor_id
    case = await make_case(stage, survivor_id=survivor_id, categories=frozenset(Category))
    reader = await at_the_desk(stage.app, stage.partners.recipient.intake)
    async with houses.app.transaction(reader) as session:
        told = await read_disclosure(session, reader, case.referral_id, keyring=houses.keyring, now=present())
    assert told.categories[Category.IDENTITY]["given_name"] == "Kanarienvogel"
    assert told.categories[Category.LEGAL] == {"legal_note": "green parrot"}
    assert "white heron" not in str(told.categories), "the general note is disclosed to nobody"
    assert await tables_that_show(houses.superuser, *CANARIES) == set()
    # The search does find what stands in the clear, as text and as bytes.
    await houses.superuser.execute(
        "update survivor_note set text_sealed = $1 where survivor_id = $2", b"a Yellow Warbler".lower(), survivor_id
    )
    assert await tables_that_show(houses.superuser, *CANARIES) == {"public.survivor_note"}

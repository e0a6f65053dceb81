"""Records without search hashes are found again after the operator has had them made; nobody else's change."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import make_url
from typer.testing import CliRunner

from referralnet.cli import app as cli
from referralnet.database.acting import Member, Operator
from referralnet.database.transactions import Database
from referralnet.encryption.held_keyring import HeldKeyring
from referralnet.survivors.aliases import AliasKind, NewAlias
from referralnet.survivors.indexing import FIRST, index_batch
from referralnet.survivors.likeness import LooksAlike
from referralnet.survivors.phone_numbers import NewPhone, PhoneKind
from referralnet.survivors.recording import record_survivor
from referralnet.survivors.searching import Asked, search_survivors
from tests.databases import DatabaseUrls, Server
from tests.factories.referrals import run
from tests.factories.survivors import Houses, make_survivor, new_survivor, present


def backup_url(postgres: Server, database_urls: DatabaseUrls) -> str:
    """As a role that row security does not bind."""
    return postgres.url("postgres", str(make_url(database_urls.owner).database))


@pytest.fixture
def environment(postgres: Server, database_urls: DatabaseUrls, keyring: HeldKeyring) -> dict[str, str]:
    return {
        "REFERRALNET_DATABASE_BACKUP_URL": backup_url(postgres, database_urls),
        "REFERRALNET_KEYRING": keyring.dump(),
    }


async def index(environment: dict[str, str]) -> str:
    """Run the command as the operator does; in a thread, because it has an event loop of its own."""
    result = await asyncio.to_thread(CliRunner(env=environment).invoke, cli, ["survivors", "index"])
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


async def found(houses: Houses, actor: Member, words: str) -> list[UUID]:
    rows = await run(houses.app, actor, search_survivors, Asked(words), keyring=houses.keyring)
    return [row.survivor_id for row in rows]


@pytest_asyncio.fixture
async def forgotten(houses: Houses) -> UUID:
    """A record as from before there was a search."""
    survivor_id = await make_survivor(
        houses.app, houses.ours.coordinator, houses.keyring, new=new_survivor("Perpetua", "Unindexed")
    )
    await houses.superuser.execute("delete from survivor_search_key where survivor_id = $1", survivor_id)
    return survivor_id


@pytest.mark.rule("C5")
async def test_who_had_no_hashes_is_found_again_by_her_own_agency_alone(
    houses: Houses, environment: dict[str, str], forgotten: UUID
) -> None:
    ours, theirs = houses.ours.coordinator, houses.theirs.coordinator
    assert await found(houses, ours, "perpetua unindexed") == []
    made = await index(environment)
    assert made == "1 records can be found again; of 0 the key is not here."
    assert await found(houses, ours, "perpetua unindexed") == [forgotten]
    assert await found(houses, theirs, "perpetua unindexed") == []
    with pytest.raises(LooksAlike):
        await run(
            houses.app, ours, record_survivor, new_survivor("Perpetua", "Unindexed"), keyring=houses.keyring,
            now=present(),
        )  # fmt: skip
    assert await index(environment) == "0 records can be found again; of 0 the key is not here."


async def test_the_hashes_are_those_that_recording_had_made(houses: Houses, environment: dict[str, str]) -> None:
    new = replace(
        new_survivor("Ines", "Rehashed"),
        aliases=(NewAlias("Nena", AliasKind.NICKNAME),),
        phones=(NewPhone("312 555 0177", PhoneKind.OWN, safe=True),),
    )
    survivor_id = await make_survivor(houses.app, houses.ours.coordinator, houses.keyring, new=new)
    hashes = "select kind, hash from survivor_search_key where survivor_id = $1 order by kind, hash"
    before = await houses.superuser.fetch(hashes, survivor_id)
    await houses.superuser.execute("delete from survivor_search_key where survivor_id = $1", survivor_id)
    await index(environment)
    assert await houses.superuser.fetch(hashes, survivor_id) == before
    assert {row["kind"] for row in before} >= {"name", "phone", "birth", "label"}


@pytest.mark.rule("P4")
async def test_whose_key_is_gone_is_passed_over_and_the_others_are_not(
    houses: Houses, environment: dict[str, str], forgotten: UUID
) -> None:
    gone = await make_survivor(houses.app, houses.ours.coordinator, houses.keyring)
    await houses.superuser.execute("delete from survivor_search_key where survivor_id = $1", gone)
    await houses.superuser.execute(
        "update keystore.data_key set wrapped = null, destroyed_at = now()"
        " where id = (select data_key_id from survivor where id = $1)", gone,
    )  # fmt: skip
    try:
        assert await index(environment) == "1 records can be found again; of 1 the key is not here."
        assert forgotten in await found(houses, houses.ours.coordinator, "perpetua unindexed")
    finally:
        await houses.superuser.execute("delete from survivor where id = $1", gone)


async def test_a_batch_goes_on_where_the_last_one_ended(
    houses: Houses, postgres: Server, database_urls: DatabaseUrls
) -> None:
    made = [await make_survivor(houses.app, houses.ours.coordinator, houses.keyring) for _ in range(3)]
    await houses.superuser.execute("delete from survivor_search_key where survivor_id = any ($1)", made)
    database, after, steps = Database(backup_url(postgres, database_urls)), FIRST, []
    while True:
        async with database.transaction(Operator()) as session:
            done = await index_batch(session, houses.keyring, after=after, survivors_max=2)
        steps.append(done.indexed)
        if done.last is None:
            break
        after = done.last
    await database.close()
    assert steps == [2, 1, 0]


def test_without_the_role_that_sees_all_records_nothing_is_tried(environment: dict[str, str]) -> None:
    keyring = {"REFERRALNET_KEYRING": environment["REFERRALNET_KEYRING"]}
    result = CliRunner(env=keyring).invoke(cli, ["survivors", "index"])
    assert result.exit_code == 1
    assert "REFERRALNET_DATABASE_BACKUP_URL is not set" in result.output

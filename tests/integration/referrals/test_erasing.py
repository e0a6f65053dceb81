"""A survivor is erased: nothing of hers is left or opens, but for counts in the trail, and never by mistake."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referralnet.consent.disclosures import read_disclosure
from referralnet.consent.ending import Via
from referralnet.consent.refusals import NoLiveRelease
from referralnet.database.acting import Custodian, Member, Role
from referralnet.database.transactions import Database
from referralnet.encryption.data_keys import KeyGone, destroy_data_key
from referralnet.encryption.held_keyring import HeldKeyring
from referralnet.encryption.lookup import lookup_hash
from referralnet.errors import InvalidInput, NotFound, NotPermitted, Refusal
from referralnet.identity.step_up import StepUpNeeded
from referralnet.referrals.answering import accept
from referralnet.referrals.erasing import CONFIRMATION, Erasure, erase_survivor
from referralnet.survivors.contact_plans import keep_contact_plan
from referralnet.survivors.revealing import reveal_survivor
from tests.databases import DatabaseUrls
from tests.factories.referrals import Network, Sent, make_network, present, run, send
from tests.factories.survivors import connect_as_superuser, new_plan, tables_that_show

LINES = itertools.count(100)


class House:
    """A network in which a survivor was referred, and whoever may look past row security."""

    def __init__(
        self,
        app: Database,
        superuser: asyncpg.Connection,
        keyring: HeldKeyring,
        network: Network,
        sent: Sent,
        phone: str,
    ) -> None:
        self.app, self.superuser, self.keyring = app, superuser, keyring
        self.network, self.sent, self.phone = network, sent, phone

    async def erase(self, actor: Member | None = None, confirmation: str = CONFIRMATION) -> Erasure:
        return await run(
            self.app,
            actor or self.network.coordinator,
            erase_survivor,
            self.sent.survivor_id,
            confirmation=confirmation,
            via=Via.ORAL,
            now=present(),
        )

    async def add_text(self, state: str, sid: str | None = None) -> UUID:
        text_id = uuid4()
        await self.superuser.execute(
            """
            insert into text_message (id, agency_id, survivor_id, subject_id, kind, priority, due_at, claimable_at,
              send_before, occurrence, state, state_at, carrier_sid, to_sealed, body_sealed, created_at)
            values ($1, $2, $3, $4, 'appointment_set', 1, $5, $5, $6, '{"a": 1}', $7, $5, $8, $9, $9, $5)
            """,
            text_id, self.network.coordinator.agency_id, self.sent.survivor_id, uuid4(), present(),
            present() + timedelta(hours=1), state, sid, b"sealed",
        )  # fmt: skip
        return text_id

    async def row(self, query: str, *values: object) -> Any:
        return await self.superuser.fetchrow(query, *values)

    async def keys_left(self) -> int:
        found: int = await self.superuser.fetchval(
            "select count(*) from keystore.data_key where agency_id = $1 and wrapped is not null",
            self.network.coordinator.agency_id,
        )
        return found


@pytest_asyncio.fixture
async def house(
    app: Database, owner: Database, database_urls: DatabaseUrls, keyring: HeldKeyring
) -> AsyncIterator[House]:
    network, phone = await make_network(owner), f"+1312555{next(LINES):04d}"
    superuser = await connect_as_superuser(database_urls)
    sent = await send(app, network, keyring, now=present())
    await run(app, network.intake, accept, sent.id, now=present())
    await run(
        app,
        network.coordinator,
        keep_contact_plan,
        sent.survivor_id,
        new_plan(phone=phone),
        keyring=keyring,
        now=present(),
    )
    yield House(app, superuser, keyring, network, sent, phone)
    await superuser.close()


@pytest.mark.rule("P4")
async def test_nothing_of_her_is_left_but_ids_and_counts_in_the_trail(house: House, keyring: HeldKeyring) -> None:
    survivor_id, number = str(house.sent.survivor_id), lookup_hash(keyring, "phone", house.phone).hex()
    before = await tables_that_show(house.superuser, survivor_id)
    assert before >= {"public.survivor", "public.contact_plan", "public.need", "public.survivor_referral"}
    assert await tables_that_show(house.superuser, number) == {"public.contact_plan"}
    erasure = await house.erase()
    assert (erasure.releases_ended, erasure.referrals_closed, erasure.keys_destroyed) == (1, 1, 2)
    assert await tables_that_show(house.superuser, survivor_id) == {"public.audit_event"}
    assert await tables_that_show(house.superuser, number, house.phone) == set()
    detail = await house.superuser.fetchval(
        "select detail::text from audit_event where action = 'survivor_erased' and subject_id = $1",
        house.sent.survivor_id,
    )
    assert detail == '{"via": "oral", "keys": 2, "texts": 0, "releases": 1, "referrals": 1}'


@pytest.mark.rule("P4")
async def test_what_others_hold_of_her_opens_no_more(house: House) -> None:
    intake = house.network.intake
    read = await run(house.app, intake, read_disclosure, house.sent.id, keyring=house.keyring, now=present())
    assert read.categories
    await house.erase()
    with pytest.raises(NoLiveRelease):
        await run(house.app, intake, read_disclosure, house.sent.id, keyring=house.keyring, now=present())
    status = await house.superuser.fetchval("select status from referral where id = $1", house.sent.id)
    assert status == "cancelled"


@pytest.mark.rule("P4")
async def test_a_backup_of_the_data_with_the_keyring_does_not_open_her_and_one_of_the_keys_does(house: House) -> None:
    """What was kept is put back by hand, past every trigger and policy."""
    row = await house.row("select * from survivor where id = $1", house.sent.survivor_id)
    key = await house.row("select * from keystore.data_key where id = $1", row["data_key_id"])
    await house.erase()

    async def put_back(table: str, kept: asyncpg.Record) -> None:
        await house.superuser.execute("set session_replication_role = replica")
        await house.superuser.execute(f"delete from {table} where id = $1", kept["id"])
        places = ", ".join(f"${number}" for number in range(1, len(kept) + 1))
        await house.superuser.execute(f"insert into {table} values ({places})", *kept.values())

    async def reveal() -> str:
        shown = await run(
            house.app,
            house.network.coordinator,
            reveal_survivor,
            house.sent.survivor_id,
            keyring=house.keyring,
            now=present(),
        )
        return shown.given_name

    with pytest.raises(NotFound):
        await reveal()
    await put_back("survivor", row)
    with pytest.raises(KeyGone):
        await reveal()
    await put_back("keystore.data_key", key)
    assert await reveal() == "Ana"


@pytest.mark.rule("P4")
async def test_a_text_that_never_left_goes_and_one_that_did_names_nobody(house: House) -> None:
    gone = [await house.add_text(state) for state in ("scheduled", "held", "cancelled", "expired")]
    stays = {
        await house.add_text("accepted", f"SM{uuid4().hex}"): "accepted",
        await house.add_text("unknown"): "failed",
    }
    await house.erase()
    rows = await house.superuser.fetch("select * from text_message where id = any ($1)", [*gone, *stays])
    assert {row["id"]: row["state"] for row in rows} == stays
    for row in rows:
        assert (row["agency_id"], row["survivor_id"], row["to_sealed"], row["body_sealed"], row["occurrence"]) == (
            None, None, None, None, "{}",
        )  # fmt: skip


@pytest.mark.rule("P4")
async def test_what_her_number_wrote_is_forgotten_and_that_it_said_stop_is_not(
    house: House, keyring: HeldKeyring, worker: Database
) -> None:
    lookup = lookup_hash(keyring, "phone", house.phone)
    inbound_id = uuid4()
    await house.superuser.execute(
        """insert into inbound_text (id, carrier_sid, from_lookup, from_sealed, body_sealed, received_at, handled_at)
           values ($1, $2, $3, 'a', 'b', now(), now())""",
        inbound_id, inbound_id.hex, lookup,
    )  # fmt: skip
    await house.superuser.execute(
        "insert into suppression (phone_lookup, since, via) values ($1, now(), 'text') on conflict do nothing", lookup
    )
    await house.erase()
    assert await tables_that_show(house.superuser, lookup.hex()) == {"public.suppression"}
    await house.superuser.execute("delete from suppression")


@pytest.mark.rule("P4")
@pytest.mark.parametrize(
    ("change", "confirmation", "refusal"),
    [
        ({"stepped_up_at": None}, CONFIRMATION, StepUpNeeded),
        ({"stepped_up_at": present() - timedelta(minutes=6)}, CONFIRMATION, StepUpNeeded),
        ({"roles": frozenset({Role.INTAKE})}, CONFIRMATION, NotPermitted),
        ({"roles": frozenset({Role.AGENCY_ADMIN})}, CONFIRMATION, NotPermitted),
        ({}, "erase", InvalidInput),
        ({}, "", InvalidInput),
    ],
)
async def test_it_is_not_done_by_mistake(
    house: House, change: dict[str, object], confirmation: str, refusal: type[Refusal]
) -> None:
    left = await house.keys_left()
    with pytest.raises(refusal):
        await house.erase(dataclasses.replace(house.network.coordinator, **change), confirmation)  # type: ignore[arg-type]
    assert await house.keys_left() == left


@pytest.mark.rule("P4")
async def test_another_agency_erases_nobody_and_learns_nothing(house: House) -> None:
    for stranger in (house.network.outsider, house.network.other_intake):
        with pytest.raises(NotFound):
            await house.erase(stranger)
    await house.erase()
    with pytest.raises(NotFound):
        await house.erase(house.network.outsider)


async def test_of_two_at_once_one_erases(house: House) -> None:
    results = await asyncio.gather(house.erase(), house.erase(), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Erasure", "NotFound"]


@pytest.mark.rule("P4")
async def test_a_row_is_not_deleted_while_anything_of_hers_opens(house: House) -> None:
    actor, own = house.network.coordinator, text("delete from survivor where id = :id returning id")
    keys = await house.row(
        """select survivor.data_key_id as hers, release.data_key_id as released from survivor, release
           where survivor.id = $1 and release.id = $2""",
        house.sent.survivor_id, house.sent.release_id,
    )  # fmt: skip
    for key_id in (None, keys["hers"]):
        async with house.app.transaction(actor) as session:
            if key_id is not None:
                await destroy_data_key(session, key_id, now=present())
            assert await session.scalar(own, {"id": house.sent.survivor_id}) is None
    async with house.app.transaction(actor) as session:
        await destroy_data_key(session, keys["released"], now=present())
        assert await session.scalar(own, {"id": house.sent.survivor_id}) == house.sent.survivor_id


@pytest.mark.rule("P4")
async def test_neither_an_intake_worker_nor_the_worker_deletes_a_row(house: House, worker: Database) -> None:
    intake = dataclasses.replace(house.network.coordinator)
    await house.superuser.execute("update member set roles = '{intake}' where id = $1", intake.member_id)
    try:
        async with house.app.transaction(intake) as session:
            keys = await session.scalars(text("select id from keystore.data_key where wrapped is not null"))
            for key_id in list(keys):
                await destroy_data_key(session, key_id, now=present())
            found = await session.scalar(text("delete from survivor returning id"))
            assert found is None
            await session.rollback()
    finally:
        await house.superuser.execute(
            "update member set roles = '{coordinator,intake}' where id = $1", intake.member_id
        )
    with pytest.raises(DBAPIError, match="permission denied"):
        async with worker.transaction(Custodian(house.network.coordinator.agency_id)) as session:
            await session.execute(text("delete from survivor"))


@pytest.mark.rule("P4")
async def test_every_table_that_hangs_on_a_survivor_goes_with_her(house: House) -> None:
    """A new table says `on delete cascade`; only texts, which a carrier may still report on, are cut from her."""
    rows = await house.superuser.fetch("""
        with recursive hers (id) as (
          select 'survivor'::regclass::oid
          union
          select conrelid from pg_constraint join hers on confrelid = hers.id
          where contype = 'f' and conrelid <> 'text_message'::regclass
        )
        select conrelid::regclass::text as name, confdeltype::text as on_delete
        from pg_constraint join hers on confrelid = hers.id where contype = 'f'
    """)
    kept = {row["name"] for row in rows if row["on_delete"] != "c"}
    assert {row["name"] for row in rows} >= {"contact_plan", "need", "survivor_release", "survivor_referral"}
    assert kept == {"text_message"}

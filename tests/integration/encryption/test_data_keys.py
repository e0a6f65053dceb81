"""Data keys in the database: wrapped, readable by their custodian alone, and gone once destroyed."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referralnet.clock import FixedClock
from referralnet.database.acting import Custodian, Dispatcher, Nobody, Role
from referralnet.database.transactions import Database
from referralnet.encryption.data_keys import KeyGone, KeyPurpose, create_data_key, destroy_data_key, load_data_key
from referralnet.encryption.held_keyring import HeldKeyring
from referralnet.encryption.sealing import DataKey, open_sealed, seal
from tests.factories.identity import MadeMember, make_agency, make_member

PLACE = "survivor.given_name_sealed:1"


@pytest_asyncio.fixture(scope="module")
async def coordinator(owner: Database, keyring: HeldKeyring) -> MadeMember:
    return await make_member(owner, keyring, await make_agency(owner))


async def create(app: Database, keyring: HeldKeyring, made: MadeMember, clock: FixedClock) -> DataKey:
    async with app.transaction(made.actor) as session:
        return await create_data_key(
            session, keyring, agency_id=made.actor.agency_id, purpose=KeyPurpose.SURVIVOR, now=clock.now()
        )


async def stored(app: Database, made: MadeMember, key_id: UUID) -> tuple[bytes | None, str]:
    async with app.transaction(made.actor) as session:
        select = text("select wrapped, wrapping_key_id from keystore.data_key where id = :id")
        row = (await session.execute(select, {"id": key_id})).one()
        return row.wrapped, row.wrapping_key_id


@pytest.mark.rule("P4")
async def test_a_key_is_stored_wrapped_and_loads_again(
    app: Database, keyring: HeldKeyring, coordinator: MadeMember, clock: FixedClock
) -> None:
    key = await create(app, keyring, coordinator, clock)
    wrapped, wrapping_key_id = await stored(app, coordinator, key.id)
    assert wrapped is not None
    assert key.material not in wrapped
    assert wrapping_key_id == keyring.current_key_id
    async with app.transaction(coordinator.actor) as session:
        assert await load_data_key(session, keyring, key.id) == key


async def test_the_worker_loads_it_in_the_custody_of_its_agency_alone(
    app: Database, worker: Database, keyring: HeldKeyring, coordinator: MadeMember, clock: FixedClock
) -> None:
    key = await create(app, keyring, coordinator, clock)
    async with worker.transaction(Custodian(coordinator.actor.agency_id)) as session:
        assert await load_data_key(session, keyring, key.id) == key
    for stranger in (Custodian(uuid4()), Dispatcher()):
        async with worker.transaction(stranger) as session:
            with pytest.raises(KeyGone):
                await load_data_key(session, keyring, key.id)


async def test_nobody_else_loads_it(
    app: Database, owner: Database, keyring: HeldKeyring, coordinator: MadeMember, clock: FixedClock
) -> None:
    key = await create(app, keyring, coordinator, clock)
    stranger = await make_member(owner, keyring, await make_agency(owner))
    auditor = await make_member(owner, keyring, coordinator.actor.agency_id, [Role.AUDITOR, Role.AGENCY_ADMIN])
    for actor in (stranger.actor, auditor.actor, Nobody()):
        async with app.transaction(actor) as session:
            with pytest.raises(KeyGone):
                await load_data_key(session, keyring, key.id)


@pytest.mark.rule("P4")
async def test_a_destroyed_key_opens_nothing_and_leaves_no_bytes(
    app: Database, keyring: HeldKeyring, coordinator: MadeMember, clock: FixedClock
) -> None:
    key = await create(app, keyring, coordinator, clock)
    sealed = seal(key, "Inés", PLACE)
    async with app.transaction(coordinator.actor) as session:
        loaded = await load_data_key(session, keyring, key.id)
        assert open_sealed(loaded, sealed, PLACE) == "Inés"
        await destroy_data_key(session, key.id, now=clock.now())
    assert (await stored(app, coordinator, key.id))[0] is None
    async with app.transaction(coordinator.actor) as session:
        with pytest.raises(KeyGone):
            await load_data_key(session, keyring, key.id)
        await destroy_data_key(session, key.id, now=clock.now())


async def test_who_cannot_see_a_key_is_not_told_that_it_was_destroyed(
    app: Database, owner: Database, keyring: HeldKeyring, coordinator: MadeMember, clock: FixedClock
) -> None:
    key = await create(app, keyring, coordinator, clock)
    stranger = await make_member(owner, keyring, await make_agency(owner))
    async with app.transaction(stranger.actor) as session:
        for key_id in (key.id, uuid4()):
            with pytest.raises(KeyGone):
                await destroy_data_key(session, key_id, now=clock.now())
    async with app.transaction(coordinator.actor) as session:
        assert await load_data_key(session, keyring, key.id) == key


async def test_a_rolled_back_destruction_destroys_nothing(
    app: Database, keyring: HeldKeyring, coordinator: MadeMember, clock: FixedClock
) -> None:
    key = await create(app, keyring, coordinator, clock)

    async def destroy_and_crash() -> None:
        async with app.transaction(coordinator.actor) as session:
            await destroy_data_key(session, key.id, now=clock.now())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await destroy_and_crash()
    async with app.transaction(coordinator.actor) as session:
        assert await load_data_key(session, keyring, key.id) == key


async def test_a_key_wrapped_before_a_rotation_still_loads(
    app: Database, keyring: HeldKeyring, coordinator: MadeMember, clock: FixedClock
) -> None:
    key = await create(app, keyring, coordinator, clock)
    newer = HeldKeyring.generate("newer")
    rotated = HeldKeyring("newer", keyring.wrapping_keys | newer.wrapping_keys, keyring.root)
    async with app.transaction(coordinator.actor) as session:
        assert await load_data_key(session, rotated, key.id) == key
    later = await create(app, rotated, coordinator, clock)
    assert (await stored(app, coordinator, later.id))[1] == "newer"


@pytest.mark.rule("P4")
async def test_a_backup_of_the_data_can_leave_the_keys_out(owner: Database) -> None:
    """Every column that stores a wrapped key stands in the keystore schema, which pg_dump leaves out by name."""
    async with owner.transaction(Nobody()) as session:
        found = await session.execute(
            text("select table_schema, table_name from information_schema.columns where column_name like '%wrapped%'")
        )
    assert {tuple(row) for row in found} == {("keystore", "data_key")}


@pytest.mark.rule("P4")
async def test_a_destroyed_key_cannot_be_put_back_by_whoever_kept_a_copy(
    app: Database, keyring: HeldKeyring, coordinator: MadeMember, clock: FixedClock
) -> None:
    key = await create(app, keyring, coordinator, clock)
    async with app.transaction(coordinator.actor) as session:
        await destroy_data_key(session, key.id, now=clock.now())
    with pytest.raises(DBAPIError, match="stays destroyed"):
        async with app.transaction(coordinator.actor) as session:
            await session.execute(
                text("update keystore.data_key set wrapped = :copy, destroyed_at = null where id = :id"),
                {"copy": (await keyring.wrap(key)).ciphertext, "id": key.id},
            )

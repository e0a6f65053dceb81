"""Beds are counted by those who keep them, held once, and given back by whoever ends the referral (R2)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.database.acting import Actor, Custodian, Member, Operator, Role
from referralnet.database.transactions import Database
from referralnet.directory.capacity import Held, NoCapacity, confirm_capacity, hold_units, list_counts
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput, NotFound, NotPermitted
from tests.factories.directory import EVENING, Keeper
from tests.factories.identity import make_member


async def beds(owner: Database, service: str = "Tonight at Lantern House") -> tuple[UUID, UUID]:
    """(service id, id of its count of beds)."""
    async with owner.transaction(Operator()) as session:
        rows = await session.execute(
            text("""
                select service.id, capacity.id as capacity_id from service_capacity capacity
                  join service on service.id = capacity.service_id join unit on unit.id = capacity.unit_id
                 where service.name = :service order by unit.name limit 1
            """),
            {"service": service},
        )
        row = rows.one()
        return row.id, row.capacity_id


async def hold(session: AsyncSession, service_id: UUID, household_size: int = 1) -> Held | None:
    """Hold what a household needs of a service, as an acceptance does; None where it counts nothing."""
    entry = text("select service_at_location_id from directory_listing where service_id = :service limit 1")
    counts = await list_counts(session, UUID(str(await session.scalar(entry, {"service": service_id}))))
    return await hold_units(session, counts, household_size=household_size) if counts else None


async def set_units(owner: Database, service_id: UUID, available: int) -> None:
    """So many units of the first kind, and none of any other."""
    async with owner.transaction(Operator()) as session:
        await session.execute(
            text("""
                with first as (select min(id::text)::uuid as id from service_capacity where service_id = :service)
                update service_capacity set held = 0,
                       available = case when id = (select id from first) then cast(:available as int) else 0 end
                 where service_id = :service
            """),
            {"service": service_id, "available": available},
        )


async def units(owner: Database, service_id: UUID) -> tuple[int, int]:
    """(available, held) of all kinds together."""
    async with owner.transaction(Operator()) as session:
        rows = await session.execute(
            text("select sum(available)::int, sum(held)::int from service_capacity where service_id = :id"),
            {"id": service_id},
        )
        available, held = rows.one()
        return available, held


async def test_an_intake_worker_counts_her_own_beds(app: Database, owner: Database, keeper: Keeper) -> None:
    _service, capacity = await beds(owner)
    now = EVENING + timedelta(minutes=5)
    async with app.transaction(keeper.intake) as session:
        await confirm_capacity(session, keeper.intake, capacity, 3, now=now)
        counted = text("select available, updated from service_capacity where id = :id")
        assert tuple((await session.execute(counted, {"id": capacity})).one()) == (3, now)


async def test_nobody_counts_the_beds_of_another_agency(
    app: Database, owner: Database, keyring: Keyring, keeper: Keeper
) -> None:
    _service, capacity = await beds(owner, "Refugio Madreselva")
    with pytest.raises(NotFound):
        async with app.transaction(keeper.intake) as session:
            await confirm_capacity(session, keeper.intake, capacity, 3, now=EVENING)


async def test_a_coordinator_does_not_count_beds_not_even_in_the_database(
    app: Database, owner: Database, keyring: Keyring, keeper: Keeper
) -> None:
    _service, capacity = await beds(owner)
    coordinator = (await make_member(owner, keyring, keeper.agency_id, [Role.COORDINATOR])).actor
    with pytest.raises(NotPermitted):
        async with app.transaction(coordinator) as session:
            await confirm_capacity(session, coordinator, capacity, 3, now=EVENING)
    async with app.transaction(coordinator) as session:
        changed = await session.execute(text("update service_capacity set available = 9 returning id"))
        assert changed.all() == []


@pytest.mark.parametrize("available", [-1, 10_001, 13])
async def test_a_count_that_cannot_be_is_refused_by_name(
    app: Database, owner: Database, keeper: Keeper, available: int
) -> None:
    _service, capacity = await beds(owner)
    with pytest.raises(InvalidInput) as refused:
        async with app.transaction(keeper.intake) as session:
            await confirm_capacity(session, keeper.intake, capacity, available, now=EVENING)
    assert refused.value.field == "available"


async def test_a_capacity_that_does_not_exist_is_not_found(app: Database, keeper: Keeper) -> None:
    with pytest.raises(NotFound):
        async with app.transaction(keeper.intake) as session:
            await confirm_capacity(session, keeper.intake, uuid4(), 1, now=EVENING)


@pytest.mark.rule("R2")
async def test_of_many_who_want_the_last_bed_one_gets_it(app: Database, owner: Database, keeper: Keeper) -> None:
    service, _capacity = await beds(owner)
    await set_units(owner, service, 1)

    async def accept() -> bool:
        try:
            async with app.transaction(keeper.intake) as session:
                held = await hold(session, service)
                await asyncio.sleep(0.02)
                return held is not None
        except NoCapacity:
            return False

    outcomes = await asyncio.gather(*(accept() for _ in range(6)))
    assert sorted(outcomes) == [False] * 5 + [True]
    assert await units(owner, service) == (0, 1)


async def test_a_service_that_counts_nothing_holds_nothing(app: Database, owner: Database, keeper: Keeper) -> None:
    async with owner.transaction(Operator()) as session:
        service = await session.scalar(text("select id from service where name = 'Listening Line'"))
    async with app.transaction(keeper.intake) as session:
        assert await hold(session, UUID(str(service))) is None


@pytest.mark.rule("R2")
async def test_another_agency_holds_no_bed(app: Database, owner: Database, keeper: Keeper, stranger: Member) -> None:
    service, _capacity = await beds(owner)
    await set_units(owner, service, 2)
    with pytest.raises(NoCapacity):
        async with app.transaction(stranger) as session:
            await hold(session, service)
    assert await units(owner, service) == (2, 0)


@pytest.mark.rule("R2")
async def test_nobody_frees_a_bed_but_the_end_of_the_referral_that_held_it(
    app: Database, worker: Database, owner: Database, keeper: Keeper, stranger: Member
) -> None:
    service, _capacity = await beds(owner)
    await set_units(owner, service, 2)
    async with app.transaction(keeper.intake) as session:
        held = await hold(session, service)
    assert held is not None
    actors: list[tuple[Database, Actor]] = [
        (app, stranger), (app, keeper.intake), (worker, Custodian(stranger.agency_id))
    ]  # fmt: skip
    for database, actor in actors:
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with database.transaction(actor) as session:
                await session.execute(text("select directory_free_units(:id, 1)"), {"id": held.capacity_id})
    assert await units(owner, service) == (1, 1)


async def test_holding_a_bed_makes_its_count_no_fresher(app: Database, owner: Database, keeper: Keeper) -> None:
    service, _capacity = await beds(owner)
    await set_units(owner, service, 1)
    async with app.transaction(keeper.intake) as session:
        told = text("select max(updated) from service_capacity where service_id = :id")
        before = await session.scalar(told, {"id": service})
        await hold(session, service)
        assert await session.scalar(told, {"id": service}) == before


@pytest.mark.rule("R2")
async def test_a_family_is_held_a_family_room_before_beds_and_one_person_a_bed(
    app: Database, owner: Database, keeper: Keeper
) -> None:
    service, beds_id = await beds(owner)
    async with owner.transaction(Operator()) as session:
        await session.execute(
            text("""
                update service_capacity set held = 0, available = case when id = :beds then 5 else 1 end
                 where service_id = :service
            """),
            {"service": service, "beds": beds_id},
        )
    async with app.transaction(keeper.intake) as session:
        alone, family, next_family = [await hold(session, service, size) for size in (1, 3, 3)]
        assert alone == Held(beds_id, 1)
        assert family is not None
        assert (family.capacity_id != beds_id, family.units) == (True, 1)
        assert next_family == Held(beds_id, 3), "no room is left, and a bed for each is"
        assert await hold(session, service, 3) == Held(beds_id, 1), "who accepts knows how they will manage"
        with pytest.raises(NoCapacity):
            await hold(session, service, 1)


@pytest.mark.rule("R2")
async def test_the_database_refuses_a_count_below_nought(owner: Database, keeper: Keeper) -> None:
    with pytest.raises(DBAPIError, match="service_capacity_available_check"):
        async with owner.transaction(Operator()) as session:
            await session.execute(text("update service_capacity set available = -1"))

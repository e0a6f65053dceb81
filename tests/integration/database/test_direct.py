"""Statements by the driver itself are part of the session's transaction, and act for whom it acts."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from asyncpg import UniqueViolationError
from sqlalchemy import Integer, bindparam, column, literal, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, InvalidRequestError

from referralnet.database.acting import Custodian, Dispatcher, Operator
from referralnet.database.direct import Direct, fetch_one, savepoint
from referralnet.database.transactions import Database
from referralnet.identity.tables import Agency

ACTING = Direct(text("select acting_agency()"))
ADD = "insert into agency (id, name, kind, regime, time_zone) values ($1, $2, 'health', 'hipaa', 'UTC') returning id"


@pytest.mark.rule("A2")
async def test_the_first_statement_of_a_transaction_already_says_who_acts(worker: Database) -> None:
    agency_id = uuid4()
    for actor, expected in ((Custodian(agency_id), agency_id), (Dispatcher(), None)):
        async with worker.transaction(actor) as session:
            row = await fetch_one(session, "select acting_agency()")
            assert row is not None
            assert row[0] == expected


@pytest.mark.rule("A2")
async def test_behind_its_end_a_transaction_has_no_connection_that_is_another_ones_now(worker: Database) -> None:
    async with worker.transaction(Custodian(uuid4())) as session:
        assert await ACTING.first(session) is not None
        given_back = session.info["driver_connection"]
        await session.rollback()
        async with worker.transaction(Custodian(uuid4())) as other:
            assert await ACTING.first(other) is not None
            assert other.info["driver_connection"] is given_back
            for ask in (ACTING.first(session), fetch_one(session, "select acting_agency()")):
                with pytest.raises(InvalidRequestError):
                    await ask


async def test_what_a_transaction_wrote_is_undone_with_it(owner: Database) -> None:
    agency_id = uuid4()

    async def add_and_break() -> None:
        async with owner.transaction(Operator()) as session:
            await fetch_one(session, ADD, agency_id, f"Agency {agency_id}")
            named = text("select count(*) from agency where id = :id")
            assert await session.scalar(named, {"id": agency_id}) == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await add_and_break()
    async with owner.transaction(Operator()) as session:
        assert await fetch_one(session, "select from agency where id = $1", agency_id) is None


async def test_a_savepoint_takes_back_what_broke_and_the_transaction_goes_on(owner: Database) -> None:
    agency_id = uuid4()
    async with owner.transaction(Operator()) as session:
        await fetch_one(session, ADD, agency_id, f"Agency {agency_id}")
        with pytest.raises(UniqueViolationError):
            async with savepoint(session):
                await fetch_one(session, ADD, agency_id, f"Agency {uuid4()}")
    async with owner.transaction(Operator()) as session:
        assert await fetch_one(session, "select from agency where id = $1", agency_id) is not None
        await session.execute(text("delete from agency where id = :id"), {"id": agency_id})


AGENCY = Direct(text("select id, time_zone from agency where name = :name"))
MORE = Direct(select((literal(40) + bindparam("more", type_=Integer())).label("sum")))
DIVIDE = Direct(text("select 1 / cast(:by as int)"))


async def test_a_statement_sees_what_waits_in_the_session(owner: Database) -> None:
    name, now = f"Agency {uuid4()}", datetime.now(UTC)
    async with owner.transaction(Operator()) as session:
        agency = Agency(name=name, kind="health", regime="hipaa", time_zone="UTC", active=True, created_at=now)
        session.add(agency)
        found = await AGENCY.first(session, name=name)
        assert found is not None
        assert (found["id"], found["time_zone"]) == (agency.id, "UTC")
        assert [row["id"] for row in await AGENCY.all(session, name=name)] == [agency.id]
        await session.delete(agency)


async def test_an_error_is_told_as_of_any_other_statement(owner: Database) -> None:
    add = Direct(text(ADD.replace("$1", ":id").replace("$2", ":name")))
    async with owner.transaction(Operator()) as session:
        with pytest.raises(IntegrityError, match="null value") as told:
            await add.first(session, id=uuid4(), name=None)
        await session.rollback()
    assert "insert" not in str(told.value)
    async with owner.transaction(Operator()) as session:
        with pytest.raises(DBAPIError, match="division by zero"):
            await DIVIDE.all(session, by=0)
        await session.rollback()


async def test_a_value_of_the_statement_stands_and_a_parameter_must_be_given(owner: Database) -> None:
    async with owner.transaction(Operator()) as session:
        row = await MORE.first(session, more=2)
        assert row is not None
        assert row["sum"] == 42
        with pytest.raises(KeyError, match="more"):
            await MORE.first(session)


async def test_a_statement_alone_is_a_transaction_by_itself(owner: Database) -> None:
    async with owner.alone() as connection:
        row = await MORE.first_alone(connection, more=1)
        assert row is not None
        assert row["sum"] == 41
        with pytest.raises(DBAPIError, match="division by zero"):
            await DIVIDE.first_alone(connection, by=0)
        assert await MORE.first_alone(connection, more=2) is not None


def test_a_list_of_any_length_wants_an_array() -> None:
    with pytest.raises(TypeError, match="an array"):
        Direct(select(column("n")).where(column("n").in_([1, 2])))

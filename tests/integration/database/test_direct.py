"""Statements by the driver itself are part of the session's transaction, and act for whom it acts."""

from __future__ import annotations

from uuid import uuid4

import pytest
from asyncpg import UniqueViolationError
from sqlalchemy import text

from referralnet.database.acting import Custodian, Dispatcher, Operator
from referralnet.database.direct import fetch_one, savepoint
from referralnet.database.transactions import Database

ADD = "insert into agency (id, name, kind, regime, time_zone) values ($1, $2, 'health', 'hipaa', 'UTC') returning id"


@pytest.mark.rule("A2")
async def test_the_first_statement_of_a_transaction_already_says_who_acts(worker: Database) -> None:
    agency_id = uuid4()
    for actor, expected in ((Custodian(agency_id), agency_id), (Dispatcher(), None)):
        async with worker.transaction(actor) as session:
            row = await fetch_one(session, "select acting_agency()")
            assert row is not None
            assert row[0] == expected


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

"""What a pooled connection brings to its next user: a living server, and nobody that it still acts for."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import text

from referralnet.database.acting import Member, Nobody
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from tests.factories.identity import make_agency, make_member

ACTS = text("select current_setting('referralnet.member', true)")


@dataclass(frozen=True)
class Stranger:
    """An actor whose settings are not as tame as ours."""

    value: str

    def database_settings(self) -> dict[str, str]:
        return {"referralnet.member": self.value}


async def cut_all(app: Database) -> None:
    """End every connection of the application's, as a restart of the server does, and hear of it."""
    end = text(
        "select pg_terminate_backend(pid, 30000) from pg_stat_activity "
        "where usename = current_user and datname = current_database() and pid <> pg_backend_pid()"
    )
    apart = Database(app.engine.url.render_as_string(hide_password=False), pooled=False)
    async with apart.transaction(Nobody()) as session:
        assert (await session.scalars(end)).all()
    await apart.close()


@pytest_asyncio.fixture
async def member(owner: Database, keyring: Keyring) -> Member:
    return (await make_member(owner, keyring, await make_agency(owner))).actor


@pytest.mark.rule("A2")
async def test_a_transaction_says_who_acts_in_the_message_that_begins_it(
    app: Database, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    execute = asyncpg.Connection.execute

    async def noting(self: asyncpg.Connection, query: str, *args: object, timeout: float | None = None) -> str:
        sent.append(query)
        return await execute(self, query, *args, timeout=timeout)

    monkeypatch.setattr(asyncpg.Connection, "execute", noting)
    async with app.transaction(member) as session:
        assert await session.scalar(ACTS) == str(member.member_id)
    acting = f"set_config('referralnet.member', '{member.member_id}', true)"
    assert sent[-2:] == [f"BEGIN; select {acting}", "COMMIT;"]


@pytest.mark.rule("A2")
async def test_a_transaction_that_did_nothing_leaves_nobody_behind_on_its_connection(
    app: Database, member: Member
) -> None:
    async with app.transaction(member) as session:
        await session.connection()
    async with app.engine.connect() as connection:
        assert (await connection.execute(ACTS)).scalar() in (None, "")
    async with app.transaction(Nobody()) as session:
        assert await session.scalar(ACTS) in (None, "")


@pytest.mark.parametrize("value", ["'", "''; drop table agency; --", "\\'", "a\nb"])
async def test_who_acts_is_said_letter_by_letter(app: Database, value: str) -> None:
    async with app.transaction(Stranger(value)) as session:
        assert await session.scalar(ACTS) == value


async def test_the_pool_gives_no_connection_whose_server_has_gone(app: Database, member: Member) -> None:
    for _ in range(3):
        async with app.transaction(member) as session:
            assert await session.scalar(ACTS) == str(member.member_id)
        await cut_all(app)

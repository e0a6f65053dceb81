"""The trail: it stands or falls with what it records, nobody can change it, and it names no person."""

from __future__ import annotations

import inspect
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Actor, Custodian, Dispatcher, Member, Nobody, Operator, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from tests.databases import DatabaseUrls
from tests.factories.identity import make_agency, make_member
from tests.factories.rows import connect_as_superuser


@pytest_asyncio.fixture(scope="module")
async def member(owner: Database, keyring: Keyring) -> Member:
    return (await make_member(owner, keyring, await make_agency(owner), [Role.COORDINATOR, Role.AUDITOR])).actor


@pytest_asyncio.fixture
async def subject(owner: Database, keyring: Keyring, member: Member) -> UUID:
    """A colleague of the member, whom no event is about yet: a task is only ever about what its writer sees."""
    return (await make_member(owner, keyring, member.agency_id, [Role.INTAKE])).actor.member_id


async def events_about(owner: Database, subject_id: UUID) -> list[Any]:
    async with owner.transaction(Operator()) as session:
        columns = "agency_id, member_id, action, subject_kind, detail"
        rows = await session.execute(
            text(f"select {columns} from audit_event where subject_id = :id order by at"), {"id": subject_id}
        )
        return list(rows)


async def act(database: Database, actor: Actor, subject_id: UUID, *, crash: bool = False) -> None:
    """Open a task and record it, in one transaction."""
    async with database.transaction(actor) as session:
        await session.execute(
            text("insert into task (agency_id, kind, subject_kind, subject_id, opened_at)"
                 " values (acting_agency(), 'planted', 'member', :id, now())"), {"id": subject_id},
        )  # fmt: skip
        await record(session, Action.TASK_CLOSED, "task", subject_id, kind="planted", count=2, nothing=None)
        if crash:
            raise RuntimeError


async def run(database: Database, actor: Actor, statement: str, **values: object) -> None:
    async with database.transaction(actor) as session:
        await session.execute(text(statement), values)


async def test_an_event_tells_who_did_what_to_which_thing(
    app: Database, owner: Database, member: Member, subject: UUID
) -> None:
    await act(app, member, subject)
    (event,) = await events_about(owner, subject)
    expected = (member.agency_id, member.member_id, "task_closed", "task", {"kind": "planted", "count": 2})
    assert tuple(event) == expected


async def test_the_workers_events_name_the_agency_and_no_member(
    worker: Database, owner: Database, member: Member, subject: UUID
) -> None:
    await act(worker, Custodian(member.agency_id), subject)
    (event,) = await events_about(owner, subject)
    assert (event.agency_id, event.member_id) == (member.agency_id, None)


@pytest.mark.rule("U1")
async def test_when_the_act_fails_neither_it_nor_its_event_is_there(
    app: Database, owner: Database, member: Member, subject: UUID
) -> None:
    with pytest.raises(RuntimeError):
        await act(app, member, subject, crash=True)
    assert await events_about(owner, subject) == []
    async with app.transaction(member) as session:
        assert not list(await session.scalars(text("select id from task where subject_id = :id"), {"id": subject}))


@pytest.mark.rule("U1")
async def test_when_the_event_cannot_be_written_the_act_is_undone(
    app: Database, worker: Database, owner: Database, member: Member, subject: UUID
) -> None:
    """Nobody in particular acts: the trail refuses the row, and takes the act with it."""
    without_agency: list[tuple[Database, Actor]] = [(app, Nobody()), (worker, Dispatcher())]
    for database, actor in without_agency:
        with pytest.raises(DBAPIError):
            await act(database, actor, subject)

    async def act_then_lose_standing() -> None:
        async with app.transaction(member) as session:
            await session.execute(
                text("insert into task (agency_id, kind, subject_kind, subject_id, opened_at)"
                     " values (acting_agency(), 'planted', 'member', :id, now())"), {"id": subject},
            )  # fmt: skip
            await session.execute(text("select set_config('referralnet.member', '', true)"))
            await record(session, Action.TASK_CLOSED, "task", subject)

    with pytest.raises(DBAPIError):
        await act_then_lose_standing()
    async with app.transaction(member) as session:
        assert not list(await session.scalars(text("select id from task where subject_id = :id"), {"id": subject}))


@pytest.mark.rule("U2")
@pytest.mark.parametrize("role", ["owner", "app", "worker"])
@pytest.mark.parametrize("table", ["audit_event", "audit_link"])
@pytest.mark.parametrize(
    "statement", ["update {table} set {column} = {column}", "delete from {table}", "truncate {table} cascade"]
)
async def test_no_role_changes_removes_or_cuts_what_is_written(
    owner: Database, app: Database, worker: Database, member: Member, role: str, table: str, statement: str
) -> None:
    database = {"owner": owner, "app": app, "worker": worker}[role]
    actors: dict[str, Actor] = {"owner": Operator(), "app": member, "worker": Custodian(member.agency_id)}
    column = "action" if table == "audit_event" else "hash"
    with pytest.raises(DBAPIError) as caught:
        await run(database, actors[role], statement.format(table=table, column=column))
    assert caught.value.orig is not None
    assert getattr(caught.value.orig, "sqlstate", None) == "42501"  # insufficient privilege


@pytest.mark.rule("U2")
async def test_even_a_superuser_is_refused_until_the_triggers_are_put_aside(database_urls: DatabaseUrls) -> None:
    connection = await connect_as_superuser(database_urls)
    try:
        for statement in ("update audit_event set action = 'x'", "delete from audit_link", "truncate audit_link"):
            with pytest.raises(Exception, match="append-only"):
                await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.rule("U2")
async def test_nobody_writes_in_another_name_or_for_another_agency(
    app: Database, worker: Database, owner: Database, keyring: Keyring, member: Member
) -> None:
    colleague = (await make_member(owner, keyring, member.agency_id)).actor
    stranger = (await make_member(owner, keyring, await make_agency(owner))).actor
    forged: list[tuple[Database, Actor, UUID, UUID | None]] = [
        (app, member, member.agency_id, colleague.member_id),
        (app, member, member.agency_id, None),
        (app, member, stranger.agency_id, member.member_id),
        (app, Nobody(), member.agency_id, member.member_id),
        (worker, Custodian(member.agency_id), member.agency_id, member.member_id),
        (worker, Custodian(member.agency_id), stranger.agency_id, None),
        (worker, Dispatcher(), member.agency_id, None),
        (owner, Operator(), member.agency_id, member.member_id),
    ]
    insert = (
        "insert into audit_event (agency_id, member_id, action, subject_kind, subject_id)"
        " values (:agency_id, :member_id, 'signed_in', 'member', gen_random_uuid())"
    )
    for database, actor, agency_id, member_id in forged:
        with pytest.raises(DBAPIError, match="row-level security"):
            await run(database, actor, insert, agency_id=agency_id, member_id=member_id)


async def test_auditors_read_their_own_agencys_trail_and_nobody_else_does(
    app: Database, owner: Database, keyring: Keyring, member: Member, subject: UUID
) -> None:
    await act(app, member, subject)
    strangers_agency = await make_agency(owner)
    readers = {
        "auditor": await make_member(owner, keyring, member.agency_id, [Role.AUDITOR]),
        "coordinator": await make_member(owner, keyring, member.agency_id, [Role.COORDINATOR]),
        "agency admin": await make_member(owner, keyring, member.agency_id, [Role.AGENCY_ADMIN]),
        "other agency's auditor": await make_member(owner, keyring, strangers_agency, [Role.AUDITOR]),
    }
    reading = set()
    for name, reader in readers.items():
        async with app.transaction(reader.actor) as session:
            agencies = set(await session.scalars(text("select agency_id from audit_event")))
            if agencies:
                reading.add(name)
                assert agencies == {member.agency_id}
    assert reading == {"auditor"}


@pytest.mark.rule("U3")
def test_what_is_recorded_beside_the_ids_are_codes_and_counts() -> None:
    """The signature takes no free text but under a name, and every action is a code itself."""
    codes = inspect.signature(record).parameters["codes"]
    assert codes.annotation == "str | int | list[str] | None"
    assert all(action.value.replace("_", "").isalpha() and action.value.islower() for action in Action)


@pytest.mark.rule("U3")
async def test_the_trails_columns_have_no_room_for_identity(owner: Database) -> None:
    async with owner.transaction(Operator()) as session:
        rows = await session.execute(
            text(
                "select table_name, column_name, data_type from information_schema.columns where table_name ~ '^audit_'"
            )
        )
        columns = {(row.table_name, row.column_name): row.data_type for row in rows}
    texts = {name for name, kind in columns.items() if kind in {"text", "jsonb", "bytea", "character varying"}}
    assert texts == {
        ("audit_event", "action"),
        ("audit_event", "subject_kind"),
        ("audit_event", "detail"),
        ("audit_link", "hash"),
    }

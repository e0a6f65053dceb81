"""Agencies and members as the operator adds them and as members see them; tasks that wait for a person."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from sqlalchemy import text

from referralnet.database.acting import AgencyKind, Custodian, Member, Operator, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput, NotFound, Refusal
from referralnet.identity.agencies import (
    REGIMES,
    AgencyNameTaken,
    LoginTaken,
    NewMember,
    add_agency,
    add_member,
    agency_by_name,
    list_agencies,
    new_totp_secret,
)
from referralnet.identity.passwords import PasswordTooWeak, verify_password
from referralnet.identity.tasks import close_task, list_tasks, open_task, settle_tasks
from tests.factories.identity import CLOCK_STARTS_AT, make_agency, make_member


@pytest_asyncio.fixture(scope="module")
async def agency_id(owner: Database) -> UUID:
    return await make_agency(owner, name="Harbor House")


@pytest_asyncio.fixture(scope="module")
async def coordinator(owner: Database, keyring: Keyring, agency_id: UUID) -> Member:
    return (await make_member(owner, keyring, agency_id)).actor


def new_member(agency_id: UUID, login: str) -> NewMember:
    return NewMember(agency_id, login, "Ana", [Role.INTAKE], "correct horse battery", new_totp_secret(), None)


async def test_an_added_member_can_prove_who_they_are(owner: Database, keyring: Keyring, agency_id: UUID) -> None:
    async with owner.transaction(Operator()) as session:
        member_id = await add_member(session, new_member(agency_id, " Ana@Example.org "), keyring=keyring)
        row = (
            await session.execute(
                text("select login, password_hash from member join member_credential on member_id = id where id = :id"),
                {"id": member_id},
            )
        ).one()
    assert row.login == "ana@example.org"
    assert await verify_password(row.password_hash, "correct horse battery")


@pytest.mark.parametrize(
    ("changed", "refusal", "field"),
    [
        ({"login": " "}, InvalidInput, "login"),
        ({"login": "TAKEN@example.org"}, LoginTaken, "login"),
        ({"roles": []}, InvalidInput, "roles"),
        ({"password": "short"}, PasswordTooWeak, "password"),
        ({"agency_id": uuid4()}, NotFound, "agency_id"),
    ],
)
async def test_a_member_that_cannot_be_added_is_refused_with_the_field(
    owner: Database, keyring: Keyring, agency_id: UUID, changed: dict[str, object], refusal: type[Refusal], field: str
) -> None:
    async with owner.transaction(Operator()) as session:
        taken = await session.scalar(text("select true from member where login = 'taken@example.org'"))
    if not taken:
        await make_member(owner, keyring, agency_id, login="taken@example.org")
    async with owner.transaction(Operator()) as session:
        new = dataclasses.replace(new_member(agency_id, "free@example.org"), **changed)  # type: ignore[arg-type]
        with pytest.raises(refusal) as caught:
            await add_member(session, new, keyring=keyring)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("changed", "refusal", "field"),
    [
        ({"name": "Harbor House"}, AgencyNameTaken, "name"),
        ({"time_zone": "Chicago"}, InvalidInput, "time_zone"),
        ({"time_zone": "../etc/passwd"}, InvalidInput, "time_zone"),
        ({"regime": "secret"}, InvalidInput, "regime"),
    ],
)
async def test_an_agency_that_cannot_be_added_is_refused_with_the_field(
    owner: Database, agency_id: UUID, changed: dict[str, str], refusal: type[Refusal], field: str
) -> None:
    values = {"name": "Another", "regime": "general", "time_zone": "America/Chicago"} | changed
    async with owner.transaction(Operator()) as session:
        with pytest.raises(refusal) as caught:
            await add_agency(session, kind=AgencyKind.HEALTH, **values)
    assert caught.value.field == field


async def test_members_see_the_active_agencies_by_name(app: Database, owner: Database, coordinator: Member) -> None:
    await make_agency(owner, name="Anchor Legal", kind=AgencyKind.LEGAL_AID)
    closed = await make_agency(owner, name="Closed")
    async with owner.transaction(Operator()) as session:
        await session.execute(text("update agency set active = false where id = :id"), {"id": closed})
    async with app.transaction(coordinator) as session:
        seen = [(agency.name, agency.kind) for agency in await list_agencies(session)]
        assert (await agency_by_name(session, "Harbor House")).id == coordinator.agency_id
        with pytest.raises(NotFound):
            await agency_by_name(session, "harbor house")
    assert seen == [("Anchor Legal", AgencyKind.LEGAL_AID), ("Harbor House", AgencyKind.VICTIM_SERVICES)]


async def test_a_member_sees_no_colleague_of_another_agency(
    app: Database, owner: Database, keyring: Keyring, coordinator: Member
) -> None:
    stranger = (await make_member(owner, keyring, await make_agency(owner))).actor
    async with app.transaction(stranger) as session:
        assert list(await session.scalars(text("select id from member"))) == [stranger.member_id]


@pytest.mark.rule("R6")
async def test_a_task_waits_once_for_its_own_agency_until_somebody_closes_it(
    app: Database, owner: Database, worker: Database, keyring: Keyring, coordinator: Member
) -> None:
    subject = coordinator.member_id
    for _ in range(2):
        async with worker.transaction(Custodian(coordinator.agency_id)) as session:
            await open_task(
                session, agency_id=coordinator.agency_id, kind="text_unknown", subject_kind="member",
                subject_id=subject, now=CLOCK_STARTS_AT,
            )  # fmt: skip
    stranger = (await make_member(owner, keyring, await make_agency(owner))).actor
    async with app.transaction(coordinator) as session:
        (task,) = await list_tasks(session)
    async with app.transaction(stranger) as session:
        assert await list_tasks(session) == []
        with pytest.raises(NotFound):
            await close_task(session, stranger, task.id, now=CLOCK_STARTS_AT)
    async with app.transaction(coordinator) as session:
        await close_task(session, coordinator, task.id, now=CLOCK_STARTS_AT)
        with pytest.raises(NotFound) as caught:
            await close_task(session, coordinator, task.id, now=CLOCK_STARTS_AT)
        assert await list_tasks(session) == []
    assert caught.value.field == "taskId"


async def test_a_task_whose_cause_is_gone_is_settled(
    app: Database, owner: Database, worker: Database, keyring: Keyring, coordinator: Member
) -> None:
    colleague = (await make_member(owner, keyring, coordinator.agency_id)).actor
    now, subject, other = CLOCK_STARTS_AT, coordinator.member_id, colleague.member_id
    async with worker.transaction(Custodian(coordinator.agency_id)) as session:
        for subject_id in (subject, other):
            await open_task(
                session, agency_id=coordinator.agency_id, kind="call_back", subject_kind="member",
                subject_id=subject_id, now=now, detail={"reason": "asked"},
            )  # fmt: skip
    async with app.transaction(coordinator) as session:
        await settle_tasks(session, "call_back", subject, now=now + timedelta(minutes=1))
        assert [(task.subject_id, task.detail) for task in await list_tasks(session)] == [(other, {"reason": "asked"})]


async def test_the_database_knows_the_same_roles_kinds_and_regimes(owner: Database) -> None:
    async with owner.transaction(Operator()) as session:
        rows = await session.execute(
            text("select conname, pg_get_constraintdef(oid) as definition from pg_constraint where contype = 'c'")
        )
        checks = {row.conname: set(row.definition.split("'")[1::2]) for row in rows}
    assert checks["member_roles_check"] == {role.value for role in Role}
    assert checks["agency_kind_check"] == {kind.value for kind in AgencyKind}
    assert checks["agency_regime_check"] == set(REGIMES)

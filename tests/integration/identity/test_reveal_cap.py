"""Identity opens so many times an hour for one member, whoever speaks SQL, and her agency's admins learn of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.errors import NotFound
from referralnet.identity.reveal_cap import ALARM, RevealsCapped, require_reveals_left
from referralnet.identity.tasks import TaskRow, close_task, list_tasks
from referralnet.survivors.recording import reveal_survivor
from tests.databases import DatabaseUrls
from tests.factories.identity import make_agency, make_member
from tests.factories.rows import connect_as_superuser
from tests.factories.survivors import Custody, make_custody, make_survivor, present


class House:
    """One agency with a survivor, and what its members try."""

    def __init__(
        self, app: Database, urls: DatabaseUrls, keyring: Keyring, custody: Custody, survivor_id: UUID
    ) -> None:
        self.app, self.urls, self.keyring, self.custody, self.survivor_id = app, urls, keyring, custody, survivor_id

    async def reveal(self, actor: Member | None = None) -> None:
        actor = actor or self.custody.coordinator
        async with self.app.transaction(actor) as session:
            await reveal_survivor(session, actor, self.survivor_id, keyring=self.keyring, now=present())

    async def reveal_until_one_is_left(self) -> None:
        async with self.app.transaction(self.custody.coordinator) as session:
            while await session.scalar(text("select reveals_left()")) > 1:
                await record(session, Action.SURVIVOR_REVEALED, "survivor", self.survivor_id)

    async def alarms(self, actor: Member) -> list[TaskRow]:
        async with self.app.transaction(actor) as session:
            return [task for task in await list_tasks(session) if task.kind == ALARM]


@pytest_asyncio.fixture
async def house(owner: Database, app: Database, database_urls: DatabaseUrls, keyring: Keyring) -> AsyncIterator[House]:
    custody = await make_custody(owner, keyring)
    yield House(app, database_urls, keyring, custody, await make_survivor(app, custody.coordinator, keyring))


@pytest.mark.rule("A5")
async def test_the_thirtieth_opens_and_the_next_is_refused(house: House) -> None:
    async with house.app.transaction(house.custody.coordinator) as session:
        assert await session.scalar(text("select reveals_left()")) == 30
    for _ in range(30):
        await house.reveal()
    with pytest.raises(RevealsCapped):
        await house.reveal()


@pytest.mark.rule("A5")
async def test_forty_at_once_are_thirty(house: House) -> None:
    results = await asyncio.gather(*(house.reveal() for _ in range(40)), return_exceptions=True)
    assert sum(result is None for result in results) == 30
    assert {type(result) for result in results if result is not None} == {RevealsCapped}


@pytest.mark.rule("A5")
async def test_each_member_is_counted_by_herself_and_the_hour_goes_by(house: House, owner: Database) -> None:
    colleague = await make_member(
        owner, house.keyring, house.custody.agency_id, [Role.COORDINATOR], now=present(), stepped_up_at=present()
    )
    await house.reveal_until_one_is_left()
    await house.reveal()
    with pytest.raises(RevealsCapped):
        await house.reveal()
    await house.reveal(colleague.actor)
    superuser = await connect_as_superuser(house.urls)
    try:
        await superuser.execute("set session_replication_role = replica")
        await superuser.execute(
            "update audit_event set at = at - interval '1 hour' where member_id = $1",
            house.custody.coordinator.member_id,
        )
    finally:
        await superuser.close()
    await house.reveal()


@pytest.mark.rule("A5")
async def test_the_database_refuses_what_goes_around_the_check(house: House) -> None:
    await house.reveal_until_one_is_left()
    await house.reveal()
    for action in (Action.SURVIVOR_REVEALED, Action.DISCLOSURE_READ):
        with pytest.raises(DBAPIError, match="opened enough for an hour"):
            async with house.app.transaction(house.custody.coordinator) as session:
                await record(session, action, "survivor", house.survivor_id)
    async with house.app.transaction(house.custody.coordinator) as session:
        await record(session, Action.NEED_RECORDED, "need", uuid4())  # what opens nothing goes on


@pytest.mark.rule("A5")
async def test_the_last_one_is_told_to_the_admins_and_to_them_alone(house: House, owner: Database) -> None:
    custody = house.custody
    await house.reveal_until_one_is_left()
    assert await house.alarms(custody.agency_admin) == []
    await house.reveal()
    (alarm,) = await house.alarms(custody.agency_admin)
    assert (alarm.subject_kind, alarm.subject_id) == ("member", custody.coordinator.member_id)
    strange = await make_member(owner, house.keyring, await make_agency(owner), [Role.AGENCY_ADMIN])
    for other in (custody.coordinator, custody.intake, custody.auditor, custody.network_admin, strange.actor):
        assert await house.alarms(other) == []
        with pytest.raises(NotFound):
            async with house.app.transaction(other) as session:
                await close_task(session, other, alarm.id, now=present())
    async with house.app.transaction(custody.agency_admin) as session:
        await close_task(session, custody.agency_admin, alarm.id, now=present())
    assert await house.alarms(custody.agency_admin) == []


@pytest.mark.rule("A5")
async def test_an_admin_does_not_close_the_alarm_about_herself(house: House, owner: Database) -> None:
    both = (
        await make_member(
            owner,
            house.keyring,
            house.custody.agency_id,
            [Role.COORDINATOR, Role.AGENCY_ADMIN],
            now=present(),
            stepped_up_at=present(),
        )
    ).actor
    async with house.app.transaction(both) as session:
        while await session.scalar(text("select reveals_left()")) > 1:
            await record(session, Action.SURVIVOR_REVEALED, "survivor", house.survivor_id)
        await require_reveals_left(session, both, now=present())
    (alarm,) = [task for task in await house.alarms(both) if task.subject_id == both.member_id]
    with pytest.raises(NotFound):
        async with house.app.transaction(both) as session:
            await close_task(session, both, alarm.id, now=present())
    async with house.app.transaction(house.custody.agency_admin) as session:
        await close_task(session, house.custody.agency_admin, alarm.id, now=present())

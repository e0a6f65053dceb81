"""Identity opens so many times an hour for one member, whoever speaks SQL, and her agency's admins learn of it."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.errors import NotFound
from referralnet.identity.hourly_caps import PER_HOUR_MAX
from referralnet.identity.tasks import REVEALS_CAPPED, TaskRow, close_task, list_tasks
from tests.factories.identity import make_agency, make_member
from tests.factories.survivors import Custody, make_custody, present

CAPPED = [
    Action.SURVIVOR_REVEALED,
    Action.SURVIVOR_HISTORY_READ,
    Action.CONTACT_PLANS_READ,
    Action.SURVIVOR_WORDS_READ,
    Action.DISCLOSURE_READ,
]


class House:
    """One agency, and what its members open: straight in SQL, past the program's own check."""

    def __init__(self, app: Database, custody: Custody) -> None:
        self.app, self.custody = app, custody

    async def open(self, times: int = 1, actor: Member | None = None, action: Action = CAPPED[0]) -> None:
        async with self.app.transaction(actor or self.custody.coordinator) as session:
            for _ in range(times):
                await record(session, action, "survivor", uuid4())

    async def alarms(self, actor: Member) -> list[TaskRow]:
        async with self.app.transaction(actor) as session:
            return await list_tasks(session, kinds=[REVEALS_CAPPED])

    async def close(self, actor: Member, alarm: TaskRow) -> None:
        async with self.app.transaction(actor) as session:
            await close_task(session, actor, alarm.id, now=present())


@pytest_asyncio.fixture
async def house(owner: Database, app: Database, keyring: Keyring) -> House:
    return House(app, await make_custody(owner, keyring))


@pytest.mark.rule("A5")
@pytest.mark.parametrize("action", CAPPED)
async def test_the_database_allows_what_the_policy_says_and_not_one_more(house: House, action: Action) -> None:
    async with house.app.transaction(house.custody.coordinator) as session:
        most = await session.scalar(text("select acts_per_hour_max(:action)"), {"action": str(action)})
    assert most == PER_HOUR_MAX[action]
    await house.open(most, action=action)
    with pytest.raises(DBAPIError, match="opened enough for an hour"):
        await house.open(action=action)
    await house.open(action=Action.NEED_RECORDED)  # what opens nothing goes on


@pytest.mark.rule("A5")
async def test_each_member_is_counted_by_herself(house: House, owner: Database, keyring: Keyring) -> None:
    colleague = await make_member(owner, keyring, house.custody.agency_id, [Role.COORDINATOR])
    await house.open(PER_HOUR_MAX[CAPPED[0]])
    await house.open(actor=colleague.actor)


@pytest.mark.rule("A5")
async def test_what_is_opened_at_once_does_not_slip_under_the_cap_together(house: House) -> None:
    await house.open(PER_HOUR_MAX[CAPPED[0]] - 3)
    outcomes = await asyncio.gather(*(house.open() for _ in range(10)), return_exceptions=True)
    assert sum(outcome is None for outcome in outcomes) == 3
    assert len(await house.alarms(house.custody.agency_admin)) == 1


@pytest.mark.rule("A5")
async def test_the_last_one_is_told_to_the_admins_and_to_them_alone(
    house: House, owner: Database, keyring: Keyring
) -> None:
    custody = house.custody
    await house.open(PER_HOUR_MAX[CAPPED[0]] - 1)
    assert await house.alarms(custody.agency_admin) == []
    await house.open()
    (alarm,) = await house.alarms(custody.agency_admin)
    assert (alarm.subject_kind, alarm.subject_id) == ("member", custody.coordinator.member_id)
    strange = await make_member(owner, keyring, await make_agency(owner), [Role.AGENCY_ADMIN])
    for other in (custody.coordinator, custody.intake, custody.auditor, custody.network_admin, strange.actor):
        assert await house.alarms(other) == []
        with pytest.raises(NotFound):
            await house.close(other, alarm)
    await house.close(custody.agency_admin, alarm)
    assert await house.alarms(custody.agency_admin) == []


@pytest.mark.rule("A5")
async def test_an_admin_does_not_close_the_alarm_about_herself(house: House, owner: Database, keyring: Keyring) -> None:
    both = await make_member(owner, keyring, house.custody.agency_id, [Role.COORDINATOR, Role.AGENCY_ADMIN])
    await house.open(PER_HOUR_MAX[CAPPED[0]], both.actor)
    (alarm,) = await house.alarms(both.actor)
    with pytest.raises(NotFound):
        await house.close(both.actor, alarm)
    await house.close(house.custody.agency_admin, alarm)

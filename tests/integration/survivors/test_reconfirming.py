"""A contact plan whose date has passed becomes somebody's task, once, until it is kept anew."""

from __future__ import annotations

from datetime import UTC, date, datetime
from uuid import UUID

from referralnet.database.acting import Custodian
from referralnet.database.transactions import Database
from referralnet.identity.tasks import close_task, list_tasks
from referralnet.survivors.contact_plans import keep_contact_plan
from referralnet.survivors.reconfirming import ask_to_reconfirm
from tests.factories.survivors import Houses, make_survivor, new_plan, present

LAST_DAY = date(2026, 3, 2)
EVENING = datetime(2026, 3, 3, 5, 30, tzinfo=UTC)
"""Half past eleven at night on her last day, in Chicago."""
NEXT_DAY = datetime(2026, 3, 3, 6, 30, tzinfo=UTC)


async def overdue(houses: Houses) -> UUID:
    survivor_id = await make_survivor(houses.app, houses.ours.coordinator, houses.keyring, plan=new_plan())
    await houses.superuser.execute(
        "update contact_plan set reconfirm_by = $2 where survivor_id = $1", survivor_id, LAST_DAY
    )
    return survivor_id


async def ask(houses: Houses, worker: Database, now: datetime) -> int:
    async with worker.transaction(Custodian(houses.ours.agency_id)) as session:
        return await ask_to_reconfirm(session, houses.ours.agency_id, now=now)


async def open_tasks(houses: Houses, survivor_id: UUID) -> list[UUID]:
    async with houses.app.transaction(houses.ours.coordinator) as session:
        found = await list_tasks(session)
    return [task.id for task in found if (task.kind, task.subject_id) == ("reconfirm_contact", survivor_id)]


async def test_it_is_asked_once_after_the_last_day_where_she_is(houses: Houses, worker: Database) -> None:
    survivor_id = await overdue(houses)
    assert (await ask(houses, worker, EVENING), await open_tasks(houses, survivor_id)) == (0, [])
    assert await ask(houses, worker, NEXT_DAY) == 1
    (task_id,) = await open_tasks(houses, survivor_id)
    assert await ask(houses, worker, NEXT_DAY) == 0
    async with houses.app.transaction(houses.ours.coordinator) as session:
        await close_task(session, houses.ours.coordinator, task_id, now=NEXT_DAY)
    assert await ask(houses, worker, NEXT_DAY) == 0, "a person has taken note of this date"


async def test_keeping_the_plan_anew_settles_it_and_a_later_date_is_asked_again(
    houses: Houses, worker: Database
) -> None:
    survivor_id, actor = await overdue(houses), houses.ours.coordinator
    assert await ask(houses, worker, NEXT_DAY) == 1
    async with houses.app.transaction(actor) as session:
        await keep_contact_plan(session, actor, survivor_id, new_plan(), keyring=houses.keyring, now=present())
    assert await open_tasks(houses, survivor_id) == []
    assert await ask(houses, worker, NEXT_DAY) == 0
    later = present().replace(year=present().year + 1)
    assert await ask(houses, worker, later) == 1
    assert len(await open_tasks(houses, survivor_id)) == 1


async def test_another_custody_is_not_looked_into(houses: Houses, worker: Database) -> None:
    await overdue(houses)
    async with worker.transaction(Custodian(houses.theirs.agency_id)) as session:
        assert await ask_to_reconfirm(session, houses.theirs.agency_id, now=NEXT_DAY) == 0

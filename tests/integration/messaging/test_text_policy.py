"""An agency says when its survivors are reminded of a visit, and what waits moves to it (M9)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referralnet.database.acting import AgencyKind, Member, Role
from referralnet.errors import InvalidInput, NotPermitted
from referralnet.messaging.text_policy import Policy, keep_text_policy, read_text_policy
from tests.factories.messaging import Case, add_member, superuser
from tests.integration.messaging.conftest import Desk


async def admin_of(desk: Desk, case: Case) -> Member:
    async with superuser(desk.urls) as db:
        return await add_member(db, case.agency_id, AgencyKind.PROSECUTION, Role.AGENCY_ADMIN)


async def keep(desk: Desk, actor: Member, hours: list[int] | None) -> Policy:
    async with desk.app.transaction(actor) as session:
        await keep_text_policy(session, actor, hours, now=desk.clock.now())
        return await read_text_policy(session)


async def reminders(desk: Desk, case: Case) -> list[timedelta]:
    rows = await desk.look(
        "select due_at from text_message where survivor_id = $1 and state = 'scheduled'"
        " and kind = 'appointment_reminder' order by due_at",
        case.survivor_id,
    )
    starts_at: datetime = case.starts_at
    return [starts_at - row["due_at"] for row in rows]


@pytest.mark.rule("M9")
async def test_what_waits_moves_to_what_her_agency_says_and_back_to_the_networks_default(
    desk: Desk, arrange: Any
) -> None:
    evening = desk.clock.now() + timedelta(days=3, hours=9)
    case, elsewhere = await arrange(starts_at=evening), await arrange(starts_at=evening)
    day, two_hours = timedelta(hours=24), timedelta(hours=2)
    for each in (case, elsewhere):
        await desk.tell(each)
    await desk.plan()
    assert await reminders(desk, case) == [day, two_hours]
    admin = await admin_of(desk, case)
    for hours in ([3, 48, 24], []):
        assert await keep(desk, admin, hours) == Policy(tuple(sorted(hours, reverse=True)), is_own=True)
        await desk.replan()
        assert await reminders(desk, case) == [timedelta(hours=each) for each in sorted(hours, reverse=True)]
        assert await reminders(desk, elsewhere) == [day, two_hours]
    assert await keep(desk, admin, None) == Policy((24, 2), is_own=False)
    await desk.replan()
    assert await reminders(desk, case) == [day, two_hours]


async def test_a_visit_that_is_set_later_is_reminded_of_as_her_agency_says(desk: Desk, arrange: Any) -> None:
    case = await arrange(starts_at=desk.clock.now() + timedelta(days=3, hours=9))
    await keep(desk, await admin_of(desk, case), [6])
    await desk.tell(case)
    await desk.plan()
    assert await reminders(desk, case) == [timedelta(hours=6)]


@pytest.mark.parametrize("hours", [[0], [169], [-2], [1, 2, 3, 4, 5]])
async def test_reminders_out_of_reason_are_refused_with_the_field_named(
    desk: Desk, arrange: Any, hours: list[int]
) -> None:
    admin = await admin_of(desk, await arrange())
    with pytest.raises(InvalidInput) as refused:
        await keep(desk, admin, hours)
    assert refused.value.field == "reminder_hours_before"


async def test_nobody_but_an_admin_of_the_agency_says_when(desk: Desk, arrange: Any) -> None:
    case = await arrange()
    admin = await admin_of(desk, case)
    await keep(desk, admin, [12])
    for actor in (case.coordinator, case.intake):
        with pytest.raises(NotPermitted):
            await keep(desk, actor, [3])
    write = "insert into text_policy values (:agency_id, '{3}', :member_id, now())"
    for actor, agency_id in ((case.coordinator, case.agency_id), (admin, case.target_agency_id)):
        with pytest.raises(DBAPIError, match="row-level security"):
            async with desk.app.transaction(actor) as session:
                await session.execute(text(write), {"agency_id": agency_id, "member_id": actor.member_id})
    async with desk.app.transaction(case.intake) as session:
        assert not (await read_text_policy(session)).is_own, "one agency's policy is not another's"

"""What is arranged for a visit: kept when it moves, said by whoever sees to it, and no more than codes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referralnet.appointments.changing import VisitChange
from referralnet.appointments.reading import AppointmentRow, appointments
from referralnet.appointments.scheduling import NoBookedAppointment
from referralnet.appointments.tables import CallBy, Mode, Travel
from referralnet.database.acting import AgencyKind, Member
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput, NotFound, NotPermitted
from referralnet.referrals.answering import accept, complete
from referralnet.referrals.lifecycle import IllegalTransition, Outcome
from referralnet.referrals.visiting import (
    cancel_visit,
    change_visit,
    reschedule_visit,
    say_travel_is_arranged,
    schedule_visit,
)
from tests.factories.referrals import Look, Network, Sent, Tasks, make_network, present, run, send

WANTED = {
    "interpreter_language": "es",
    "interpreter_arranged": True,
    "travel": Travel.TARGET,
    "travel_arranged": True,
}


def noon(days: int) -> datetime:
    return (present() + timedelta(days=days)).replace(hour=12, minute=0, second=0, microsecond=0, tzinfo=None)


async def booked(app: Database, network: Network, keyring: Keyring, **visit: Any) -> Sent:
    made = await send(app, network, keyring, now=present())
    await run(app, network.intake, accept, made.id, now=present())
    when = {"local_start": noon(5), "time_zone": "America/Chicago", "duration_minutes": 60, "mode": Mode.IN_PERSON}
    await run(app, network.intake, schedule_visit, made.id, **(when | visit), now=present())
    return made


async def seen(app: Database, actor: Member, made: Sent) -> AppointmentRow:
    return (await run(app, actor, appointments, [made.id]))[made.id][-1]


async def change(app: Database, network: Network, made: Sent, **changed: Any) -> UUID:
    return await run(app, network.intake, change_visit, made.id, VisitChange(**changed), now=present())


async def notices(look: Look, made: Sent) -> list[str]:
    rows = await look(
        "select kind from notice where referral_id = $1 and occurrence ? 'appointment_id' order by created_at", made.id
    )
    return [row["kind"] for row in rows]


async def test_both_parties_see_what_is_arranged(app: Database, network: Network, keyring: Keyring) -> None:
    made = await booked(app, network, keyring, arranged=WANTED)
    for actor in (network.coordinator, network.intake):
        arranged = (await seen(app, actor, made)).arranged
        assert arranged is not None
        assert (arranged.interpreter_language, arranged.interpreter_arranged) == ("es", True)
        assert (arranged.travel, arranged.travel_arranged) == (Travel.TARGET, True)


@pytest.mark.rule("M9")
async def test_a_change_that_names_one_thing_leaves_the_rest_and_texts_nobody(
    app: Database, network: Network, keyring: Keyring, look: Look
) -> None:
    made = await booked(app, network, keyring, arranged=WANTED)
    before = await seen(app, network.intake, made)
    await change(app, network, made, duration_minutes=90)
    await change(app, network, made, arranged={"interpreter_language": "ase"})
    after = await seen(app, network.intake, made)
    assert (after.starts_at, after.duration_minutes, after.mode) == (before.starts_at, 90, Mode.IN_PERSON)
    assert after.arranged is not None
    assert (after.arranged.interpreter_language, after.arranged.interpreter_arranged) == ("ase", False)
    assert (after.arranged.travel, after.arranged.travel_arranged) == (Travel.TARGET, True)
    assert after.version == before.version + 2
    assert await notices(look, made) == ["appointment_set"]


@pytest.mark.rule("M9")
@pytest.mark.parametrize("by", ["change", "reschedule"])
async def test_moving_keeps_what_is_wanted_and_asks_to_arrange_it_anew(
    app: Database, network: Network, keyring: Keyring, look: Look, by: str
) -> None:
    made = await booked(app, network, keyring, arranged=WANTED)
    if by == "change":
        await change(app, network, made, local_start=noon(6))
    else:
        when = {"local_start": noon(6), "time_zone": "America/Chicago", "duration_minutes": 60}
        await run(app, network.intake, reschedule_visit, made.id, **when, mode=Mode.IN_PERSON, now=present())
    moved = await seen(app, network.intake, made)
    assert moved.arranged is not None
    assert (moved.arranged.interpreter_language, moved.arranged.interpreter_arranged) == ("es", False)
    assert (moved.arranged.travel, moved.arranged.travel_arranged) == (Travel.TARGET, False)
    assert await notices(look, made) == ["appointment_set", "appointment_changed"]


async def test_a_visit_by_phone_has_somebody_who_calls_and_no_ride(
    app: Database, network: Network, keyring: Keyring
) -> None:
    made = await booked(app, network, keyring, arranged=WANTED)
    await change(app, network, made, mode=Mode.PHONE, arranged={"call_by": CallBy.SURVIVOR})
    arranged = (await seen(app, network.coordinator, made)).arranged
    assert arranged is not None
    assert (arranged.call_by, arranged.travel, arranged.travel_arranged) == (CallBy.SURVIVOR, None, False)
    await change(app, network, made, mode=Mode.VIDEO)
    arranged = (await seen(app, network.coordinator, made)).arranged
    assert arranged is not None
    assert arranged.call_by is None


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"arranged": {"call_by": CallBy.SERVICE}}, "call_by"),
        ({"arranged": {"interpreter_language": "Spanish"}}, "interpreter"),
        ({"arranged": {"interpreter_arranged": True}}, "interpreter"),
        ({"arranged": {"travel": Travel.NOT_NEEDED, "travel_arranged": True}}, "travel"),
        ({"arranged": {"travel": Travel.SOURCE, "travel_arranged": True}}, "travel"),
        ({"mode": Mode.PHONE, "arranged": {"travel": Travel.TARGET}}, "travel"),
        ({"duration_minutes": 4}, "duration_minutes"),
        ({"time_zone": "America/New_York"}, "local_start"),
        ({"utc_offset": timedelta(hours=-5)}, "local_start"),
    ],
)
async def test_what_does_not_fit_is_refused_and_changes_nothing(
    app: Database, network: Network, keyring: Keyring, changed: dict[str, Any], field: str
) -> None:
    made = await booked(app, network, keyring)
    before = await seen(app, network.intake, made)
    with pytest.raises(InvalidInput) as refused:
        await change(app, network, made, **changed)
    assert refused.value.field == field
    assert await seen(app, network.intake, made) == before


async def test_a_ride_that_the_sender_sees_to_is_its_task_until_it_says_so(
    app: Database, network: Network, keyring: Keyring, open_tasks: Tasks
) -> None:
    made = await booked(app, network, keyring, arranged={"travel": Travel.SOURCE})
    task = (network.coordinator.agency_id, "arrange_travel")
    assert task in await open_tasks(made.id)
    await run(app, network.coordinator, say_travel_is_arranged, made.id, arranged=True, now=present())
    assert task not in await open_tasks(made.id)
    arranged = (await seen(app, network.intake, made)).arranged
    assert arranged is not None
    assert arranged.travel_arranged
    await change(app, network, made, duration_minutes=30)
    kept = (await seen(app, network.intake, made)).arranged
    assert kept is not None
    assert kept.travel_arranged, "the sender's word stays while the time does"
    await change(app, network, made, local_start=noon(7))
    assert task in await open_tasks(made.id), "the ride was to another time"


@pytest.mark.parametrize("how", ["cancelled", "the service drives", "over"])
async def test_a_ride_that_nobody_needs_any_more_is_on_nobodys_list(
    app: Database, network: Network, keyring: Keyring, open_tasks: Tasks, how: str
) -> None:
    made = await booked(app, network, keyring, arranged={"travel": Travel.SOURCE})
    if how == "cancelled":
        await run(app, network.intake, cancel_visit, made.id, now=present())
    elif how == "the service drives":
        await change(app, network, made, arranged={"travel": Travel.TARGET})
    else:
        await run(app, network.intake, complete, made.id, outcome=Outcome.SERVICES_RECEIVED, now=present())
    assert (network.coordinator.agency_id, "arrange_travel") not in await open_tasks(made.id)


async def test_who_is_to_say_what(app: Database, network: Network, keyring: Keyring) -> None:
    made = await booked(app, network, keyring)
    with pytest.raises(InvalidInput):
        await run(app, network.coordinator, say_travel_is_arranged, made.id, arranged=True, now=present())
    for actor in (network.other_intake, network.outsider):
        with pytest.raises(NotFound):
            await run(app, actor, say_travel_is_arranged, made.id, arranged=True, now=present())
    with pytest.raises(NotPermitted):
        await run(app, network.intake, say_travel_is_arranged, made.id, arranged=True, now=present())
    with pytest.raises(IllegalTransition):
        await run(app, network.coordinator, change_visit, made.id, VisitChange(duration_minutes=30), now=present())
    await run(app, network.intake, cancel_visit, made.id, now=present())
    with pytest.raises(NoBookedAppointment):
        await change(app, network, made, duration_minutes=30)


@pytest.mark.rule("R5")
async def test_a_police_source_is_told_of_no_arrangement_and_sees_to_none(
    owner: Database, app: Database, keyring: Keyring
) -> None:
    network = await make_network(owner, source_kind=AgencyKind.LAW_ENFORCEMENT)
    made = await booked(app, network, keyring, arranged=WANTED)
    assert (await seen(app, network.coordinator, made)).arranged is None
    assert (await seen(app, network.intake, made)).arranged is not None
    with pytest.raises(InvalidInput) as refused:
        await change(app, network, made, arranged={"travel": Travel.SOURCE})
    assert refused.value.field == "travel"
    with pytest.raises(DBAPIError, match="sees to no way"):
        async with app.transaction(network.intake) as session:
            await session.execute(
                text("update appointment set travel = 'source', travel_arranged = false where referral_id = :id"),
                {"id": made.id},
            )


@pytest.mark.rule("C2")
@pytest.mark.parametrize(
    "set_to",
    [
        "starts_at = starts_at + interval '1 day'",
        "mode = 'phone', travel = null",
        "interpreter_language = 'fr'",
        "travel = 'target'",
        "status = 'cancelled', duration_minutes = 5",
    ],
)
async def test_the_database_lets_the_source_change_nothing_but_the_ride_it_sees_to(
    app: Database, network: Network, keyring: Keyring, set_to: str
) -> None:
    made = await booked(app, network, keyring, arranged={"travel": Travel.SOURCE})
    before = await seen(app, network.intake, made)
    with pytest.raises(DBAPIError):
        async with app.transaction(network.coordinator) as session:
            await session.execute(text(f"update appointment set {set_to} where referral_id = :id"), {"id": made.id})
    assert await seen(app, network.intake, made) == before


@pytest.mark.rule("C2")
async def test_the_database_lets_no_target_speak_for_the_source(
    app: Database, network: Network, keyring: Keyring
) -> None:
    made = await booked(app, network, keyring, arranged={"travel": Travel.SOURCE})
    with pytest.raises(DBAPIError, match="says itself"):
        async with app.transaction(network.intake) as session:
            await session.execute(
                text("update appointment set travel_arranged = true where referral_id = :id"), {"id": made.id}
            )


@pytest.mark.rule("M13")
async def test_of_two_hours_of_the_same_name_the_worker_says_which(
    app: Database, network: Network, keyring: Keyring
) -> None:
    now = datetime(2026, 10, 20, 12, tzinfo=UTC)
    twice = datetime(2026, 11, 1, 1, 30)  # noqa: DTZ001 (what the wall shows)
    for offset, utc_hour in ((-5, 6), (-6, 7)):
        made = await send(app, network, keyring, now=present())
        await run(app, network.intake, accept, made.id, now=present())
        when = {"local_start": twice, "time_zone": "America/Chicago", "duration_minutes": 60, "mode": Mode.PHONE}
        await run(app, network.intake, schedule_visit, made.id, **when, utc_offset=timedelta(hours=offset), now=now)
        assert (await seen(app, network.intake, made)).starts_at == datetime(2026, 11, 1, utc_hour, 30, tzinfo=UTC)

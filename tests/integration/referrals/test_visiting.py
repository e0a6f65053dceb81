"""Visits: booked in local time, moved, missed; the custodian is told in the same transaction."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from referralnet.appointments.local_time import LocalTimeDoesNotExist, LocalTimeOccursTwice
from referralnet.appointments.reading import appointments
from referralnet.appointments.scheduling import NoBookedAppointment
from referralnet.appointments.tables import Mode
from referralnet.database.acting import Custodian, Member
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput, NotFound, NotPermitted
from referralnet.referrals.answering import accept, complete
from referralnet.referrals.lifecycle import IllegalTransition, Outcome, Status
from referralnet.referrals.reading import referral
from referralnet.referrals.visiting import (
    cancel_visit,
    mark_attended,
    mark_no_show,
    reschedule_visit,
    schedule_visit,
)
from tests.factories.referrals import Look, Network, Sent, Tasks, present, run, send

wall = datetime.fromisoformat


async def accepted(app: Database, network: Network, keyring: Keyring) -> Sent:
    made = await send(app, network, keyring, now=present())
    await run(app, network.intake, accept, made.id, now=present())
    return made


async def book(app: Database, actor: Member, referral_id: UUID, **changed: Any) -> UUID:
    """Book noon in five days, or whatever the test changes about it."""
    act = changed.pop("act", schedule_visit)
    call = {
        "local_start": (present() + timedelta(days=5)).replace(hour=12, minute=0, second=0, microsecond=0, tzinfo=None),
        "time_zone": "America/Chicago",
        "duration_minutes": 60,
        "mode": Mode.IN_PERSON,
        "now": present(),
    }
    return await run(app, actor, act, referral_id, **(call | changed))


async def notices(look: Look, referral_id: UUID) -> list[tuple[str, str]]:
    rows = await look(
        """
        select kind, occurrence->>'starts_at' as at from notice
        where referral_id = $1 and occurrence ? 'appointment_id' order by created_at
        """,
        referral_id,
    )
    return [(row["kind"], row["at"]) for row in rows]


@pytest.mark.rule("M9")
async def test_each_change_of_a_visit_writes_its_notice_with_it(
    app: Database, network: Network, keyring: Keyring, look: Look
) -> None:
    made = await accepted(app, network, keyring)
    first = await book(app, network.intake, made.id)
    (visit,) = (await run(app, network.intake, appointments, [made.id]))[made.id]
    assert visit.starts_at.astimezone(ZoneInfo("America/Chicago")).hour == 12
    later = visit.starts_at + timedelta(days=1)
    wall_later = later.astimezone(ZoneInfo("America/Chicago")).replace(tzinfo=None)
    moved = await book(app, network.intake, made.id, act=reschedule_visit, local_start=wall_later)
    assert moved == first
    await run(app, network.intake, cancel_visit, made.id, now=present())
    assert await notices(look, made.id) == [
        ("appointment_set", visit.starts_at.isoformat()),
        ("appointment_changed", later.isoformat()),
        ("appointment_cancelled", later.isoformat()),
    ]


@pytest.mark.rule("M9")
async def test_a_change_that_is_refused_tells_nobody(
    app: Database, network: Network, keyring: Keyring, look: Look
) -> None:
    made = await accepted(app, network, keyring)
    with pytest.raises(InvalidInput):
        await book(app, network.intake, made.id, local_start=wall("2020-01-01T12:00"))
    assert await notices(look, made.id) == []
    assert (await run(app, network.intake, referral, made.id)).status is Status.ACCEPTED
    assert await look("select id from appointment where referral_id = $1", made.id) == []


@pytest.mark.rule("M13")
async def test_a_time_that_does_not_exist_or_comes_twice_is_shown_and_books_nothing(
    app: Database, network: Network, keyring: Keyring
) -> None:
    made = await accepted(app, network, keyring)
    for now, local, refusal in (
        ("2026-03-01T12:00", "2026-03-08T02:30", LocalTimeDoesNotExist),
        ("2026-10-20T12:00", "2026-11-01T01:30", LocalTimeOccursTwice),
    ):
        with pytest.raises(refusal) as refused:
            await book(app, network.intake, made.id, local_start=wall(local), now=wall(now).replace(tzinfo=UTC))
        assert refused.value.field == "local_start"
        assert isinstance(refused.value, LocalTimeDoesNotExist | LocalTimeOccursTwice)
        assert len(refused.value.candidates) == 2
    assert await run(app, network.intake, appointments, [made.id]) == {}


async def test_the_coordinator_follows_a_visit_that_is_missed_booked_anew_and_attended(
    app: Database, network: Network, keyring: Keyring, open_tasks: Tasks
) -> None:
    made = await accepted(app, network, keyring)
    first = await book(app, network.intake, made.id)
    await run(app, network.intake, mark_no_show, made.id, now=present())
    row = await run(app, network.intake, referral, made.id)
    assert (row.status, row.business_status) == (Status.IN_PROGRESS, "5.1.2")
    assert (network.coordinator.agency_id, "follow_up_missed_visit") in await open_tasks(made.id)
    with pytest.raises(NoBookedAppointment):
        await run(app, network.intake, mark_attended, made.id, now=present())
    second = await book(app, network.intake, made.id, act=reschedule_visit)
    assert second != first
    await run(app, network.intake, mark_attended, made.id, now=present())
    row = await run(app, network.intake, referral, made.id)
    assert row.business_status == "5.1.4"
    visits = (await run(app, network.coordinator, appointments, [made.id]))[made.id]
    assert [visit.status for visit in visits] == ["noshow", "fulfilled"]
    await run(app, network.intake, complete, made.id, outcome=Outcome.SERVICES_RECEIVED, now=present())
    row = await run(app, network.intake, referral, made.id)
    assert (row.status, row.outcome, row.business_status) == (Status.COMPLETED, "services_received", "7.0")
    assert await open_tasks(made.id) == {(network.coordinator.agency_id, "follow_up_missed_visit")}, "hers to close"


async def test_a_moved_visit_is_no_longer_confirmed(
    databases: dict[str, Database], network: Network, keyring: Keyring
) -> None:
    app = databases["app"]
    made = await accepted(app, network, keyring)
    visit_id = await book(app, network.intake, made.id)
    async with databases["worker"].transaction(Custodian(network.coordinator.agency_id)) as session:
        await session.execute(text("update appointment set confirmed_at = now() where id = :id"), {"id": visit_id})
    (visit,) = (await run(app, network.intake, appointments, [made.id]))[made.id]
    assert (visit.confirmed_at is not None, visit.version) == (True, 1)
    await book(app, network.intake, made.id, act=reschedule_visit)
    (visit,) = (await run(app, network.intake, appointments, [made.id]))[made.id]
    assert (visit.confirmed_at, visit.version) == (None, 2)


@pytest.mark.rule("M9")
async def test_completing_cancels_the_visit_to_come_and_leaves_what_has_been(
    app: Database, network: Network, keyring: Keyring, look: Look
) -> None:
    for hours_past, status, last in ((None, "cancelled", "appointment_cancelled"), (2, "booked", "appointment_set")):
        made = await accepted(app, network, keyring)
        visit_id = await book(app, network.intake, made.id)
        if hours_past:
            await look("update appointment set starts_at = now() - interval '2 hours' where id = $1", visit_id)
        await run(app, network.intake, complete, made.id, outcome=Outcome.NOT_RECEIVED, now=present())
        assert await look("select status from appointment where id = $1", visit_id) == [{"status": status}]
        assert (await notices(look, made.id))[-1][0] == last


@pytest.mark.rule("R1")
async def test_visits_are_the_targets_intakes_and_come_after_acceptance(
    app: Database, network: Network, keyring: Keyring
) -> None:
    made = await send(app, network, keyring, now=present())
    with pytest.raises(IllegalTransition):
        await book(app, network.intake, made.id)
    await run(app, network.intake, accept, made.id, now=present())
    with pytest.raises(IllegalTransition):
        await book(app, network.coordinator, made.id)
    with pytest.raises(NotFound):
        await book(app, network.outsider, made.id)
    with pytest.raises(IllegalTransition):
        await run(app, network.intake, cancel_visit, made.id, now=present())
    with pytest.raises(NotPermitted):
        await book(app, Member(*_without_roles(network.intake)), made.id)


def _without_roles(member: Member) -> tuple[Any, ...]:
    return (member.member_id, member.agency_id, member.agency_kind, frozenset(), member.session_id, None)


async def test_every_step_of_a_visit_is_in_the_trail(
    app: Database, network: Network, keyring: Keyring, look: Look
) -> None:
    made = await accepted(app, network, keyring)
    visit_id = await book(app, network.intake, made.id)
    await run(app, network.intake, mark_no_show, made.id, now=present())
    rows = await look(
        "select subject_kind, detail->>'event' as event, detail->>'change' as change from audit_event"
        " where subject_id in ($1, $2) and member_id = $3 order by at, id",
        made.id, visit_id, network.intake.member_id,
    )  # fmt: skip
    told = {(row["subject_kind"], row["event"] or row["change"]) for row in rows}
    assert told == {
        ("referral", "accept"),
        ("referral", "schedule"),
        ("appointment", "appointment_set"),
        ("referral", "no_show"),
        ("appointment", "noshow"),
    }

"""A notice becomes texts in the survivor's windows, or a task for a person; never silence."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referralnet.database.acting import Custodian
from tests.integration.messaging.conftest import Desk


async def test_an_appointment_in_three_days_is_told_now_and_reminded_twice(desk: Desk, arrange: Any) -> None:
    case = await arrange(starts_at=desk.clock.now() + timedelta(days=3, hours=5))
    await desk.tell(case)
    assert await desk.plan() == 3
    rows = await desk.look(
        "select kind, due_at from text_message where subject_id = $1 order by due_at", case.referral_id
    )
    assert [(row["kind"], row["due_at"]) for row in rows] == [
        ("appointment_set", desk.clock.now()),
        ("appointment_reminder", case.starts_at - timedelta(hours=24)),
        ("appointment_reminder", case.starts_at - timedelta(hours=2)),
    ]
    assert await desk.plan() == 0, "a notice is handled once"


@pytest.mark.rule("M1")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"texts_opted_in_at": None, "opt_in_method": None}, "no_opt_in"),
        ({"reconfirm_by": -1}, "reconfirm_overdue"),
        ({"paused_at": 0, "paused_reason": "unsafe"}, "paused"),
        ({"safe_windows": []}, "window_gone"),
    ],
)
async def test_a_survivor_who_may_not_be_texted_becomes_a_task(
    desk: Desk, arrange: Any, changes: dict[str, Any], reason: str
) -> None:
    if "reconfirm_by" in changes:
        changes = {"reconfirm_by": desk.clock.now().date() - timedelta(days=1)}
    if "paused_at" in changes:
        changes = {**changes, "paused_at": desk.clock.now()}
    case = await arrange(**changes)
    await desk.tell(case)
    assert await desk.plan() == 0
    assert await desk.texts(case) == []
    assert await desk.tasks(case.agency_id) == [("survivor_not_texted", reason)]


@pytest.mark.rule("M9")
@pytest.mark.parametrize("kind", ["appointment_changed", "appointment_cancelled"])
async def test_moving_or_cancelling_stops_the_old_texts_in_the_targets_own_transaction(
    desk: Desk, arrange: Any, kind: str
) -> None:
    case = await arrange()
    await desk.tell(case)
    await desk.plan()
    later = case.starts_at + timedelta(days=2)
    status = "cancelled" if kind == "appointment_cancelled" else "booked"
    await desk.alter(
        "update appointment set status = $1, starts_at = $2 where id = $3", status, later, case.appointment_id
    )
    await desk.tell(case, kind, later)
    # Before any worker has looked.
    assert {state for _, state in await desk.texts(case)} == {"cancelled"}
    await desk.plan()
    assert (kind, "scheduled") in await desk.texts(case)


@pytest.mark.rule("M9")
async def test_a_notice_that_a_later_change_has_overtaken_plans_nothing(desk: Desk, arrange: Any) -> None:
    case = await arrange()
    await desk.tell(case)
    later = case.starts_at + timedelta(days=1)
    await desk.alter("update appointment set starts_at = $1 where id = $2", later, case.appointment_id)
    await desk.tell(case, "appointment_changed", later)
    await desk.plan()
    kinds = [kind for kind, state in await desk.texts(case) if state == "scheduled"]
    assert kinds == ["appointment_changed", "appointment_reminder", "appointment_reminder"]


@pytest.mark.rule("M9")
async def test_a_cancellation_is_told_although_a_change_of_the_same_moment_is_read_after_it(
    desk: Desk, arrange: Any
) -> None:
    """Two of one shelter at once: each says when it asked, and who came first only the row's lock knows."""
    case = await arrange()
    later = case.starts_at + timedelta(days=1)
    await desk.alter(
        "update appointment set starts_at = $1, status = 'cancelled' where id = $2", later, case.appointment_id
    )
    await desk.tell(case, "appointment_changed", later)
    await desk.tell(case, "appointment_cancelled", later)
    (changed,) = await desk.look(
        "select id from notice where referral_id = $1 and kind = 'appointment_changed'", case.referral_id
    )
    await desk.alter("update notice set created_at = created_at + interval '1 ms' where id = $1", changed["id"])
    await desk.plan()
    assert await desk.texts(case) == [("appointment_cancelled", "scheduled")]


@pytest.mark.rule("C5")
async def test_only_the_referrals_target_may_write_a_notice(desk: Desk, arrange: Any) -> None:
    case, stranger = await arrange(), await arrange()
    # The source's own coordinator sees the referral, and may not speak for its target either.
    for actor in (stranger.intake, stranger.coordinator, case.coordinator):
        with pytest.raises(DBAPIError, match="row-level security"):
            async with desk.app.transaction(actor) as session:
                await session.execute(
                    text(
                        "insert into notice (id, agency_id, referral_id, kind, occurrence, created_at)"
                        " values (gen_random_uuid(), :agency, :referral, 'appointment_set', '{}', now())"
                    ),
                    {"agency": case.agency_id, "referral": case.referral_id},
                )


@pytest.mark.rule("C5")
async def test_texts_are_read_in_the_custodians_agency_and_nowhere_else(desk: Desk, arrange: Any) -> None:
    case, stranger = await arrange(), await arrange()
    await desk.tell(case)
    await desk.plan()
    counts = {}
    for name, actor in {"coordinator": case.coordinator, "target": case.intake, "other": stranger.coordinator}.items():
        async with desk.app.transaction(actor) as session:
            counts[name] = await session.scalar(
                text("select count(*) from text_message where subject_id = :id"), {"id": case.referral_id}
            )
    async with desk.worker.transaction(Custodian(stranger.agency_id)) as session:
        counts["worker elsewhere"] = await session.scalar(
            text("select count(*) from text_message where subject_id = :id"), {"id": case.referral_id}
        )
    assert counts == {"coordinator": 3, "target": 0, "other": 0, "worker elsewhere": 0}
    with pytest.raises(DBAPIError):
        async with desk.app.transaction(case.coordinator) as session:
            await session.execute(text("select body_sealed from text_message"))

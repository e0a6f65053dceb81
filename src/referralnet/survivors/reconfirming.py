"""Contact plans whose re-confirm date has passed: nothing is texted (M1), and somebody is asked to ask her."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.identity.tables import Task
from referralnet.identity.tasks import open_task
from referralnet.survivors.contact_plans import RECONFIRM_TASK
from referralnet.survivors.tables import ContactPlan
from referralnet.survivors.vocabulary import time_zones

# The calendar of no place is further ahead of UTC.
_AHEAD_HOURS_MAX = 14
_AT_ONCE_MAX = 500


async def ask_to_reconfirm(session: AsyncSession, agency_id: UUID, *, now: datetime) -> int:
    """Open a task for each overdue plan of one custody, once for each date that passes; returns how many.

    A plan holds through the whole of its last day on her own calendar. Keeping the plan anew closes the task.
    """
    today_somewhere = (now + timedelta(hours=_AHEAD_HOURS_MAX)).date()
    asked = select(Task.id).where(
        Task.kind == RECONFIRM_TASK,
        Task.subject_id == ContactPlan.survivor_id,
        or_(Task.done_at.is_(None), func.date(Task.opened_at) > ContactPlan.reconfirm_by),
    )
    columns = select(ContactPlan.survivor_id, ContactPlan.time_zone, ContactPlan.reconfirm_by)
    overdue = columns.where(ContactPlan.reconfirm_by < today_somewhere, ~asked.exists())
    opened = 0
    for plan in await session.execute(overdue.order_by(ContactPlan.reconfirm_by).limit(_AT_ONCE_MAX)):
        zone = ZoneInfo(plan.time_zone if plan.time_zone in time_zones() else "UTC")
        if now.astimezone(zone).date() <= plan.reconfirm_by:
            continue
        await open_task(
            session,
            agency_id=agency_id,
            kind=RECONFIRM_TASK,
            subject_kind="survivor",
            subject_id=plan.survivor_id,
            now=now,
        )
        opened += 1
    return opened

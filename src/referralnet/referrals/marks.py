"""Whether anything has changed since somebody looked, in one cheap statement: for pages that ask again and again.

A mark tells of nothing. It is a digest of counts and versions, as the acting member may see them at that moment: after
a block or a change of role the question is answered as for whoever she is now.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.appointments.tables import Appointment
from referralnet.database.acting import Member
from referralnet.errors import NotFound
from referralnet.identity.access import Permission, require
from referralnet.identity.tables import Task
from referralnet.referrals.tables import Referral, ReferralAssignee, RoutingChoice, WarmHandoff

_DIGEST_BYTES = 9


async def mark_of_referral(session: AsyncSession, actor: Member, referral_id: UUID) -> str:
    """How a referral stands now: its steps, visits, handoff, who has it, and the plan it belongs to.

    Raises:
        NotFound: there is none, or it is between others: the answer is the same (C6).
    """
    require(actor, Permission.READ_REFERRALS)
    plan = select(RoutingChoice.plan_id).where(RoutingChoice.referral_id == referral_id).scalar_subquery()
    asked = func.concat(
        func.count(), "/", func.count(RoutingChoice.referral_id), "/", func.count(RoutingChoice.removed_at)
    )
    held = func.concat(func.count(), "/", func.sum(Appointment.version), "/", func.count(Appointment.confirmed_at))
    seen = select(
        Referral.version,
        select(held).where(Appointment.referral_id == referral_id).scalar_subquery(),
        select(func.count()).where(WarmHandoff.referral_id == referral_id).scalar_subquery(),
        select(func.max(ReferralAssignee.assigned_at))
        .where(ReferralAssignee.referral_id == referral_id)
        .scalar_subquery(),
        select(asked).where(RoutingChoice.plan_id == plan).scalar_subquery(),
    )
    row = (await session.execute(seen.where(Referral.id == referral_id))).one_or_none()
    if row is None:
        raise NotFound(field="referral_id")
    return _digest(row)


async def mark_of_worklist(session: AsyncSession, actor: Member) -> str:
    """How the acting agency's worklists stand now."""
    require(actor, Permission.READ_REFERRALS)
    tasks = select(func.count(), func.max(Task.changed_in)).where(Task.done_at.is_(None))
    return _digest((await session.execute(tasks)).one())


def _digest(figures: Any) -> str:
    return blake2b("|".join(map(str, figures)).encode(), digest_size=_DIGEST_BYTES).hexdigest()

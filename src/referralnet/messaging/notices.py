"""What changed about an appointment, told to the custodian without touching a survivor's data."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.messaging.tables import Notice

REFERRAL_NEWS = "referral_news"
"""A notice that the database writes when a referral was answered, or ran out: it may lead to a digest."""


class NoticeKind(StrEnum):
    """What a notice of a target tells; the text it leads to has the same name."""

    APPOINTMENT_SET = "appointment_set"
    APPOINTMENT_CHANGED = "appointment_changed"
    APPOINTMENT_CANCELLED = "appointment_cancelled"


async def write_notice(
    session: AsyncSession,
    *,
    kind: NoticeKind,
    custodian_agency_id: UUID,
    referral_id: UUID,
    appointment_id: UUID,
    starts_at: datetime,
    time_zone: str,
    now: datetime,
) -> UUID:
    """Tell the custodian, in the target's own transaction; row security takes it from the referral's target alone.

    A change or a cancellation stops every unsent text about this referral in the same transaction (M9): a trigger
    does it, because the target may not see them.

    Args:
        starts_at: the appointment's instant; for a cancellation, the one that no longer holds.
    """
    notice_id = uuid4()
    occurrence = {"appointment_id": str(appointment_id), "starts_at": starts_at.isoformat(), "time_zone": time_zone}
    statement = insert(Notice).values(
        id=notice_id,
        agency_id=custodian_agency_id,
        referral_id=referral_id,
        kind=kind,
        occurrence=occurrence,
        created_at=now,
        handled_at=None,
    )
    await session.execute(statement.inline())
    return notice_id

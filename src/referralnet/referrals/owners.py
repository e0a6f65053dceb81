"""Every open referral is exactly one owner's task (R6): looked for daily, and told to people where it is not so.

Each step keeps it in its own transaction. This finds what a mistake of ours, or a hand in the database, has broken.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Text, Uuid, column, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.database.acting import Custodian
from referralnet.identity.tasks import WITHOUT_OWNER, open_task


class Violation(NamedTuple):
    """A referral or routing plan that is nobody's task, or the wrong one's."""

    subject_kind: str
    subject_id: UUID
    problem: str


async def violations(session: AsyncSession, now: datetime) -> list[Violation]:
    """What is broken in the acting custody; nothing, unless there is a mistake. All custodies are the whole network."""
    found = func.referrals_without_one_owner(now).table_valued(
        column("subject_kind", Text()), column("subject_id", Uuid()), column("problem", Text())
    )
    return [Violation(*row) for row in await session.execute(select(found))]


async def raise_alarms(session: AsyncSession, actor: Custodian, now: datetime) -> list[Violation]:
    """Put each violation of a custody on its agency's lists, its admins' too; returns them."""
    found = await violations(session, now)
    for one in found:
        await open_task(
            session,
            agency_id=actor.agency_id,
            kind=WITHOUT_OWNER,
            subject_kind=one.subject_kind,
            subject_id=one.subject_id,
            now=now,
        )
    return found

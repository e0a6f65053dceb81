"""The mark of somebody who may sign for her as her abuser, or as the abuser of her other parent (C7).

34 U.S.C. 12291(b)(2)(B)(ii): consent may not be given by the abuser of the minor, or the abuser of the other parent.
What a marked person signed is ended by referrals/marking.py. Marks stay: one that was taken back is history.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member
from referralnet.errors import NotFound
from referralnet.identity.access import Permission, require
from referralnet.identity.step_up import require_fresh
from referralnet.survivors.tables import SurvivorSignerMark


class AbuserOf(StrEnum):
    """Whom somebody has abused."""

    SURVIVOR = "survivor"
    OTHER_PARENT = "other_parent"


@dataclass(frozen=True, slots=True)
class AbuserMark:
    """A mark; in force while it was not taken back."""

    id: UUID
    signer_id: UUID
    abuser_of: AbuserOf
    marked_by: UUID
    marked_at: datetime
    lifted_by: UUID | None
    lifted_at: datetime | None


async def is_marked(session: AsyncSession, signer_id: UUID) -> bool:
    """Whether a mark of this person is in force."""
    marked = select(SurvivorSignerMark.id).where(
        SurvivorSignerMark.signer_id == signer_id, SurvivorSignerMark.lifted_at.is_(None)
    )
    return await session.scalar(marked.limit(1)) is not None


async def read_marks(session: AsyncSession, survivor_id: UUID) -> list[AbuserMark]:
    """Every mark of those who may sign for a survivor, or could, oldest first."""
    rows = await session.scalars(
        select(SurvivorSignerMark)
        .where(SurvivorSignerMark.survivor_id == survivor_id)
        .order_by(SurvivorSignerMark.marked_at, SurvivorSignerMark.id)
    )
    return [
        AbuserMark(
            row.id, row.signer_id, AbuserOf(row.abuser_of), row.marked_by, row.marked_at, row.lifted_by, row.lifted_at
        )
        for row in rows
    ]


async def keep_mark(
    session: AsyncSession, actor: Member, survivor_id: UUID, signer_id: UUID, abuser_of: AbuserOf, *, now: datetime
) -> UUID:
    """Mark somebody; what is marked already stays as it is. Returns the mark's id.

    By itself the database refuses it while a release that they signed is in force.
    """
    same = select(SurvivorSignerMark.id).where(
        SurvivorSignerMark.signer_id == signer_id,
        SurvivorSignerMark.abuser_of == abuser_of,
        SurvivorSignerMark.lifted_at.is_(None),
    )
    known = await session.scalar(same)
    if known is not None:
        return known
    mark_id = uuid4()
    values = {
        "id": mark_id,
        "agency_id": actor.agency_id,
        "survivor_id": survivor_id,
        "signer_id": signer_id,
        "abuser_of": abuser_of,
        "marked_by": actor.member_id,
        "marked_at": now,
    }
    await session.execute(insert(SurvivorSignerMark).values(values).inline())
    await record(session, Action.SIGNER_MARKED, "survivor", survivor_id, signer=str(signer_id), abuser_of=abuser_of)
    return mark_id


async def lift_mark(session: AsyncSession, actor: Member, mark_id: UUID, *, now: datetime) -> None:
    """Take a mark back that was a mistake: this person may sign again. What it ended stays ended.

    Raises:
        StepUpNeeded: no second factor within the last five minutes.
        NotFound: no such mark in force in this custody.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    require_fresh(actor, now)
    in_force = SurvivorSignerMark.id == mark_id, SurvivorSignerMark.lifted_at.is_(None)
    lifted = update(SurvivorSignerMark).where(*in_force).values(lifted_by=actor.member_id, lifted_at=now)
    columns = lifted.returning(SurvivorSignerMark.survivor_id, SurvivorSignerMark.signer_id)
    row = (await session.execute(columns)).one_or_none()
    if row is None:
        raise NotFound(field="mark_id")
    await record(session, Action.SIGNER_MARK_LIFTED, "survivor", row.survivor_id, signer=str(row.signer_id))
